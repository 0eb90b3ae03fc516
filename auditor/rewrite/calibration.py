"""Calibration: unlabelled pictures, no gradients, one operator after the other.

Behind every blurred site stands a linear operator: the convolution that reads the blurred map, or else a 1x1
convolution put there. Site by site, in graph order, the rewritten model and the original one see the same pictures, and
the operator gets the weights that bring the one's features back to the other's (:mod:`auditor.rewrite.ridge`). Sites
behind see what those in front of them now compute.

Convolutions further behind can be fitted in the same way. Each makes its own output more alike, and yet the outputs of
the model need not follow, above all with few pictures. So the outputs are compared on the held-out pictures after every
step, and the weights go back to where they were best.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from auditor.rewrite.parts import Joint, Part
from auditor.rewrite.result import Calibrated, Curve, Refit, Refitted, RewriteError
from auditor.rewrite.surgery import Surgeon
from auditor.text import ModelText

if TYPE_CHECKING:
    from auditor.rewrite.linear import LinearOperator
    from auditor.rewrite.ridge import Array, Moments

HELD_OUT = 4  # every fourth picture chooses the strength of the ridge
FEWEST = 8


class Pictures(Protocol):
    """Runs models on the calibration pictures."""

    def features(
        self, original: Path, wanted: Sequence[str], rewritten: Path, given: Sequence[str]
    ) -> Iterator[tuple[list[Array], list[Array]]]:
        """For every picture the tensors ``given`` of the rewritten model and ``wanted`` of the original one, each of
        the shape (N, C, ...).
        """
        ...


class Write(Protocol):
    """Writes the edited model as it stands."""

    def __call__(self, target: Path) -> object: ...


@dataclass(slots=True)
class Runs:
    """Both models on the same pictures; ``spare`` is a folder for the rewritten model as it stands before each run."""

    surgeon: Surgeon
    pictures: Pictures
    write: Write
    spare: Path
    count: int = 0

    def features(self, given: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[bool, list[Array], list[Array]]]:
        """Tensors of the rewritten model and of the original one, and whether the picture is held out.

        Raises RewriteError where there are too few pictures.
        """
        folder = self.spare / "candidate"
        folder.mkdir()
        candidate = folder / "model.onnx"
        self.write(candidate)
        self.count = 0
        for rewritten, original in self.pictures.features(self.surgeon.model.source, wanted, candidate, given):
            yield self.count % HELD_OUT == HELD_OUT - 1, rewritten, original
            self.count += 1
        shutil.rmtree(folder)
        if self.count < FEWEST:
            raise RewriteError(f"calibration needs at least {FEWEST} pictures, and {self.count} could be used")


@dataclass(slots=True)
class Distance:
    """How far outputs are from those of the original: squared differences as a share of the original's variance."""

    differences: list[float] = field(default_factory=list)
    sums: list[tuple[int, float, float]] = field(default_factory=list)

    def add(self, rewritten: Sequence[Array], original: Sequence[Array]) -> None:
        """Add the outputs for one picture."""
        if not self.sums:
            self.differences, self.sums = [0.0] * len(original), [(0, 0.0, 0.0)] * len(original)
        for place, (ours, theirs) in enumerate(zip(rewritten, original, strict=True)):
            wide = theirs.astype(float)
            self.differences[place] += float(((ours - wide) ** 2).sum())
            count, first, second = self.sums[place]
            self.sums[place] = (count + wide.size, first + float(wide.sum()), second + float((wide**2).sum()))

    @property
    def share(self) -> float:
        """The mean over the outputs."""
        shares = [
            difference / max(second - first**2 / max(count, 1), 1e-30)
            for difference, (count, first, second) in zip(self.differences, self.sums, strict=True)
        ]
        return sum(shares) / max(len(shares), 1)


