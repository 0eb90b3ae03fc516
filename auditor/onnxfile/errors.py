"""The one error of reading model files."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from auditor.text import plain


class FileProblem(Enum):
    """Why a model file cannot be audited. The values are stable: reports and tests use them."""

    MISSING = "missing"
    NOT_A_FILE = "not-a-file"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    LFS_POINTER = "lfs-pointer"
    HTML = "html"
    GZIP = "gzip"
    ZIP = "zip"
    TFLITE = "tflite"
    OPENVINO_IR = "openvino-ir"
    FOREIGN = "foreign-format"
    TEXT = "text"
    NOT_ONNX = "not-onnx"
    CORRUPT = "corrupt"
    NO_GRAPH = "no-graph"
    TOO_LARGE = "too-large"
    TOO_MANY_NODES = "too-many-nodes"
    TOO_COMPLEX = "too-complex"
    TOO_DEEP = "too-deep"
    RECURSIVE_FUNCTION = "recursive-function"


class ModelFileError(Exception):
    """A model file that cannot be read, or that would cost more than its limits allow.

    ``reason`` is one line in our own words, what is wrong and what to do; it holds neither text from the file nor its
    path. ``path`` is the file, once that is known; ``str()`` is both.
    """

    def __init__(self, kind: FileProblem, reason: str, path: Path | None = None) -> None:
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        return self.reason if self.path is None else f"{plain(self.path.as_posix(), None)}: {self.reason}"
