"""A model of another tool is recognised by its content, whatever it is called, and answered with the way to ONNX."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from auditor.onnxfile import FileProblem, ModelFileError, read_model
from auditor.onnxfile.sniff import disguise
from tests.onnxfile.build import SHARED, message, model


def archive(*names: str) -> bytes:
    """A ZIP archive as PyTorch writes one: stored, the payloads between the first name and the list at the end."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name in names:
            file.writestr(name, bytes(300))
    return out.getvalue()


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(8)


def arrays() -> bytes:
    out = io.BytesIO()
    np.savez(out, images=np.zeros((2, 8, 8, 3), np.uint8))
    return out.getvalue()


def flat_buffer(identifier: bytes) -> bytes:
    return struct.pack("<I", 28) + identifier + bytes(200)


FEATURE = message(1, b"image") + message(3, message(4, b"\x08\xe0\x01\x10\xe0\x01\x18\x14"))
PLACEHOLDER = message(1, b"input_1") + message(2, b"Placeholder") + message(5, message(1, b"dtype"))
BLOCK = b"\x08\x00\x10" + b"\xff" * 9 + b"\x01" + message(3, message(1, b"x"))
META = message(1, message(2, message(1, message(1, b"Conv2D"))) + message(4, b"serve")) + message(2, bytes(90))

FILES = {
    "TensorFlow Lite": (flat_buffer(b"TFL3"), "tf2onnx.convert --tflite"),
    "ORT": (flat_buffer(b"ORTM"), "give the .onnx file"),
    "Keras in HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(90), "tf2onnx.convert --keras"),
    "Keras archive": (archive("metadata.json", "config.json", "model.weights.h5"), "format='onnx'"),
    "state of PyTorch": (archive("net/data.pkl", "net/byteorder", "net/data/0", "net/version"), "torch.onnx.export("),
    "TorchScript": (archive("net/data.pkl", "net/code/__torch__.py", "net/constants.pkl"), "torch.onnx.export("),
    "older PyTorch": (pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2), "torch.onnx.export("),
    "pickled module": (pickle.dumps({"model": [1.0]}, protocol=4), "torch.onnx.export("),
    "exported program": (archive("net/archive_format", "net/models/model.json"), "torch.export.load('model.pt2')"),
    "older exported program": (archive("version", "serialized_exported_program.json"), "torch.export.load("),
    "safetensors": (safetensors(), "optimum-cli export onnx"),
    "TensorRT engine": (b"ftrt" + bytes(100), "give the .onnx file"),
    "older TensorRT engine": (b"ptrt" + bytes(100), "give the .onnx file"),
    "OpenVINO IR": (b'<?xml version="1.0"?>\n<net name="m" version="11">', "OpenVINO"),
    "Core ML": (b"\x08\x04" + message(2, message(1, FEATURE)) + message(500, bytes(90)), "Core ML"),
    "archive of Core ML": (archive("m.mlpackage/Data/com.apple.CoreML/model.mlmodel"), "Core ML"),
    "SavedModel graph": (b"\x08\x01" + message(2, META), "tf2onnx.convert --saved-model"),
    "TensorFlow graph": (message(1, PLACEHOLDER) + message(1, PLACEHOLDER), "tf2onnx.convert --graphdef"),
    "PaddlePaddle": (message(1, BLOCK), "paddle2onnx --model_dir"),
    "Flax": (b"\x81\xa6params\x81\xa5Dense\x81\xa4bias\xc4\x04" + bytes(4), "jax2onnx"),
    "ncnn": (b"7767517\n2 2\nInput            data             0 1 data\n", "ncnn"),
    "GGUF": (b"GGUF\x03\x00\x00\x00" + bytes(40), "llama.cpp"),
    "arrays": (arrays(), "--images"),
    "Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
    "web page": (b"<!DOCTYPE html><title>404</title>", "fetch it again"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("suffix", [".onnx", ".bin"])
def test_a_file_of_another_tool_is_named_and_answered_with_what_to_do(name: str, suffix: str, tmp_path: Path) -> None:
    content, advice = FILES[name]
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        read_model(path)
    assert advice in caught.value.reason
    assert caught.value.reason.isascii()
    assert "\n" not in caught.value.reason
    assert caught.value.kind not in (FileProblem.NOT_ONNX, FileProblem.CORRUPT, FileProblem.TRUNCATED)


def test_the_names_of_an_archive_are_found_behind_megabytes_of_weights(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("first", bytes(1 << 21))
        file.writestr("model.weights.h5", b"x")
    path = tmp_path / "net.keras"
    path.write_bytes(out.getvalue())
    with pytest.raises(ModelFileError, match="is a Keras model"):
        read_model(path)


def test_folders_of_other_tools_are_recognised(tmp_path: Path) -> None:
    saved, package, hub, empty = (tmp_path / name for name in ("saved", "net.mlpackage", "hub", "empty"))
    for folder in (saved, package / "Data" / "com.apple.CoreML", hub, empty):
        folder.mkdir(parents=True)
    (saved / "saved_model.pb").write_bytes(b"\x08\x01")
    (package / "Manifest.json").write_text("{}", encoding="utf-8")
    (hub / "config.json").write_text("{}", encoding="utf-8")
    (hub / "model.safetensors").write_bytes(safetensors())
    for folder, advice in (
        (saved, "tf2onnx.convert --saved-model"),
        (package, "Core ML"),
        (hub, "optimum-cli export onnx"),
        (empty, "give the path of an .onnx file"),
    ):
        with pytest.raises(ModelFileError) as caught:
            read_model(folder)
        assert advice in caught.value.reason


def test_an_address_is_to_be_downloaded_and_a_typing_error_is_not_taken_for_one() -> None:
    for name, address in (("https://example.com/net.onnx", True), ("no/such/net.onnx", False)):
        with pytest.raises(ModelFileError) as caught:
            read_model(Path(name))
        assert ("download the file first" in caught.value.reason) is address
        assert ("check the path" in caught.value.reason) is not address


@given(st.binary(max_size=60), st.integers(0, 300), st.text(max_size=60))
def test_no_onnx_model_is_taken_for_something_else(producer: bytes, version: int, name: str) -> None:
    made = model([helper.make_node("Relu", ["x"], ["y"], name=name)])
    made.ir_version = version
    made.producer_name = producer.decode("latin-1")
    written = made.SerializeToString()
    assert disguise(written[:512], written[-512:]) is None
    # Fields of a message may come in any order.
    assert disguise((message(7, made.graph.SerializeToString()) + message(2, producer))[:512]) is None


def test_no_model_of_the_shared_collection_is_taken_for_something_else() -> None:
    if not SHARED.is_dir():
        pytest.skip("needs the folder shared/models beside the checkout")
    for path in sorted(SHARED.glob("*/*.onnx")):
        if path.parent.name != "hostile":
            with path.open("rb") as file:
                assert disguise(file.read(512)) is None, path
