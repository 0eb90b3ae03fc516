"""What operators cost in onnxruntime on one core, in multiply-adds of a matrix product.

Medians of `scripts/lowering_cost.py` on maps of 3 to 256 channels, rounded: they tell a form that costs the same from
one that costs several times as much, and no more.
"""

from __future__ import annotations

from math import prod

from auditor.targets.forms.resize_facts import ResizeFacts

MOST = 1.5
"""What a lowered node may cost at most, as a factor of the node."""

ELEMENT = 16.0
"""An element that is copied, padded or multiplied."""

TAP = 15.0
"""A tap of a depthwise convolution."""

MAXIMUM = 150.0
AVERAGE = 250.0
"""An output of a pool, whatever its window."""

PICKED = 100.0
"""An output of a pool over single samples."""

POWER = 1500.0
"""A tap of an LpPool."""

GATHERED = 30.0
"""An element that is taken out of its order."""

PHASE_TAP = 50.0
"""A tap of a convolution whose outputs are phases, however many, with what puts them side by side."""

_ANTIALIASED_TAP = 22.0
_LINEAR = 80.0
_CUBIC = 15000.0
_NEAREST = 100.0
_NODE = 100_000.0  # whatever its size


def ratio(after: float, before: float, channels: int) -> float:
    """The predicted ratio of times of two prices per channel."""
    return (after * channels + _NODE) / (before * channels + _NODE)


def products(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Per channel: a product of the columns, then one of the rows."""
    (height, width), (rows, columns) = before, after
    return float(height * width * columns + height * rows * columns)


def resize(facts: ResizeFacts, shape: tuple[int, ...], result: tuple[int, ...]) -> float:
    """A Resize as it is, per channel."""
    samples = prod(result[2:])
    if facts.mode == "nearest":
        return _NEAREST * samples
    if not facts.antialias:
        return (_LINEAR if facts.mode == "linear" else _CUBIC) * samples
    reach = 1 if facts.mode == "linear" else 2
    taps = [2 * reach * max(n / m, 1.0) if n != m else 0.0 for n, m in zip(shape[2:], result[2:], strict=True)]
    # The columns first, on all rows.
    rows = shape[2] if len(shape) > 3 else 1
    across = taps[-1] * rows * result[-1]
    down = taps[0] * samples if len(taps) > 1 else 0.0
    return max(_ANTIALIASED_TAP * (across + down), ELEMENT * samples)


def depthwise(lengths: tuple[int, ...], factors: tuple[int, ...], samples: int, *, separable: bool) -> float:
    """A strided depthwise convolution, per channel, dense or one axis after the other (the first axis first)."""
    if not separable or len(lengths) < 2:
        return TAP * prod(lengths) * samples
    return TAP * (lengths[0] * factors[1] + lengths[1]) * samples


def padded(sizes: tuple[int, ...], begin: tuple[int, ...], end: tuple[int, ...]) -> float:
    """A Pad, per channel; nothing where it adds nothing."""
    if not any((*begin, *end)):
        return 0.0
    return ELEMENT * prod(n + b + e for n, b, e in zip(sizes, begin, end, strict=True))


def decimation(sizes: tuple[int, ...], result: tuple[int, ...], *, cropped: bool) -> float:
    """A crop and a MaxPool over single samples, per channel."""
    return PICKED * prod(result) + (ELEMENT * prod(sizes) if cropped else 0.0)
