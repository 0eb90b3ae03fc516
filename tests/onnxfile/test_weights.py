"""Single tensors are read exactly, wherever and however the file holds them, and nothing outside the file is opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from auditor.onnxfile import FileProblem, ModelFileError, inline_values, read_model, read_tensor
from auditor.onnxfile.graph import Model, PayloadKind, Tensor
from tests.onnxfile.build import message, model, save, varint

LIMIT = 1 << 24


def written(tmp_path: Path, *tensors: TensorProto) -> Model:
    return read_model(save(tmp_path, model([], tensors)))


def only(read: Model) -> Tensor:
    (tensor,) = read.graph.initializers.values()
    return tensor


def elements(read: Model) -> NDArray[Any] | None:
    return read_tensor(read, only(read), LIMIT)


@pytest.mark.parametrize("count", [3, 5000])
@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(
    "dtype", ["f4", "f8", "f2", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?", "c8", "c16", "bfloat16"]
)
def test_every_numeric_type_is_read_raw_and_typed_small_and_large(
    dtype: str, raw: bool, count: int, tmp_path: Path
) -> None:
    bfloat16 = dtype == "bfloat16"
    numpy_dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16 if bfloat16 else dtype)
    # Multiples of a large odd number reach every byte and, in the signed types, the negative half.
    mixed = (np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).astype(np.int64)
    values = (mixed >> 48 if dtype == "f2" else mixed).astype(numpy_dtype)
    number = helper.np_dtype_to_tensor_dtype(numpy_dtype)
    read = written(tmp_path, helper.make_tensor("w", number, [count, 1], values.tobytes() if raw else values, raw))
    got = elements(read)
    assert got is not None
    assert got.dtype == (np.float32 if bfloat16 else numpy_dtype)
    np.testing.assert_array_equal(got, values.astype(got.dtype).reshape(count, 1))


@pytest.mark.parametrize(
    ("dtype", "number", "low", "high"),
    [
        (ml_dtypes.int4, TensorProto.INT4, -8, 7),
        (ml_dtypes.uint4, TensorProto.UINT4, 0, 15),
        (ml_dtypes.int2, TensorProto.INT2, -2, 1),
        (ml_dtypes.uint2, TensorProto.UINT2, 0, 3),
    ],
)
@pytest.mark.parametrize("count", [5, 10_001])
def test_integers_below_a_byte_are_unpacked(
    dtype: Any, number: int, low: int, high: int, count: int, tmp_path: Path
) -> None:
    values = np.random.default_rng(0).integers(low, high, count, endpoint=True)
    got = elements(written(tmp_path, helper.make_tensor("w", number, [count], values.astype(dtype))))
    assert got is not None
    np.testing.assert_array_equal(got, values)


def test_large_payloads_stay_in_the_file_and_small_ones_come_along(tmp_path: Path) -> None:
    large = helper.make_tensor("w", TensorProto.FLOAT, [300], np.zeros(300, "f4").tobytes(), raw=True)
    small = helper.make_tensor("s", TensorProto.FLOAT, [2], [0.5, 2.0])
    shape = helper.make_tensor("i", TensorProto.INT64, [8000], np.arange(8000).tobytes(), raw=True)
    read = written(tmp_path, large, small, shape)
    kinds = {name: tensor.payload.kind for name, tensor in read.graph.initializers.items()}
    assert kinds == {"w": PayloadKind.IN_FILE, "s": PayloadKind.INLINE, "i": PayloadKind.INLINE}
    assert inline_values(read.graph.initializers["s"]) == (0.5, 2.0)
    assert inline_values(read.graph.initializers["i"]) == tuple(range(8000))
    assert inline_values(read.graph.initializers["w"]) is None


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?"])
def test_small_values_are_python_numbers(dtype: str, tmp_path: Path) -> None:
    values = np.array([[1, 0], [1, 1]], dtype)
    tensor = helper.make_tensor("w", helper.np_dtype_to_tensor_dtype(values.dtype), [2, 2], values)
    assert inline_values(only(written(tmp_path, tensor))) == (1, 0, 1, 1)


def test_small_bfloat16_values_are_python_numbers(tmp_path: Path) -> None:
    tensor = helper.make_tensor("w", TensorProto.BFLOAT16, [2], np.array([0.5, -3.0], ml_dtypes.bfloat16))
    assert inline_values(only(written(tmp_path, tensor))) == (0.5, -3.0)


@pytest.mark.parametrize("dims", [[3], [-1], [1 << 62, 1 << 62], [0, 1 << 62, 1 << 62], [5, 0], [2] * 40])
def test_a_shape_that_does_not_fit_the_bytes_gives_nothing(dims: list[int], tmp_path: Path) -> None:
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    del tensor.dims[:]
    tensor.dims.extend(dims)
    read = written(tmp_path, tensor)
    assert elements(read) is None
    assert inline_values(only(read)) is None


@pytest.mark.parametrize("count", [2, 3000])
def test_a_varint_payload_of_another_length_gives_nothing(count: int, tmp_path: Path) -> None:
    tensor = helper.make_tensor("w", TensorProto.INT64, [count], [1 << 40] * count)
    tensor.dims[0] += 1
    assert elements(written(tmp_path, tensor)) is None


@pytest.mark.parametrize("number", [0, TensorProto.STRING, TensorProto.FLOAT8E4M3FN, 999])
def test_types_without_numbers_give_nothing(number: int, tmp_path: Path) -> None:
    tensor = TensorProto(name="w", dims=[4], data_type=number, raw_data=b"abcd")
    assert elements(written(tmp_path, tensor)) is None


def test_stripped_weights_are_missing(tmp_path: Path) -> None:
    read = written(tmp_path, TensorProto(name="w", dims=[64, 3, 7, 7], data_type=1))
    assert only(read).payload.kind is PayloadKind.MISSING
    assert elements(read) is None


def test_a_tensor_over_the_byte_limit_is_not_read(tmp_path: Path) -> None:
    read = written(tmp_path, helper.make_tensor("w", TensorProto.FLOAT, [300], [1.0] * 300))
    assert read_tensor(read, only(read), 1199) is None
    assert read_tensor(read, only(read), 1200) is not None


def test_elements_written_one_by_one_or_in_two_packs_are_joined(tmp_path: Path) -> None:
    header = b"\x08\x04" + b"\x10\x07" + message(8, b"w")
    single = b"".join(b"\x38" + varint(value) for value in (5, -6))
    packed = message(7, varint(7) + varint(1 << 50))
    read = read_model(save(tmp_path, b"\x08\x08" + message(7, message(5, header + single + packed))))
    assert inline_values(only(read)) == (5, -6, 7, 1 << 50)


def test_many_elements_written_one_by_one_are_left_out(tmp_path: Path) -> None:
    header = b"\x08" + varint(20_000) + b"\x10\x01" + message(8, b"w")
    read = read_model(save(tmp_path, b"\x08\x08" + message(7, message(5, header + b"\x25\0\0\x80\x3f" * 20_000))))
    assert only(read).payload.kind is PayloadKind.MISSING


def test_a_weight_inside_a_sub_graph_and_a_constant_is_found_in_the_file(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(40, 40)).astype("f4")
    constant = helper.make_node(
        "Constant", [], ["k"], value=helper.make_tensor("", 1, [40, 40], values.tobytes(), raw=True)
    )
    body = helper.make_graph([constant], "b", [], [])
    node = helper.make_node("If", ["c"], ["y"], then_branch=body)
    read = read_model(save(tmp_path, model([constant, node])))
    branch = read.graph.nodes[1].attributes["then_branch"]
    for found in (read.graph.nodes[0], branch.nodes[0]):  # type: ignore[union-attr]
        tensor = found.attributes["value"]
        assert isinstance(tensor, Tensor)
        assert tensor.payload.kind is PayloadKind.IN_FILE
        np.testing.assert_array_equal(read_tensor(read, tensor, LIMIT), values)


def test_a_file_that_changed_since_is_an_error_not_wrong_numbers(tmp_path: Path) -> None:
    read = written(tmp_path, helper.make_tensor("w", TensorProto.FLOAT, [300], [1.0] * 300))
    with read.source.open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelFileError) as caught:
        elements(read)
    assert caught.value.kind is FileProblem.UNREADABLE
    read.source.unlink()
    with pytest.raises(ModelFileError):
        elements(read)


def external(location: str, offset: str, length: str) -> ModelProto:
    tensor = TensorProto(name="w", dims=[1 << 20, 768], data_type=1, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=value)
    return model([], [tensor])


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [("4096", "12", (4096, 12)), ("-1", "0", (-1, 0)), ("x", "1e9", (-1, -1)), ("9" * 5000, "²", (-1, -1))],
)
def test_external_data_is_described_and_never_trusted(
    offset: str, length: str, expected: tuple[int, int], tmp_path: Path
) -> None:
    read = read_model(save(tmp_path, external("../../etc/passwd", offset, length)))
    payload = only(read).payload
    assert payload.kind is PayloadKind.EXTERNAL
    assert payload.location == "../../etc/passwd"
    assert (payload.offset, payload.length) == expected
    assert elements(read) is None


def test_bytes_beside_external_data_are_not_used(tmp_path: Path) -> None:
    proto = external("weights.bin", "0", "4")
    proto.graph.initializer[0].raw_data = bytes(4)
    read = read_model(save(tmp_path, proto))
    assert only(read).payload.kind is PayloadKind.EXTERNAL
    assert elements(read) is None


OPENED = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from pathlib import Path
from auditor.onnxfile import read_model, read_tensor
model = read_model(Path(sys.argv[1]))
assert read_tensor(model, model.graph.initializers["w"], 1 << 40) is None
assert any(path.endswith("model.onnx") for path in opened), opened
print([path for path in opened if path.endswith("weights.bin")])
"""


def test_three_gigabytes_of_external_data_are_never_opened(tmp_path: Path) -> None:
    path = save(tmp_path, external("weights.bin", "0", str(3 << 30)))
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(3 << 30)
    command = [sys.executable, "-c", OPENED, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert result.stdout.strip() == "[]"
