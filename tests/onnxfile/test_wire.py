"""The wire format is walked as protobuf defines it."""

from __future__ import annotations

from io import FileIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import AttributeProto

from auditor.onnxfile.wire import WINDOW, BudgetError, Fields, FileBytes, WireError, signed, varint, varints
from tests.onnxfile.build import message
from tests.onnxfile.build import varint as encoded


@given(st.integers(-(2**63), 2**63 - 1))
def test_varints_are_read_as_protobuf_writes_them(value: int) -> None:
    data = AttributeProto(i=value).SerializeToString()[1:]
    assert data == encoded(value)
    number, stop = varint(data, 0, len(data))
    assert (signed(number), stop) == (value, len(data))


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_packed_varints_are_read_in_order(values: list[int]) -> None:
    assert varints(b"".join(map(encoded, values))) == tuple(values)


@pytest.mark.parametrize(
    ("data", "overrun"),
    [
        (b"\x08", True),
        (b"\x0a", True),
        (b"\x0a\x05abc", True),
        (b"\x0d\x00\x00", True),
        (b"\x09\x00", True),
        (b"\x80", True),
        (b"\x08" + b"\x80" * 11, False),
        (b"\x00\x00", False),
        (b"\x0b", False),
        (b"\x0f\x00", False),
        (b"\xff\xff\xff\xff\xff\x0f\x00", False),
        (b"\x0a" + encoded(2**64 - 1) + b"x", True),
    ],
)
def test_malformed_fields_are_refused(data: bytes, overrun: bool) -> None:
    with pytest.raises(WireError) as caught:
        list(Fields(100).of(data, 0, len(data)))
    assert caught.value.overrun is overrun


def test_a_file_is_read_like_the_bytes_in_it_across_windows(tmp_path: Path) -> None:
    data = bytes((i * i) % 251 for i in range(3 * WINDOW))
    path = tmp_path / "data"
    path.write_bytes(data)
    with FileIO(path) as file:
        found = FileBytes(file, len(data), 1 << 30)
        for start, stop in (
            (0, 5),
            (WINDOW - 2, WINDOW + 2),
            (10, 2 * WINDOW + 50),
            (7, 7),
            (3 * WINDOW - 1, 3 * WINDOW),
        ):
            assert found[start:stop] == data[start:stop]
            assert found[start] == data[start]


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(4 * WINDOW))
    with FileIO(path) as file:
        found = FileBytes(file, 4 * WINDOW, 1 << 30)
        assert found[0] == 0
        with path.open("r+b") as other:
            other.truncate(10)
        with pytest.raises(WireError):
            found[3 * WINDOW : 3 * WINDOW + 1]


def test_slices_count_against_the_budget_and_fields_against_theirs(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(100))
    with FileIO(path) as file:
        found = FileBytes(file, 100, 50)
        found[0:50]
        with pytest.raises(BudgetError):
            found[0:1]
    fields = Fields(2)
    assert len(list(fields.of(message(1, b"a") + message(2, b"b"), 0, 6))) == 2
    with pytest.raises(BudgetError):
        fields.charge(1)