def calibrate(
    surgeon: Surgeon, pictures: Pictures, write: Write, spare: Path, further: Refit
) -> tuple[list[Calibrated], Curve | None]:
    """Fits every joint of the graph in graph order, then ``further`` convolutions; the graph then holds the result.

    Raises:
        RewriteError: there are too few pictures.
    """
    from auditor.rewrite.refit import convolutions_behind, outputs_with_numbers

    runs = Runs(surgeon, pictures, write, spare)
    done = []
    fitted: list[Part] = []
    for joint in sorted(surgeon.joints, key=_order):
        calibrated, part = _site(runs, joint)
        done.append(calibrated)
        fitted.append(part)
    behind = [] if further is Refit.NONE else convolutions_behind(surgeon, fitted)
    outputs = outputs_with_numbers(surgeon)
    if not behind or not outputs:
        return done, None
    return done, _further(runs, behind if further is Refit.ALL else behind[-1:], outputs)


def _site(runs: Runs, joint: Joint) -> tuple[Calibrated, Part]:
    """Fit the operator behind one blurred map, and return it."""
    from auditor.rewrite.linear import pointwise
    from auditor.rewrite.refit import give_weights, mixing, take_reader
    from auditor.rewrite.ridge import fit, matched

    surgeon = runs.surgeon
    reader = take_reader(surgeon, joint)
    if reader is not None:
        part, operator = reader
        sums = _sums(runs, operator, part.inputs[0], part.outputs[0])
        found = fit(*sums, operator.weight, operator.bias, operator.weight)
        give_weights(surgeon, part, operator, found)
    else:
        part = mixing(surgeon, joint)
        operator = pointwise((surgeon.shape(joint.original) or (1, 1))[1], len(joint.steps))
        sums = _sums(runs, operator, joint.blurred, joint.original, joint.steps)
        found = fit(*sums, operator.weight, operator.bias, matched(sums[0]))
        surgeon.set_constant(joint.weight, found.matrix)
        surgeon.set_constant(joint.bias, found.bias)
    return Calibrated(joint.site, found.before, found.after, found.strength, runs.count, reader is not None), part


def _further(runs: Runs, parts: Sequence[Part], outputs: Sequence[str]) -> Curve:
    """Fit convolutions one after the other; keep as many as bring the outputs nearest to those of the original."""
    from auditor.rewrite.linear import linear_operator
    from auditor.rewrite.refit import give_weights
    from auditor.rewrite.ridge import fit

    surgeon = runs.surgeon
    shares, fits, undo = [], [], []
    for part in parts:
        operator = linear_operator(surgeon, part)
        if operator is None:
            continue
        distance = Distance()
        sums = _sums(runs, operator, part.inputs[0], part.outputs[0], outputs=(outputs, distance))
        shares.append(distance.share)
        found = fit(*sums, operator.weight, operator.bias, operator.weight)
        undo.append((part, list(part.inputs)))
        fits.append(found)
        give_weights(surgeon, part, operator, found)
    distance = Distance()
    for held_out, ours, theirs in runs.features(outputs, outputs):
        if held_out:
            distance.add(ours, theirs)
    shares.append(distance.share)
    kept = min(range(len(shares)), key=lambda place: shares[place])
    for part, inputs in reversed(undo[kept:]):
        surgeon.set_inputs(part, inputs)
    refits = tuple(
        Refitted(ModelText(part.name or part.outputs[0]), found.before, found.after, share, place < kept)
        for place, ((part, _), found, share) in enumerate(zip(undo, fits, shares[1:], strict=True))
    )
    return Curve(shares[0], refits)


def _sums(
    runs: Runs,
    operator: LinearOperator,
    given: str,
    wanted: str,
    steps: tuple[int, ...] = (),
    outputs: tuple[Sequence[str], Distance] | None = None,
) -> tuple[Moments, Moments]:
    """Moments over the pictures to fit on and over those held out, and on the way the distance of the outputs."""
    from auditor.rewrite.ridge import Moments

    made = [Moments(operator.groups, operator.columns, operator.outputs) for _ in range(2)]
    names, distance = outputs or ((), Distance())
    kept = (slice(None), slice(None), *(slice(None, None, step) for step in steps))
    for held_out, (ours, *answers), (theirs, *answers_of_original) in runs.features((given, *names), (wanted, *names)):
        made[held_out].add(*operator.pairs(ours, theirs[kept]))
        if held_out:
            distance.add(answers, answers_of_original)
    return made[0], made[1]


def _order(joint: Joint) -> int:
    return joint.site.node.order
