"""Calibration: unlabelled pictures, no gradients, one operator after the other.

Behind every blurred site stands a linear operator: the convolution that reads the blurred map, or else a 1x1
convolution put there. Site by site, in graph order, the rewritten model and the original one see the same pictures, and
the operator gets the weights that bring the one's features back to the other's
(:mod:`auditor.rewrite.calibration.ridge`). Sites behind see what those in front of them now compute.

Convolutions further behind can be fitted in the same way. Each makes its own output more alike, and yet the outputs of
the model need not follow, above all with few pictures. So the outputs are compared on the held-out pictures after every
step, and the weights go back to where they were best.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from auditor.rewrite.graph.parts import EditNode, Joint
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.result import Calibrated, Refit, RefitCurve, Refitted, RewriteError
from auditor.text import ModelText

if TYPE_CHECKING:
    from auditor.rewrite.calibration.linear import LinearOperator
    from auditor.rewrite.calibration.ridge import Array, Fit, Moments

HELD_OUT = 4  # every fourth picture chooses the strength of the ridge
FEWEST = 8


class Pictures(Protocol):
    """Runs models on the calibration pictures."""

    def features(
        self, original: Path, wanted: Sequence[str], rewritten: Path, given: Sequence[str], what: str
    ) -> Iterator[tuple[list[Array], list[Array]]]:
        """For every picture the tensors ``given`` of the rewritten model and ``wanted`` of the original one, each of
        the shape (N, C, ...). ``what`` is said of this pass over the pictures.
        """
        ...


class Write(Protocol):
    """Writes the edited model as it stands."""

    def __call__(self, target: Path) -> object: ...


@dataclass(slots=True)
class Runs:
    """Both models on the same pictures; ``spare`` is a folder for the rewritten model as it stands before each run.

    ``what`` is said of the passes over them that follow; ``count`` of them could be used.
    """

    editor: GraphEditor
    pictures: Pictures
    write: Write
    spare: Path
    what: str = "calibration"
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
        source = self.editor.model.source
        for rewritten, original in self.pictures.features(source, wanted, candidate, given, self.what):
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


@dataclass(slots=True)
class Aim:
    """An operator to fit: what it reads in the rewritten model and what it should write, as the original does.

    ``steps`` subsample the original's grid, where the blur stands in front of what the original wrote. ``joint`` is the
    place of a 1x1 convolution that was put there, None for a convolution of the source.
    """

    part: EditNode
    operator: LinearOperator
    given: str
    wanted: str
    steps: tuple[int, ...] = ()
    joint: Joint | None = None


def calibrate(
    editor: GraphEditor, pictures: Pictures, write: Write, spare: Path, further: Refit
) -> tuple[list[Calibrated], RefitCurve | None]:
    """Fits every joint of the graph in graph order, then ``further`` convolutions; the graph then holds the result.

    Raises:
        RewriteError: there are too few pictures.
    """
    from auditor.rewrite.calibration.refit import convolutions_behind, outputs_with_numbers

    joints = sorted(editor.joints, key=_order)
    runs = Runs(editor, pictures, write, spare)
    done, aims = [], []
    for number, joint in enumerate(joints, 1):
        runs.what = f"calibration, site {number} of {len(joints)}"
        calibrated, aim = _site(runs, joint)
        done.append(calibrated)
        aims.append(aim)
    outputs = outputs_with_numbers(editor)
    behind = [] if further is Refit.NONE else _behind(editor, aims, convolutions_behind(editor, [a.part for a in aims]))
    if not behind or not outputs:
        return done, None
    return done, _further(runs, behind if further is Refit.ALL else behind[-1:], outputs)


def _site(runs: Runs, joint: Joint) -> tuple[Calibrated, Aim]:
    """Fit the operator behind one blurred map."""
    from auditor.rewrite.calibration.linear import pointwise
    from auditor.rewrite.calibration.refit import mixing, take_reader
    from auditor.rewrite.calibration.ridge import fit, matched

    editor = runs.editor
    taken = take_reader(editor, joint)
    if taken is not None:
        part, operator = taken
        aim = Aim(part, operator, part.inputs[0], part.outputs[0])
    else:
        operator = pointwise((editor.shape(joint.original) or (1, 1))[1], len(joint.steps))
        aim = Aim(mixing(editor, joint), operator, joint.blurred, joint.original, joint.steps, joint)
    sums = _sums(runs, aim)
    found = fit(*sums, operator.weight, operator.bias, operator.weight if taken is not None else matched(sums[0]))
    _give(editor, aim, found)
    return Calibrated(joint.site, found.before, found.after, found.strength, runs.count, taken is not None), aim


def _behind(editor: GraphEditor, aims: Sequence[Aim], parts: Sequence[EditNode]) -> list[Aim]:
    """What can be fitted further, in graph order: convolutions, and among them again the operators behind later blurs,
    since what reaches these will change.
    """
    from auditor.rewrite.calibration.linear import linear_operator

    fitted = {aim.part: aim for aim in aims}
    found = []
    for part in editor.parts():
        if part in fitted:
            found.append(fitted[part])
        elif part in parts and (operator := linear_operator(editor, part)) is not None:
            found.append(Aim(part, operator, part.inputs[0], part.outputs[0]))
    first = next((place for place, aim in enumerate(found) if aim.part not in fitted), len(found))
    return found[first:]


def _further(runs: Runs, aims: Sequence[Aim], outputs: Sequence[str]) -> RefitCurve:
    """Fit operators one after the other; keep as many as bring the outputs nearest to those of the original."""
    from auditor.rewrite.calibration.ridge import fit

    editor = runs.editor
    shares, fits, before = [], [], []
    for number, aim in enumerate(aims, 1):
        runs.what = f"calibration, convolution {number} of {len(aims)}"
        distance = Distance()
        sums = _sums(runs, aim, (outputs, distance))
        shares.append(distance.share)
        found = fit(*sums, aim.operator.weight, aim.operator.bias, aim.operator.weight)
        before.append((list(aim.part.inputs), aim.operator))
        fits.append(found)
        _give(editor, aim, found)
    runs.what = "calibration, outputs"
    distance = Distance()
    for held_out, ours, theirs in runs.features(outputs, outputs):
        if held_out:
            distance.add(ours, theirs)
    shares.append(distance.share)
    kept = min(range(len(shares)), key=lambda place: shares[place])
    for aim, found, (inputs, operator) in zip(aims[kept:], fits[kept:], before[kept:], strict=True):
        if aim.joint is None and editor.constant(inputs[1]) is not None:
            editor.set_inputs(aim.part, inputs)
        else:
            _give(editor, aim, replace(found, matrix=operator.weight, bias=operator.bias))
    refits = tuple(
        Refitted(ModelText(aim.part.name or aim.part.outputs[0]), found.before, found.after, share, place < kept)
        for place, (aim, found, share) in enumerate(zip(aims, fits, shares[1:], strict=True))
    )
    return RefitCurve(shares[0], refits)


def _give(editor: GraphEditor, aim: Aim, found: Fit) -> None:
    """Give an operator its new weights."""
    from auditor.rewrite.calibration.refit import give_weights

    if aim.joint is None:
        give_weights(editor, aim.part, aim.operator, found)
    else:
        editor.set_constant(aim.joint.weight, found.matrix)
        editor.set_constant(aim.joint.bias, found.bias)
    aim.operator = replace(aim.operator, weight=found.matrix, bias=found.bias)


def _sums(runs: Runs, aim: Aim, outputs: tuple[Sequence[str], Distance] | None = None) -> tuple[Moments, Moments]:
    """Moments over the pictures to fit on and over those held out, and on the way the distance of the outputs."""
    from auditor.rewrite.calibration.ridge import Moments

    operator = aim.operator
    made = [Moments(operator.groups, operator.columns, operator.outputs) for _ in range(2)]
    names, distance = outputs or ((), Distance())
    kept = (slice(None), slice(None), *(slice(None, None, step) for step in aim.steps))
    given, wanted = (aim.given, *names), (aim.wanted, *names)
    for held_out, (ours, *answers), (theirs, *answers_of_original) in runs.features(given, wanted):
        made[held_out].add(*operator.pairs(ours, theirs[kept]))
        if held_out:
            distance.add(answers, answers_of_original)
    return made[0], made[1]


def _order(joint: Joint) -> int:
    return joint.site.node.order
