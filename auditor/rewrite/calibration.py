"""Calibration: unlabelled pictures, no gradients, one site after the other.

Behind every blurred site stands a 1x1 convolution. Site by site, in graph order, the rewritten model and the original
one see the same pictures, and the convolution gets the map that brings the one's features back to the other's
(:mod:`auditor.rewrite.ridge`). Sites behind see what those in front of them now compute.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from auditor.rewrite.parts import Joint
from auditor.rewrite.result import Calibrated, RewriteError
from auditor.rewrite.surgery import Surgeon

if TYPE_CHECKING:
    from auditor.rewrite.ridge import Array

HELD_OUT = 4  # every fourth picture chooses the strength of the ridge
FEWEST = 8


class Pictures(Protocol):
    """Runs models on the calibration pictures."""

    def features(self, original: Path, wanted: str, rewritten: Path, given: str) -> Iterator[tuple[Array, Array]]:
        """For every picture the tensor ``given`` of the rewritten model and ``wanted`` of the original one.

        Both have the shape (N, C, ...).
        """
        ...


class Write(Protocol):
    """Writes the edited model as it stands."""

    def __call__(self, target: Path) -> object: ...


def calibrate(surgeon: Surgeon, pictures: Pictures, write: Write, spare: Path) -> list[Calibrated]:
    """Fits every joint of the graph in graph order; the graph then holds the result.

    ``spare`` is a folder for the model as it stands before each fit.

    Raises:
        RewriteError: there are too few pictures.
    """
    from auditor.rewrite.folding import fold
    from auditor.rewrite.ridge import Moments, fit

    done = []
    for place, joint in enumerate(sorted(surgeon.joints, key=_order)):
        folder = spare / str(place)
        folder.mkdir()
        candidate = folder / "model.onnx"
        write(candidate)
        sums: list[Moments] = []
        count = 0
        for blurred, original in pictures.features(surgeon.model.source, joint.original, candidate, joint.blurred):
            kept = (slice(None), slice(None), *(slice(None, None, step) for step in joint.steps))
            target = original[kept]
            if not sums:
                sums = [Moments(blurred.shape[1]), Moments(blurred.shape[1])]
            sums[count % HELD_OUT == HELD_OUT - 1].add(blurred, target)
            count += 1
        shutil.rmtree(folder)
        if count < FEWEST:
            raise RewriteError(f"calibration needs at least {FEWEST} pictures, and {count} could be used")
        found = fit(*sums)
        folded = fold(surgeon, joint, found.matrix, found.bias)
        if not folded:
            surgeon.set_constant(joint.weight, found.matrix)
            surgeon.set_constant(joint.bias, found.bias)
        done.append(Calibrated(joint.site, found.before, found.after, found.strength, count, folded))
    return done


def _order(joint: Joint) -> int:
    return joint.site.node.order
