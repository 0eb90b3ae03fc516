"""Every value that a report can hold survives its JSON document, and follows the published schema."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from enum import Enum
from fractions import Fraction
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from auditor.codec import Dimension, FloatOrNan, Scalar, builtins, convert, decode, encode
from auditor.facts.comparison import Comparison
from auditor.facts.report import Report
from auditor.report.json.schema import comparison_schema, report_schema
from auditor.text import ModelText
from tests.report.evil import evil_report

# Numbers that six decimals hold, so that what is read is what was written.
FLOATS = st.integers(-64, 64).map(lambda number: number / 64) | st.sampled_from([1e-7, 1234.5])
NAMES = st.text(max_size=3).map(ModelText)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=3),
    int: st.integers(0, 2**40),
    bool: st.booleans(),
    float: FLOATS,
    FloatOrNan: FLOATS,
    Scalar: FLOATS | st.integers(-9, 9) | st.text(max_size=3),
    Dimension: st.none() | st.integers(0, 9) | NAMES,
    Fraction: st.fractions(-99, 99, max_denominator=99),
    ModelText: NAMES,
    Any: st.none() | st.booleans() | st.lists(st.integers(0, 3), max_size=2) | st.text(max_size=3),
}
# Of numbers that are not known; such a value is not equal to itself.
UNKNOWN = SIMPLE | {FloatOrNan: FLOATS | st.sampled_from([math.nan, math.inf, -math.inf])}


def values(kind: Any, simple: Mapping[Any, st.SearchStrategy[Any]] = SIMPLE) -> st.SearchStrategy[Any]:
    """Values of a type, made from the annotations of its classes alone."""
    if kind in simple:
        return simple[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return st.one_of(*(st.none() if part is type(None) else values(part, simple) for part in arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0], simple), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(part, simple) for part in arguments))
    if origin is frozenset:
        return st.frozensets(values(arguments[0], simple), max_size=2)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is Mapping:
        return st.dictionaries(values(arguments[0], simple), values(arguments[1], simple), max_size=2)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    if issubclass(kind, Mapping):
        return st.just({})
    hints = {
        name: hint
        for name, hint in get_type_hints(kind).items()
        if name not in getattr(kind, "unwritten", ()) and get_origin(hint) is not ClassVar and hint is not ClassVar
    }
    return st.deferred(lambda: st.builds(kind, **{name: values(hint, simple) for name, hint in hints.items()}))


PROPERTY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@PROPERTY
@given(values(Report))
def test_a_report_is_read_as_it_was_written(report: Report) -> None:
    assert decode(encode(report), Report) == report


@PROPERTY
@given(values(Comparison))
def test_a_comparison_is_read_as_it_was_written(comparison: Comparison) -> None:
    assert decode(encode(comparison), Comparison) == comparison


VALIDATORS = {
    kind: jsonschema.Draft202012Validator(schema())
    for kind, schema in ((Report, report_schema), (Comparison, comparison_schema))
}


@PROPERTY
@given(st.one_of(values(Report, UNKNOWN), values(Comparison, UNKNOWN)))
def test_every_document_follows_its_schema_and_is_written_the_same_again(value: Report | Comparison) -> None:
    document = encode(value)
    VALIDATORS[type(value)].validate(json.loads(document))
    assert encode(decode(document, type(value))) == document


def test_a_member_that_is_missing_or_more_or_of_another_type_does_not_follow_the_schema() -> None:
    document = builtins(evil_report("net"))
    VALIDATORS[Report].validate(document)
    (finding,) = document["models"][0]["findings"]
    for damaged in (
        {name: value for name, value in finding.items() if name != "severity"},
        finding | {"more": 1},
        finding | {"severity": "grave"},
        finding | {"message": None},
    ):
        document["models"][0]["findings"] = [damaged]
        with pytest.raises(jsonschema.ValidationError):
            VALIDATORS[Report].validate(document)


def test_the_time_that_a_measurement_took_and_the_tensors_of_the_network_are_left_out() -> None:
    report = evil_report("net")
    (model,) = report.models
    assert model.verification is not None
    assert model.verification.seconds > 0
    again = convert(builtins(report), Report).models[0]
    assert again.verification is not None
    assert again.verification.seconds == 0
    assert replace(again.verification, seconds=1.0).data == model.verification.data
