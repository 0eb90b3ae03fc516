"""Recognises what a file is when it is not an ONNX model, from its first bytes."""

from __future__ import annotations

import re

from auditor.onnxfile.errors import FileProblem, ModelFileError

_LFS = b"version https://git-lfs.github.com/"
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_TFLITE = b"TFL3"  # the file identifier of a FlatBuffer, at its fifth byte
_OPENVINO = re.compile(rb"\s*(<\?xml[^>]*>\s*)?<net\b")
_MARKUP = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<body")
_RUN_ONLY = "which has no static audit: `verify`, --reference and `compare --pair` run it; give the .onnx file here"
_TEXT_CONTROLS = frozenset(b"\t\n\r\f")


def disguise(head: bytes) -> ModelFileError | None:
    """The error for a file that surely is something else; none of these signatures can start an ONNX model."""
    if head.startswith(_LFS):
        return ModelFileError(
            FileProblem.LFS_POINTER, "is a Git LFS pointer, not the model itself; run `git lfs pull` to fetch it"
        )
    if head[4:8] == _TFLITE:
        return ModelFileError(FileProblem.TFLITE, f"is a TensorFlow Lite model, {_RUN_ONLY}")
    if _OPENVINO.match(head):
        return ModelFileError(FileProblem.OPENVINO_IR, f"is an OpenVINO model (IR), {_RUN_ONLY}")
    if head.lstrip().lower().startswith(_MARKUP):
        return ModelFileError(
            FileProblem.HTML, "is a web page (HTML or XML), probably an error page saved by a download; fetch it again"
        )
    if head.startswith(_GZIP):
        return ModelFileError(FileProblem.GZIP, "is gzip-compressed; unpack it first, for example with `gunzip`")
    if head.startswith(_ZIP):
        return ModelFileError(
            FileProblem.ZIP,
            "is a ZIP archive (a PyTorch checkpoint is one too); unpack it, or export the model with torch.onnx.export",
        )
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
