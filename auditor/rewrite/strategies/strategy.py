"""What every strategy offers, and the reasons that several of them share."""

from __future__ import annotations

from typing import Protocol

from auditor.rewrite.graph.cost import Cost
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.result import Options
from auditor.sampling.result import Site, SiteKind

PATCHES = {
    SiteKind.PATCH_EMBEDDING: "patches do not overlap by design: train with overlapping patches (a convolutional stem)",
    SiteKind.PHASE_TO_CHANNEL: "all phases are kept as channels: train with a strided convolution behind a blur",
    SiteKind.FRAMES: "the hop of a spectrogram is no sampling of a picture: choose a smaller hop",
    SiteKind.GATHER: "rows picked by index cannot be told from a lookup",
}
"""Parts of the names of what stands in front of an operator for it alone, of what joins its phases, of what chooses a
window of the picture, of tensors on which phases stand between each other, of weights with a blur in them, and the
last word of the name of a blur.
"""


class Applied(Protocol):
    """A strategy. Both methods see the graph as edited so far."""

    def refusal(self, editor: GraphEditor, site: Site, options: Options) -> str | None:
        """Why the strategy does not apply at the site, in one line without text of the model; None where it does."""
        ...

    def rewrite(self, editor: GraphEditor, site: Site, options: Options) -> tuple[Site, ...]:
        """Edit the graph at the site. Returns the sites that were rewritten together."""
        ...

    def cost(self, editor: GraphEditor, site: Site, options: Options) -> Cost:
        """What the rewrite adds, predicted before it is done."""
        ...


class AppliedToInput(Protocol):
    """A strategy for the whole model, at its input."""

    def refusal(self, editor: GraphEditor, options: Options) -> str | None:
        """Why the strategy does not apply, in one line without text of the model; None where it does."""
        ...

    def rewrite(self, editor: GraphEditor, options: Options) -> None:
        """Edit the graph."""
        ...

    def cost(self, editor: GraphEditor, options: Options) -> Cost:
        """What the rewrite adds, predicted before it is done."""
        ...
