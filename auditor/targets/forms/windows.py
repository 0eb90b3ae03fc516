"""The forms of pools and convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from auditor.sampling.observed import ObservedNode
from auditor.targets.forms.form import Form, integer, integers, text

PADS = "Explicit `pads` for the size at hand; a Pad node in front of a MaxPool."
COUNTED = "A depthwise convolution of ones, and a product with the constant map 1/count."
_CROPS = "Pad, one crop per tap and axis, and Max."


@dataclass(frozen=True, slots=True)
class SlidingAxis:
    """One spatial axis under a window. ``size`` is None where it is open or not known."""

    size: int | None
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int

    @property
    def reach(self) -> int:
        """Input samples under the window, dilation included."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def same_total(self) -> int | None:
        """Samples that SAME padding adds; None where the size is open."""
        if self.size is None:
            return None
        return max((-(-self.size // self.stride) - 1) * self.stride + self.reach - self.size, 0)

    @property
    def has_ceil_window(self) -> bool:
        """Whether ceil_mode adds a window, which has to begin within the input or the padding in front."""
        if self.size is None:
            return self.stride > 1
        span = self.size + self.begin + self.end - self.reach
        extra = -(-span // self.stride)
        return span % self.stride != 0 and extra * self.stride < self.size + self.begin


def sliding(node: ObservedNode) -> tuple[SlidingAxis, ...]:
    """The axes under the window of a pool or a convolution; empty where its kernel is not known."""
    kernel = integers(node, "kernel_shape")
    if kernel is None and node.op in ("Conv", "ConvTranspose"):
        weights = node.input(1).shape
        kernel = None if weights is None else weights[2:]
    if not kernel:
        return ()
    rank = len(kernel)
    strides = integers(node, "strides") or (1,) * rank
    dilations = integers(node, "dilations") or (1,) * rank
    pads = integers(node, "pads") or (0,) * (2 * rank)
    if min(len(strides), len(dilations)) < rank or len(pads) < 2 * rank or min(strides) < 1:
        return ()
    data = node.input(0)
    sizes = [
        data.shape[2 + axis]
        if data.shape is not None and len(data.shape) == rank + 2 and 2 + axis not in data.open
        else None
        for axis in range(rank)
    ]
    if text(node, "auto_pad", "NOTSET") not in ("NOTSET", ""):
        pads = (0,) * (2 * rank)
    return tuple(
        SlidingAxis(sizes[axis], kernel[axis], strides[axis], dilations[axis], pads[axis], pads[rank + axis])
        for axis in range(rank)
    )


def auto_pad(node: ObservedNode) -> str:
    """``SAME_UPPER``, ``SAME_LOWER``, or empty for explicit pads and none."""
    mode = text(node, "auto_pad", "NOTSET")
    return mode if mode.startswith("SAME") else ""


def padded(node: ObservedNode) -> bool:
    """Whether explicit padding adds anything."""
    return any(axis.begin or axis.end for axis in sliding(node))


def asymmetric(node: ObservedNode) -> bool:
    """Whether explicit padding differs between the sides."""
    return any(axis.begin != axis.end for axis in sliding(node))


def ceils(node: ObservedNode) -> bool:
    """Whether ceil_mode adds a window."""
    return (
        integer(node, "ceil_mode", 0) != 0
        and not auto_pad(node)
        and any(axis.has_ceil_window for axis in sliding(node))
    )


def dilated(node: ObservedNode) -> bool:
    """Whether the window skips samples."""
    return any(axis.dilation > 1 and axis.kernel > 1 for axis in sliding(node))


def odd(node: ObservedNode) -> bool:
    """Whether SAME padding has a sample more on one side, at some size where the size is open."""
    for axis in sliding(node):
        total = axis.same_total
        if total is None:
            if axis.stride > 1 or axis.reach % 2 == 0:
                return True
        elif total % 2:
            return True
    return False


def fills(node: ObservedNode) -> bool:
    """Whether SAME padding adds anything."""
    return any(axis.same_total is None or axis.same_total > 0 for axis in sliding(node))


def off_centre(node: ObservedNode) -> bool:
    """Whether the padding in front is another than half the window, which a runtime may take it for."""
    upper = auto_pad(node) == "SAME_UPPER"
    for axis in sliding(node):
        total = axis.same_total
        if total is None:
            if axis.stride > 1 or axis.reach % 2 == 0:
                return True
            continue
        begin = total // 2 if upper else total - total // 2
        if begin != (axis.reach - 1) // 2:
            return True
    return False


def counts(node: ObservedNode) -> bool:
    """Whether an average counts padding that is there."""
    return integer(node, "count_include_pad", 0) != 0 and (padded(node) or bool(auto_pad(node) and fills(node)))


def flat(node: ObservedNode) -> bool:
    """Whether it slides over two axes; of others nothing was measured."""
    axes = sliding(node)
    return len(axes) == 2 or not axes


def _form(
    name: str,
    operators: Sequence[str],
    words: str,
    portable: str,
    test: Callable[[ObservedNode], bool],
    *,
    refines: bool = False,
) -> Form:
    return Form(name, frozenset(operators), words, portable, test, refines)


_AVERAGE, _MAX, _LP, _CONV, _UP = ["AveragePool"], ["MaxPool"], ["LpPool"], ["Conv"], ["ConvTranspose"]


def _explicit(node: ObservedNode) -> bool:
    return not auto_pad(node) and not dilated(node)


FORMS = (
    _form(
        "average-pool",
        _AVERAGE,
        "AveragePool without padding",
        "It is portable as it is.",
        lambda node: _explicit(node) and not padded(node) and not ceils(node),
    ),
    _form(
        "average-pool-padded",
        _AVERAGE,
        "AveragePool with even padding that is not counted",
        "It is portable as it is.",
        lambda node: _explicit(node) and padded(node) and not ceils(node) and not counts(node) and not asymmetric(node),
    ),
    _form(
        "average-pool-asymmetric",
        _AVERAGE,
        "AveragePool with uneven padding that is not counted",
        COUNTED,
        lambda node: _explicit(node) and not ceils(node) and not counts(node) and asymmetric(node),
    ),
    _form(
        "average-pool-counted",
        _AVERAGE,
        "AveragePool that counts its padding (count_include_pad=1)",
        COUNTED,
        lambda node: _explicit(node) and not ceils(node) and counts(node) and not asymmetric(node),
    ),
    _form(
        "average-pool-counted-asymmetric",
        _AVERAGE,
        "AveragePool that counts uneven padding (count_include_pad=1)",
        COUNTED,
        lambda node: _explicit(node) and not ceils(node) and counts(node) and asymmetric(node),
    ),
    _form(
        "average-pool-ceil",
        _AVERAGE,
        "AveragePool with ceil_mode=1 and without padding",
        COUNTED,
        lambda node: _explicit(node) and ceils(node) and not padded(node),
    ),
    _form(
        "average-pool-ceil-padded",
        _AVERAGE,
        "AveragePool with ceil_mode=1 and padding that is not counted",
        COUNTED,
        lambda node: _explicit(node) and ceils(node) and padded(node) and not counts(node),
    ),
    _form(
        "average-pool-ceil-counted",
        _AVERAGE,
        "AveragePool with ceil_mode=1 that counts its padding",
        COUNTED,
        lambda node: _explicit(node) and ceils(node) and counts(node),
    ),
    _form(
        "average-pool-ceil-counted-18",
        _AVERAGE,
        "AveragePool below opset 19 with ceil_mode=1 that counts its padding",
        COUNTED,
        lambda node: node.opset < 19 and _explicit(node) and ceils(node) and counts(node),
        refines=True,
    ),
    _form(
        "average-pool-same-upper",
        _AVERAGE,
        "AveragePool with auto_pad SAME_UPPER",
        COUNTED,
        lambda node: auto_pad(node) == "SAME_UPPER" and not dilated(node),
    ),
    _form(
        "average-pool-same-lower",
        _AVERAGE,
        "AveragePool with auto_pad SAME_LOWER",
        COUNTED,
        lambda node: auto_pad(node) == "SAME_LOWER" and not dilated(node),
    ),
    _form(
        "average-pool-same-counted",
        _AVERAGE,
        "AveragePool with SAME padding that is counted (count_include_pad=1)",
        COUNTED,
        lambda node: bool(auto_pad(node)) and counts(node),
    ),
    _form(
        "average-pool-same-fills",
        _AVERAGE,
        "AveragePool with SAME padding that is not counted",
        COUNTED,
        lambda node: bool(auto_pad(node)) and not counts(node) and fills(node),
        refines=True,
    ),
    _form(
        "average-pool-dilated",
        _AVERAGE,
        "dilated AveragePool (opset 19)",
        COUNTED,
        dilated,
    ),
    _form(
        "max-pool",
        _MAX,
        "MaxPool with even padding or none",
        "It is portable as it is.",
        lambda node: _explicit(node) and not asymmetric(node) and not ceils(node),
    ),
    _form(
        "max-pool-ceil",
        _MAX,
        "MaxPool with ceil_mode=1",
        "It is portable as it is.",
        lambda node: _explicit(node) and not asymmetric(node) and ceils(node),
    ),
    _form(
        "max-pool-asymmetric",
        _MAX,
        "MaxPool with uneven padding",
        PADS,
        lambda node: _explicit(node) and asymmetric(node),
    ),
    _form(
        "max-pool-padded-in-front",
        _MAX,
        "MaxPool with more padding in front than behind",
        PADS,
        lambda node: _explicit(node) and any(axis.begin > axis.end for axis in sliding(node)),
        refines=True,
    ),
    _form(
        "max-pool-same-upper",
        _MAX,
        "MaxPool with auto_pad SAME_UPPER",
        PADS,
        lambda node: auto_pad(node) == "SAME_UPPER" and not dilated(node),
    ),
    _form(
        "max-pool-same-lower",
        _MAX,
        "MaxPool with auto_pad SAME_LOWER",
        PADS,
        lambda node: auto_pad(node) == "SAME_LOWER" and not dilated(node),
    ),
    _form("max-pool-dilated", _MAX, "dilated MaxPool", _CROPS, dilated),
    _form(
        "max-pool-dilated-strided",
        _MAX,
        "dilated MaxPool with stride",
        _CROPS,
        lambda node: dilated(node) and any(axis.stride > 1 for axis in sliding(node)),
        refines=True,
    ),
    _form(
        "max-pool-indices",
        _MAX,
        "MaxPool whose indices are used",
        "Compute the indices behind the pool, or use the pool's values alone.",
        lambda node: node.results > 1,
    ),
    _form(
        "lp-pool",
        _LP,
        "LpPool of p=2 without padding",
        "Mul, AveragePool, Mul and Sqrt.",
        lambda node: integer(node, "p", 2) == 2 and not ceils(node) and not padded(node) and not auto_pad(node),
    ),
    _form(
        "lp-pool-padded",
        _LP,
        "LpPool of p=2 with padding",
        "Mul, a depthwise convolution of ones and Sqrt.",
        lambda node: integer(node, "p", 2) == 2 and not ceils(node) and (padded(node) or bool(auto_pad(node))),
    ),
    _form(
        "lp-pool-ceil",
        _LP,
        "LpPool of p=2 with ceil_mode=1",
        "Mul, a depthwise convolution of ones and Sqrt.",
        lambda node: integer(node, "p", 2) == 2 and ceils(node),
    ),
    _form(
        "lp-pool-other",
        _LP,
        "LpPool of another p than 2, or dilated",
        "Write it with Abs, Pow and AveragePool.",
        lambda node: integer(node, "p", 2) != 2 or dilated(node),
    ),
    _form(
        "pool-of-other-axes",
        ["AveragePool", "MaxPool", "LpPool"],
        "pool over another number of axes than two",
        "Reshape to four dimensions and pool over two axes.",
        lambda node: not flat(node),
    ),
    _form(
        "pool-same-odd-upper",
        [*_AVERAGE, *_MAX],
        "pool with a sample more of SAME_UPPER padding behind",
        PADS,
        lambda node: auto_pad(node) == "SAME_UPPER" and odd(node),
        refines=True,
    ),
    _form(
        "same-odd-lower",
        [*_AVERAGE, *_MAX, *_CONV],
        "SAME_LOWER padding with a sample more in front",
        PADS,
        lambda node: auto_pad(node) == "SAME_LOWER" and odd(node),
        refines=True,
    ),
    _form(
        "same-off-centre",
        [*_AVERAGE, *_MAX, *_CONV],
        "SAME padding whose front is not half the window",
        PADS,
        lambda node: bool(auto_pad(node)) and off_centre(node),
        refines=True,
    ),
    _form(
        "conv",
        _CONV,
        "Conv with explicit pads",
        "It is portable as it is.",
        lambda node: not auto_pad(node),
    ),
    _form(
        "conv-same-upper",
        _CONV,
        "Conv with auto_pad SAME_UPPER",
        PADS,
        lambda node: auto_pad(node) == "SAME_UPPER",
    ),
    _form(
        "conv-same-lower",
        _CONV,
        "Conv with auto_pad SAME_LOWER",
        PADS,
        lambda node: auto_pad(node) == "SAME_LOWER",
    ),
    _form(
        "conv-transpose",
        _UP,
        "ConvTranspose with explicit pads",
        "It is portable as it is.",
        lambda node: not auto_pad(node) and not integers(node, "output_shape"),
    ),
    _form(
        "conv-transpose-same-upper",
        _UP,
        "ConvTranspose with auto_pad SAME_UPPER",
        "Explicit pads and output_padding.",
        lambda node: auto_pad(node) == "SAME_UPPER" and not integers(node, "output_shape"),
    ),
    _form(
        "conv-transpose-same-lower",
        _UP,
        "ConvTranspose with auto_pad SAME_LOWER",
        "Explicit pads and output_padding.",
        lambda node: auto_pad(node) == "SAME_LOWER",
    ),
    _form(
        "conv-transpose-output-shape",
        _UP,
        "ConvTranspose with output_shape",
        "ConvTranspose without output_shape, and a Slice.",
        lambda node: bool(integers(node, "output_shape")),
    ),
)
