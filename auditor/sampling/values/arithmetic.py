"""Elementwise operators with numpy-style broadcasting, in the arithmetic of C: integers wrap and divide toward zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from auditor.sampling.values.call import (
    Array,
    NotEvaluableError,
    Operator,
    ValueCall,
    broadcast,
    require_same_dtype,
    scalar_of,
)

_EXACT = 2.0**53


def _require(value: Array, kinds: str) -> None:
    if value.dtype.kind not in kinds:
        raise NotEvaluableError("an element type that the operator does not take")


def _pair(call: ValueCall, kinds: str) -> tuple[Array, Array]:
    left, right = call.array(0), call.array(1)
    _require(left, kinds)
    _require(right, kinds)
    if left.shape != right.shape:
        # Before opset 7 broadcasting was asked for by attributes and aligned from the left.
        if call.opset < 7:
            raise NotEvaluableError("broadcasting of an old opset")
        broadcast((left.shape, right.shape))
    return left, right


def _unary(function: Callable[[Array], Any], kinds: str) -> Callable[[ValueCall], Array]:
    def run(call: ValueCall) -> Array:
        value = call.array(0)
        _require(value, kinds)
        return np.asarray(function(value))

    return run


def _binary(function: Callable[[Array, Array], Any], kinds: str) -> Callable[[ValueCall], Array]:
    def run(call: ValueCall) -> Array:
        left, right = _pair(call, kinds)
        require_same_dtype(left, right)
        return np.asarray(function(left, right))

    return run


def _variadic(function: Callable[[Array, Array], Any], kinds: str) -> Callable[[ValueCall], Array]:
    def run(call: ValueCall) -> Array:
        values = call.arrays()
        _require(values[0], kinds)
        broadcast(value.shape for value in values)
        return np.asarray(reduce(function, values))

    return run


def truncated(dividend: Array, divisor: Array | int) -> Array:
    """Integer division toward zero; a zero divisor has no result."""
    if not np.all(divisor):
        raise NotEvaluableError("integer division by zero")
    quotient = dividend // divisor
    remainder = dividend - quotient * divisor
    return np.asarray(quotient + ((remainder != 0) & ((dividend < 0) != (divisor < 0))), dividend.dtype)


def _divide(left: Array, right: Array) -> Array:
    return truncated(left, right) if left.dtype.kind in "iu" else np.divide(left, right)


def _modulo(call: ValueCall) -> Array:
    left, right = _pair(call, "iuf")
    require_same_dtype(left, right)
    as_c = bool(call.integer("fmod", 0))
    if left.dtype.kind in "iu" and not np.all(right):
        raise NotEvaluableError("integer division by zero")
    return np.asarray(np.fmod(left, right) if as_c else np.mod(left, right))


def _power(call: ValueCall) -> Array:
    base, exponent = _pair(call, "iuf")
    if base.dtype.kind == "f":
        return np.asarray(np.power(base, exponent.astype(base.dtype)))
    result = np.asarray(np.power(base.astype(np.float64), exponent.astype(np.float64)))
    # Runtimes raise integers to a power in doubles: past their exact range the last digits differ.
    if not np.all(np.abs(result) <= _EXACT):
        raise NotEvaluableError("an integer power past 2**53")
    return result.astype(base.dtype)


def _mean(call: ValueCall) -> Array:
    total = _variadic(np.add, "f")(call)
    return np.asarray(total / total.dtype.type(len(call.inputs)))


def _clip(call: ValueCall) -> Array:
    value = call.array(0)
    _require(value, "iuf")
    if call.opset < 11:
        limits = np.finfo(value.dtype)
        low, high = call.number("min", float(limits.min)), call.number("max", float(limits.max))
        return np.asarray(np.minimum(np.maximum(value, value.dtype.type(low)), value.dtype.type(high)))
    for position, bound in ((1, np.maximum), (2, np.minimum)):
        limit = call.get(position)
        if limit is not None:
            require_same_dtype(value, limit)
            value = np.asarray(bound(value, value.dtype.type(scalar_of(limit))))
    return value


def _where(call: ValueCall) -> Array:
    condition, left, right = call.array(0), call.array(1), call.array(2)
    _require(condition, "b")
    require_same_dtype(left, right)
    broadcast((condition.shape, left.shape, right.shape))
    return np.where(condition, left, right)


def _is_infinite(call: ValueCall) -> Array:
    value = call.array(0)
    _require(value, "f")
    found = np.zeros(value.shape, np.bool_)
    if call.integer("detect_positive", 1):
        found |= value == np.inf
    if call.integer("detect_negative", 1):
        found |= value == -np.inf
    return found


def _bit_shift(call: ValueCall) -> Array:
    left, right = _pair(call, "u")
    require_same_dtype(left, right)
    if np.any(right >= left.dtype.itemsize * 8):
        raise NotEvaluableError("a shift past the width of the type")
    direction = call.text("direction", "")
    if direction not in ("LEFT", "RIGHT"):
        raise NotEvaluableError("no direction")
    return np.asarray(np.left_shift(left, right) if direction == "LEFT" else np.right_shift(left, right))


OPERATORS: Mapping[str, Operator] = {
    "Add": _binary(np.add, "iuf"),
    "Sub": _binary(np.subtract, "iuf"),
    "Mul": _binary(np.multiply, "iuf"),
    "Div": _binary(_divide, "iuf"),
    "Mod": _modulo,
    "Pow": _power,
    "Neg": _unary(np.negative, "if"),
    "Abs": _unary(np.abs, "iuf"),
    "Sign": _unary(np.sign, "iuf"),
    "Floor": _unary(np.floor, "f"),
    "Ceil": _unary(np.ceil, "f"),
    "Round": _unary(np.rint, "f"),
    "Sqrt": _unary(np.sqrt, "f"),
    "Exp": _unary(np.exp, "f"),
    "Log": _unary(np.log, "f"),
    "Reciprocal": _unary(np.reciprocal, "f"),
    "Min": _variadic(np.minimum, "iuf"),
    "Max": _variadic(np.maximum, "iuf"),
    "Sum": _variadic(np.add, "f"),
    "Mean": _mean,
    "Clip": _clip,
    "Where": _where,
    "Equal": _binary(np.equal, "biuf"),
    "Less": _binary(np.less, "iuf"),
    "Greater": _binary(np.greater, "iuf"),
    "LessOrEqual": _binary(np.less_equal, "iuf"),
    "GreaterOrEqual": _binary(np.greater_equal, "iuf"),
    "Not": _unary(np.logical_not, "b"),
    "And": _binary(np.logical_and, "b"),
    "Or": _binary(np.logical_or, "b"),
    "Xor": _binary(np.logical_xor, "b"),
    "IsInf": _is_infinite,
    "IsNaN": _unary(np.isnan, "f"),
    "BitShift": _bit_shift,
}
