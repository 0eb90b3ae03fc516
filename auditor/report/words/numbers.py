"""How numbers are written, in one place for every format."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

# Strides in a hostile file multiply to integers of thousands of digits, which Python refuses to print.
_LARGEST_INTEGER = 2**63
MINUS = "\N{MINUS SIGN}"


def json_number(value: Fraction | float | int | None) -> int | float | None:
    """An integer where the value is one below 2^63, else a float of six decimals. None: unknown, or not finite."""
    if value is None:
        return None
    if not isinstance(value, float) and value.denominator == 1 and abs(value.numerator) < _LARGEST_INTEGER:
        return value.numerator
    try:
        number = round(float(value), 6)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def json_share(value: Fraction | float | None) -> int | float | None:
    """A share of 0 to 1 as :func:`json_number`, but never as 0 or 1 where it is neither."""
    if value is not None and 0 < value < 1:
        return json_number(min(max(float(value), 1e-6), 1 - 1e-6))
    return json_number(value)


def factor_text(value: Fraction | None) -> str:
    """A factor for people: ``2``, ``1.5``, ``4/3``; ``?`` where it is unknown. Signs of flipped axes stay."""
    if value is None:
        return "?"
    if value.denominator == 1:
        return _integer_text(value.numerator)
    decimal = f"{float(value):.4g}" if abs(value) < 10**9 else ""
    if decimal and Fraction(decimal) == value:
        return decimal
    return f"{_integer_text(value.numerator)}/{_integer_text(value.denominator)}"


def axes_text(values: Iterable[Fraction | None]) -> str:
    """Factors per axis for people: one number where all axes agree, else ``2x1``; empty without axes."""
    texts = [factor_text(value) for value in values]
    return texts[0] if texts and len(set(texts)) == 1 else "x".join(texts)


def shape_text(sizes: Iterable[int]) -> str:
    """Kernel sizes and strides: ``3x3``."""
    return "x".join(_integer_text(size) for size in sizes)


def percent_text(share: float | None) -> str:
    """A share of 0 to 1 as whole per cent, but never as 0 % or 100 % where it is neither; empty where it is unknown."""
    if share is None or not math.isfinite(share):
        return ""
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 <= share < 1:
        return ">99 %"
    return f"{share:.0%}".replace("%", " %")


def score_text(score: float) -> str:
    """A score of 0 to 1 with two decimals; ``-`` where there is none."""
    return f"{score:.2f}" if math.isfinite(score) else "-"


def signed_text(value: float) -> str:
    """A change with its sign and two decimals."""
    return f"{MINUS if value < 0 else '+'}{abs(value):.2f}"


def _integer_text(value: int) -> str:
    if abs(value) < 10**15:
        return str(value)
    return f"{'-' if value < 0 else ''}2^{math.log2(abs(value)):.4g}"


def number(value: float, unit: str) -> str:
    """A measured value with its unit: shares in per cent, the rest with three digits."""
    if math.isnan(value):
        return "-"
    if unit == "share":
        return f"{100 * value:.1f} %"
    return f"{value:.2f} px" if unit == "px" else f"{value:.4f}" if unit == "variance" else f"{value:.3f}"
