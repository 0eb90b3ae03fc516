"""The forms of pools and convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from auditor.sampling.observed import ObservedNode
from auditor.targets.forms.form import Form, integer, integers
from auditor.targets.forms.window_facts import (
    asymmetric,
    auto_pad,
    ceils,
    counts,
    dilated,
    fills,
    odd,
    off_centre,
    padded,
    sliding,
)

PADS = "Explicit `pads` for the size at hand; a Pad node in front of a MaxPool."
COUNTED = "A depthwise convolution of ones, and a product with the constant map 1/count."
_CROPS = "Pad, one crop per tap and axis, and Max."


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
        "pool-1d",
        ["AveragePool", "MaxPool", "LpPool"],
        "pool over one axis",
        "Reshape to four dimensions and pool over two axes.",
        lambda node: len(sliding(node)) == 1,
    ),
    _form(
        "pool-3d",
        ["AveragePool", "MaxPool", "LpPool"],
        "pool over three axes or more",
        "Reshape to four dimensions and pool over two axes, then over the third.",
        lambda node: len(sliding(node)) > 2,
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
        lambda node: auto_pad(node) == "SAME_LOWER" and not integers(node, "output_shape"),
    ),
    _form(
        "conv-transpose-output-shape",
        _UP,
        "ConvTranspose with output_shape",
        "ConvTranspose without output_shape, and a Slice.",
        lambda node: bool(integers(node, "output_shape")) and auto_pad(node) != "SAME_UPPER",
    ),
    _form(
        "conv-transpose-output-shape-upper",
        _UP,
        "ConvTranspose with output_shape and auto_pad SAME_UPPER",
        "ConvTranspose with explicit pads.",
        lambda node: bool(integers(node, "output_shape")) and auto_pad(node) == "SAME_UPPER",
    ),
    _form(
        "global-lp-pool",
        ["GlobalLpPool"],
        "GlobalLpPool",
        "Mul, a sum over space and Sqrt.",
        lambda _: True,
    ),
)
