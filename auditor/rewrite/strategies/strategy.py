"""What every strategy offers, and the reasons that several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from auditor.rewrite.graph.parts import PREFIX, Part
from auditor.rewrite.graph.surgery import Surgeon
from auditor.rewrite.result import Options
from auditor.sampling.result import Site, SiteKind

IN_A_FUNCTION = "it stands in a local function, whose nodes are not edited: give --inline"
IN_A_SUB_GRAPH = "it stands in a sub-graph, whose nodes are not edited"
OWN = "an earlier run of this program rewrote it"
INTEGER = "it computes on integers: rewrite the model before it is quantised"
UNTRACKED = "the size of its input is not known"
PATCHES = {
    SiteKind.PATCH_EMBEDDING: "patches do not overlap by design: train with overlapping patches (a convolutional stem)",
    SiteKind.PHASE_TO_CHANNEL: "all phases are kept as channels: train with a strided convolution behind a blur",
    SiteKind.FRAMES: "the hop of a spectrogram is no sampling of a picture: choose a smaller hop",
    SiteKind.GATHER: "rows picked by index cannot be told from a lookup",
}
FRONT = "/front/"
PHASES = "/phases"
WINDOW = "/window"
DILATED = "/dilated"
MERGED = "/merged/"
BLURRED = "blur"
"""Parts of the names of what stands in front of an operator for it alone, of what joins its phases, of what chooses a
window of the picture, of tensors on which phases stand between each other, of weights with a blur in them, and the
last word of the name of a blur.
"""

_INTEGER_OPS = ("QLinear", "NhwcMaxPool", "ConvInteger")


@dataclass(frozen=True, slots=True)
class Cost:
    """Multiply-adds that a rewrite adds (None: not known), and the elements of the largest tensor that it makes.

    ``note`` says how it is done, where there are several ways.
    """

    added: int | None
    elements: int
    note: str = ""


class Applied(Protocol):
    """A strategy. Both methods see the graph as edited so far."""

    def refusal(self, surgeon: Surgeon, site: Site, options: Options) -> str | None:
        """Why the strategy does not apply at the site, in one line without text of the model; None where it does."""
        ...

    def rewrite(self, surgeon: Surgeon, site: Site, options: Options) -> tuple[Site, ...]:
        """Edit the graph at the site. Returns the sites that were rewritten together."""
        ...

    def cost(self, surgeon: Surgeon, site: Site, options: Options) -> Cost:
        """What the rewrite adds, predicted before it is done."""
        ...


class AppliedToInput(Protocol):
    """A strategy for the whole model, at its input."""

    def refusal(self, surgeon: Surgeon, options: Options) -> str | None:
        """Why the strategy does not apply, in one line without text of the model; None where it does."""
        ...

    def rewrite(self, surgeon: Surgeon, options: Options) -> None:
        """Edit the graph."""
        ...

    def cost(self, surgeon: Surgeon, options: Options) -> Cost:
        """What the rewrite adds, predicted before it is done."""
        ...


def has_phases(part: Part) -> bool:
    """Whether phases of a site begin at a node that an earlier rewrite made or changed."""
    if part.own:
        return part.name.endswith(PHASES)
    return any(name.startswith(PREFIX) and DILATED in name for name in part.outputs)


def common_refusal(surgeon: Surgeon, site: Site, *, blurred: bool = False) -> str | None:
    """Reasons that hold for every strategy; ``blurred``: for one that may go on where an earlier run put a blur."""
    part = surgeon.part(site)
    if part is None:
        return IN_A_FUNCTION if surgeon.model.functions else IN_A_SUB_GRAPH
    if _has_phases_behind(surgeon, part) or (_made_here(surgeon, part) and not (blurred and _blurs(part))):
        return OWN
    if part.op.startswith(_INTEGER_OPS):
        return INTEGER
    if part.inputs and surgeon.shape(part.inputs[0]) is None:
        return UNTRACKED
    return None


def _made_here(surgeon: Surgeon, part: Part) -> bool:
    """Whether an earlier rewrite made the node, or put a blur into its weights or in front of it."""
    producer = surgeon.producer(part.inputs[0]) if part.inputs else None
    in_front = producer is not None and producer.own and FRONT in producer.name
    return part.name.startswith(PREFIX) or _merged(part) or in_front


def _blurs(part: Part) -> bool:
    """Whether a node is a blur, or a convolution with one in its weights."""
    return _merged(part) or part.name.rpartition("/")[2].startswith(BLURRED)


def _merged(part: Part) -> bool:
    return any(name.startswith(PREFIX) and MERGED in name for name in part.inputs[1:2])


def _has_phases_behind(surgeon: Surgeon, part: Part) -> bool:
    readers = [consumer for tensor in part.outputs for consumer in surgeon.consumers(tensor)]
    return any(reader.own and reader.name.endswith(PHASES) for reader in readers)
