from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, ClassVar

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.codec import (
    Dimension,
    DocumentError,
    FloatOrNan,
    Scalar,
    builtins,
    convert,
    decode,
    encode,
    number,
    schema,
)
from auditor.text import ModelText


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf. ``name`` is what the model calls it; ``value`` is NaN where nothing was measured."""

    name: ModelText
    value: FloatOrNan = math.nan

    def __post_init__(self) -> None:
        if self.name.raw == "poison":
            raise ValueError("a leaf may not be called so")


class Tree(msgspec.Struct, frozen=True):
    """A tree.

    It has no roots. ``leaves`` hang on it.
    """

    unwritten: ClassVar[frozenset[str]] = frozenset({"seconds"})
    computed: ClassVar[tuple[str, ...]] = ("count",)

    leaves: tuple[Leaf, ...]
    colour: Colour = Colour.RED
    height: Fraction | None = None
    dims: tuple[Dimension, ...] = ()
    facts: Mapping[str, Scalar] = {}
    shares: Mapping[int, Fraction | None] = {}
    axes: frozenset[int] = frozenset()
    seconds: float = 0.0

    @property
    def count(self) -> int:
        """How many leaves there are."""
        return len(self.leaves)


FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
NAMES = st.text(max_size=8).filter(lambda name: name != "poison").map(ModelText)
FRACTIONS = st.fractions(min_value=-1000, max_value=1000, max_denominator=400)
TREES = st.builds(
    Tree,
    leaves=st.lists(st.builds(Leaf, NAMES, st.integers(-50, 50).map(lambda n: n / 8))).map(tuple),
    colour=st.sampled_from(Colour),
    height=st.none() | FRACTIONS,
    dims=st.lists(st.none() | st.integers(0, 2**62) | NAMES).map(tuple),
    facts=st.dictionaries(st.text(max_size=4), st.integers(-9, 9) | st.sampled_from([0.5, 1e-9]) | st.text(max_size=4)),
    shares=st.dictionaries(st.integers(0, 9), st.none() | FRACTIONS),
    axes=st.frozensets(st.integers(0, 9)),
)


@given(TREES)
def test_what_is_written_reads_as_an_equal_value(tree: Tree) -> None:
    assert decode(encode(tree), Tree) == tree


@given(TREES)
def test_what_is_written_follows_the_schema_of_the_class(tree: Tree) -> None:
    jsonschema.validate(json.loads(encode(tree)), schema(Tree))


def test_nan_and_infinity_are_written_as_null_and_null_is_read_as_nan() -> None:
    for value in (math.nan, math.inf, -math.inf):
        written = encode(Leaf(ModelText("a"), value))
        assert json.loads(written)["value"] is None
        assert math.isnan(decode(written, Leaf).value)
    assert decode(encode(Leaf(ModelText("a"), 0.5)), Leaf).value == 0.5


def test_a_document_is_ascii_with_sorted_keys_and_keeps_every_name() -> None:
    written = encode(Leaf(ModelText("\ud800\x1b##[é")))
    assert written.isascii()
    assert "##[" not in written
    assert list(json.loads(written)) == ["name", "value"]
    assert decode(written, Leaf).name == ModelText("\ud800\x1b##[é")


def test_a_field_that_is_not_written_and_a_computed_one_are_both_left_to_the_class() -> None:
    written = json.loads(encode(Tree((Leaf(ModelText("a")),), seconds=3.0)))
    assert written["count"] == 1
    assert "seconds" not in written
    assert convert(written | {"count": 7, "seconds": 5.0}, Tree).count == 1


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Fraction(4, 2), 2),
        (Fraction(4, 3), 1.333333),
        (1.23456789, 1.234568),
        (1.23456789e-9, 1.23457e-09),
        (1 - 1e-9, 0.999999),
        (1.0, 1.0),
        (0.0, 0.0),
        pytest.param(Fraction(10**5000), None, id="fraction"),
        (Fraction(2**63), float(2**63)),
        pytest.param(10**5000, None, id="integer"),
    ],
)
def test_numbers_have_six_decimals(value: Fraction | float, written: float | None) -> None:
    assert number(value) == written


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("leaves", 3, "$.leaves: expected `array`, got `int`"),
        ("leaves", [{"value": 1}], "$.leaves[0]: object missing required field `name`"),
        ("leaves", [{"name": 1}], "$.leaves[0].name: expected `str`, got `int`"),
        ("leaves", [{"name": "a"}, {"name": "b", "value": "x"}], "$.leaves[1].value: expected a number, got `str`"),
        ("leaves", [{"name": "poison"}], "$.leaves[0]: a leaf may not be called so"),
        ("colour", "green", "$.colour: invalid enum value 'green'"),
        ("height", "tall", "$.height: expected a number, got `str`"),
        ("height", True, "$.height: expected a number, got `bool`"),
        ("dims", [1, 2.5], "$.dims[1]: expected `int`, `str` or `null`, got `float`"),
        ("facts", {"a": []}, "$.facts[...]: expected a number, got `list`"),
        ("axes", ["x"], "$.axes[0]: expected `int`, got `str`"),
        ("colour", "\x1b[2J\n##[x", "$.colour: invalid enum value"),
    ],
)
def test_an_error_is_one_line_that_begins_with_the_place(member: str, value: object, message: str) -> None:
    document: dict[str, Any] = builtins(Tree((Leaf(ModelText("a")),)))
    assert convert(document, Tree).count == 1
    with pytest.raises(DocumentError) as caught:
        convert(document | {member: value}, Tree)
    assert str(caught.value).startswith(message)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("document", ["", "{", "[" * 100_000, '{"a": NaN}', b"\xff\xfe\xfd"])
def test_what_is_not_json_is_refused_in_one_line(document: str | bytes) -> None:
    with pytest.raises(DocumentError, match=r"^is not valid JSON: [^\n]*$"):
        decode(document, Tree)


@pytest.mark.parametrize("document", ['{"\\ud800": 1}', '{"colour": "\\ud800"}'])
def test_half_a_character_where_a_word_is_read_is_refused_in_one_line(document: str) -> None:
    with pytest.raises(DocumentError, match=r"^\$: a name or a word holds half a character"):
        decode(document, Tree)


def test_the_schema_describes_members_in_the_words_of_the_docstrings() -> None:
    definitions = schema(Tree)["$defs"]
    assert definitions["Tree"]["description"] == "A tree. It has no roots."
    assert definitions["Tree"]["properties"]["leaves"]["description"] == "`leaves` hang on it."
    assert definitions["Leaf"]["properties"]["name"]["description"] == "`name` is what the model calls it."
    assert definitions["Leaf"]["properties"]["value"]["type"] == ["number", "null"]
    assert "seconds" not in definitions["Tree"]["properties"]
    assert definitions["Tree"]["required"] == sorted(definitions["Tree"]["properties"])


def test_the_schema_of_what_a_person_writes_asks_only_for_what_has_no_default() -> None:
    assert schema(Tree, whole=False)["$defs"]["Tree"]["required"] == ["leaves"]
    jsonschema.validate({"leaves": []}, schema(Tree, whole=False))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"leaves": []}, schema(Tree))


def test_paths_are_written_with_slashes_and_what_cannot_be_written_is_refused() -> None:
    assert builtins({"path": PurePosixPath("a/b")}) == {"path": "a/b"}
    with pytest.raises(TypeError, match="no way to write a object"):
        builtins(object())


@dataclass(frozen=True)
class Unsaid:
    values: list[int] = field(default_factory=list)


def test_a_class_without_a_docstring_has_a_schema_too() -> None:
    jsonschema.validate(json.loads(encode(Unsaid([1]))), schema(Unsaid))


class Knot:
    """No class that a document could describe."""


@dataclass(frozen=True)
class Rope:
    """A rope."""

    length: int
    knot: Knot | None = None


def test_a_class_with_a_field_that_no_document_can_hold_is_refused_when_read_written_and_described() -> None:
    assert encode(Rope(3)) == encode({"length": 3, "knot": None})
    assert convert({"length": 3}, Rope) == Rope(3)
    for refused in (
        lambda: convert({"length": 3, "knot": "tight"}, Rope),
        lambda: encode(Rope(3, Knot())),
        lambda: schema(Rope),
    ):
        with pytest.raises(TypeError, match=r"^documents have no way to write a Knot$"):
            refused()
    with pytest.raises(DocumentError, match=r"^\$\.length: expected `int`, got `str`$"):
        convert({"length": "long", "knot": None}, Rope)
