"""How much a map ripples over a flat picture, in a sentence."""

from __future__ import annotations

from auditor.text import count_text
from auditor.verify.ripple import Ripple


def ripple_line(found: Ripple) -> str:
    """The sentence."""
    high, wide = found.period
    period = f"{high} samples" if high == wide else f"{high} x {wide} samples"
    share = f"{100 * found.share:.2g} %" if found.share >= 0.0001 else "less than 0.01 %"
    return (
        f"over a flat picture the map ripples by {share} of its range over {count_text(found.images, 'image')}, with a "
        f"period of {period}: what its upsampling leaves of a checkerboard"
    )
