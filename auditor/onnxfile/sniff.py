"""Recognises what a file or folder is when it is not an ONNX model, by its content, and says how to come by one.

Signatures: FlatBuffers identifiers stand at the fifth byte (TensorFlow Lite, ORT); HDF5, safetensors, GGUF and pickles
by their specifications; ``ptrt`` and ``ftrt`` are the tags of TensorRT plans; ZIP archives are told apart by the names
in them, which are not compressed. Protobuf files of other tools are told by the fields that they begin with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from auditor.onnxfile.errors import FileProblem, ModelFileError

_LFS = b"version https://git-lfs.github.com/"
_GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
_OPENVINO = rb"\s*(<\?xml[^>]*>\s*)?<net\b"
_MARKUP = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<body")
_TEXT_CONTROLS = frozenset(b"\t\n\r\f")
_LARGEST_HEADER = 100_000_000  # bytes of a safetensors header, by its specification

_RUN_ONLY = "which has no static audit: `verify`, --reference and `compare --pair` run it; give the .onnx file here"
_TORCH = "export it from PyTorch: torch.onnx.export(model, (torch.zeros(1, 3, 224, 224),), 'model.onnx', dynamo=True)"
_TF = "python -m tf2onnx.convert"


def _starts(*heads: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(heads)


def _identified(word: bytes) -> Callable[[bytes], bool]:
    """Whether a FlatBuffer has this file identifier; its root, which is written last, lies close to its start."""
    return lambda head: head[2:8] == b"\0\0" + word


def _safetensors(head: bytes) -> bool:
    return 2 <= int.from_bytes(head[:8], "little") <= _LARGEST_HEADER and head[8:9] == b"{"


def _flax(head: bytes) -> bool:
    """A MessagePack map whose first key is one of those of a Flax state."""
    return head[:1] in {bytes([0x80 + count]) for count in range(1, 16)} and head[1:8] in (b"\xa6params", b"\xa4step")


class _Signature(NamedTuple):
    """What tells a format by the first bytes of a file, and what to say of it."""

    matches: Callable[[bytes], bool]
    kind: FileProblem
    reason: str


# None of these can start an ONNX model.
_SIGNATURES = (
    _Signature(
        _starts(_LFS),
        FileProblem.LFS_POINTER,
        "is a Git LFS pointer, not the model itself; run `git lfs pull` to fetch it",
    ),
    _Signature(
        _identified(b"TFL3"),
        FileProblem.TFLITE,
        f"is a TensorFlow Lite model, {_RUN_ONLY}, or convert it: {_TF} --tflite model.tflite --output model.onnx",
    ),
    _Signature(
        lambda head: head.lstrip()[:1] == b"<" and re.match(_OPENVINO, head) is not None,
        FileProblem.OPENVINO_IR,
        f"is an OpenVINO model (IR), {_RUN_ONLY}",
    ),
    _Signature(
        lambda head: head.lstrip().lower().startswith(_MARKUP),
        FileProblem.HTML,
        "is a web page (HTML or XML), probably an error page saved by a download; fetch it again",
    ),
    _Signature(_starts(_GZIP), FileProblem.GZIP, "is gzip-compressed; unpack it first, for example with `gunzip`"),
    _Signature(
        _identified(b"ORTM"),
        FileProblem.FOREIGN,
        "is a model in the ORT format of onnxruntime, which has no way back; give the .onnx file that it was made from",
    ),
    _Signature(
        _starts(b"\x89HDF\r\n\x1a\n"),
        FileProblem.FOREIGN,
        f"is an HDF5 file, a Keras model as it seems; convert it: {_TF} --keras model.h5 --output model.onnx",
    ),
    _Signature(
        _starts(b"ptrt", b"ftrt"),
        FileProblem.FOREIGN,
        "is a TensorRT engine, which is compiled; give the .onnx file that it was built from",
    ),
    _Signature(
        _safetensors,
        FileProblem.FOREIGN,
        "is a safetensors file, weights without a network; export the model that they belong to (Hugging Face:"
        " `optimum-cli export onnx --model DIR out/`)",
    ),
    _Signature(
        _starts(*(bytes([0x80, version]) for version in range(2, 6))),
        FileProblem.FOREIGN,
        f"is a Python pickle, a PyTorch checkpoint as it seems; {_TORCH}",
    ),
    _Signature(
        _flax,
        FileProblem.FOREIGN,
        "is a Flax checkpoint (MessagePack), weights without a network; export the function that uses them, for"
        " example with jax2onnx",
    ),
    _Signature(
        _starts(b"GGUF"),
        FileProblem.FOREIGN,
        "is a GGUF file for llama.cpp; export the model that it was made from to ONNX",
    ),
    _Signature(
        _starts(b"7767517\n", b"7767517\r\n", b"\xdd\x85\x76\x00"),
        FileProblem.FOREIGN,
        "is an ncnn model, which has no way back; give the .onnx file that it was made from",
    ),
)

# Names in a ZIP archive, the first that is found counts.
_ARCHIVED = (
    (
        (b"archive_format", b"serialized_exported_program.json"),
        "is a PyTorch program (.pt2); export it: torch.onnx.export(torch.export.load('model.pt2'), f='model.onnx')",
    ),
    ((b"com.apple.CoreML",), "is an archive of a Core ML model; export the model that it was made from to ONNX"),
    (
        (b"model.weights.h5",),
        "is a Keras model; convert it: keras.saving.load_model('model.keras').export('model.onnx', format='onnx')",
    ),
    ((b"saved_model.pb",), f"is an archive of a SavedModel; unpack it: {_TF} --saved-model DIR --output model.onnx"),
    ((b"/data.pkl", b"constants.pkl"), f"is a ZIP archive of PyTorch; {_TORCH}"),
    ((b".npy",), "is a NumPy archive of arrays, not a model; give it as --images where it holds pictures"),
)
_ZIPPED = "is a ZIP archive (a PyTorch checkpoint is one too); unpack it, or export the model with torch.onnx.export"

# Other protobuf files begin with fields that an ONNX model has, too; these are looked for where no model was found.
_GRAPHDEF = f"{_TF} --graphdef model.pb --inputs x:0 --outputs y:0 --output model.onnx"
_PADDLE = "paddle2onnx --model_dir DIR --model_filename model.pdmodel --params_filename model.pdiparams"
_LOOKALIKES = (
    (
        rb"\x08[\x01-\x20]\x12.{1,5}?\x0a.{1,5}?\x0a[\x01-\x7f][\w./ -]+[\x12\x1a]",
        "is a Core ML model, for which there is no converter to ONNX; export the model that it was made from",
    ),
    (
        rb"\x08\x01\x12.{1,5}?\x0a",
        f"is the graph of a SavedModel; convert its folder: {_TF} --saved-model DIR --output model.onnx",
    ),
    (
        rb"\x0a.{1,3}?\x0a[\x01-\x7f][\w./-]+\x12[\x01-\x7f][A-Z]\w+",
        f"is a TensorFlow graph (GraphDef); convert it: {_GRAPHDEF}",
    ),
    (
        rb"\x0a.{1,5}?\x08\x00\x10\xff\xff\xff",
        f"is a PaddlePaddle program; convert it: {_PADDLE} --save_file model.onnx",
    ),
)


def disguise(head: bytes, tail: bytes = b"") -> ModelFileError | None:
    """The error for a file that surely is something else, by its first bytes and, for an archive, by its last."""
    for signature in _SIGNATURES:
        if signature.matches(head):
            return ModelFileError(signature.kind, signature.reason)
    if not head.startswith(ZIP):
        return None
    names = head + tail
    reasons = (reason for words, reason in _ARCHIVED if any(word in names for word in words))
    return ModelFileError(FileProblem.ZIP, next(reasons, _ZIPPED))


def lookalike(head: bytes) -> ModelFileError | None:
    """The error for the protobuf file of another tool; only for a file in which no ONNX model was found."""
    for pattern, reason in _LOOKALIKES:
        if re.match(pattern, head, re.DOTALL):
            return ModelFileError(FileProblem.FOREIGN, reason)
    return None


def foreign_folder(folder: Path) -> str | None:
    """What to say of a folder that is a model of another tool."""
    if (folder / "saved_model.pb").is_file():
        return f"is a SavedModel of TensorFlow; convert it: {_TF} --saved-model DIR --output model.onnx"
    if (folder / "Manifest.json").is_file() and (folder / "Data" / "com.apple.CoreML").is_dir():
        return "is a Core ML model, for which there is no converter to ONNX; export the model that it was made from"
    if (folder / "config.json").is_file() and any(folder.glob("*.safetensors")):
        return "is a Hugging Face model without ONNX; export it: `optimum-cli export onnx --model DIR out/`"
    return None


def looks_like_text(head: bytes) -> bool:
    """Whether the bytes are printable UTF-8, possibly cut in the middle of a character at the end."""
    if not head or any(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True
