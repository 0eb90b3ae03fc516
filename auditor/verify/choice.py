"""The tally of a task."""

from __future__ import annotations

from auditor.sampling.result import Analysis
from auditor.verify.errors import DataError
from auditor.verify.measures.classification import ClassificationTally
from auditor.verify.measures.dense import DenseTally
from auditor.verify.measures.detection import DetectionTally
from auditor.verify.measures.embedding import EmbeddingTally
from auditor.verify.measures.tally import REFERENCE, Tally
from auditor.verify.result import ProtocolKind, Task
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import Setup
from auditor.verify.shifts.alignment import Grid

_CIRCULAR = (ProtocolKind.ROLL, ProtocolKind.SUBPIXEL)
# Their windows do not lie whole pixels apart, so that grids cannot be laid over each other.
_UNALIGNED = (ProtocolKind.SUBPIXEL, ProtocolKind.ZOOM)


def make_tally(
    setup: Setup, settings: VerifySettings, analysis: Analysis | None, reference: tuple[str, ...] = ()
) -> Tally:
    """The tally that measures the target of a setup; ``reference`` are the outputs of a model to agree with.

    Raises:
        DataError: the protocol does not suit the task.
    """
    target = setup.target
    name = target.outputs[0]
    others = tuple(REFERENCE + one for one in reference)
    other = others[0] if others else None
    if target.task is Task.CLASSIFICATION:
        return ClassificationTally(name, settings.confidence, reference=other)
    if target.task is Task.EMBEDDING:
        return EmbeddingTally(name, settings.confidence, other)
    if setup.protocol.kind in _UNALIGNED:
        raise DataError(f"the protocol {setup.protocol.kind.value} measures classifiers and embeddings only")
    if target.task is Task.DETECTION:
        circular = setup.protocol.kind in _CIRCULAR
        return DetectionTally(
            target.outputs, setup.image.size, circular, settings.box_score, settings.confidence, others
        )
    if setup.protocol.native:
        raise DataError("dense outputs are laid over each other pixel by pixel of the model: use --shift-at model")
    return DenseTally(name, target.channel_axis, _grid(setup, analysis), settings.confidence, other)


def _grid(setup: Setup, analysis: Analysis | None) -> Grid:
    """The output's grid: the analysis's exact lattice, else centres spread evenly over the input."""
    circular = setup.protocol.kind in _CIRCULAR
    size = setup.image.size
    for head in analysis.heads if analysis is not None else ():
        if head.output.raw == setup.target.outputs[0] and len(head.lattice) == 2:
            strides = float(head.lattice[0].stride), float(head.lattice[1].stride)
            offsets = float(head.lattice[0].offset), float(head.lattice[1].offset)
            if min(strides) > 0:
                return Grid(strides, offsets, size, circular)
    high, wide = setup.target.grid
    even = size[0] / high, size[1] / wide
    return Grid(even, ((even[0] - 1) / 2, (even[1] - 1) / 2), size, circular)
