"""Reads a model file."""

from __future__ import annotations

import os
import re
import stat
from io import FileIO
from pathlib import Path

from auditor.onnxfile.decode import ModelDecoder, TopLevelError
from auditor.onnxfile.errors import FileProblem, ModelFileError
from auditor.onnxfile.graph import Graph, Model, ModelFormat
from auditor.onnxfile.limits import DEFAULT_LIMITS, Limits
from auditor.onnxfile.sniff import ZIP, disguise, foreign_folder, lookalike, looks_like_text
from auditor.onnxfile.wire import BudgetError, FileBytes, WireError

_HEAD_BYTES = 512
_TAIL_BYTES = 1 << 16  # of a ZIP archive; its list of names stands at the end
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # a drive of Windows is one letter
_RUNNABLE = {FileProblem.TFLITE: ModelFormat.TFLITE, FileProblem.OPENVINO_IR: ModelFormat.OPENVINO_IR}


def read_model(path: Path, limits: Limits = DEFAULT_LIMITS) -> Model:
    """The model in the binary ONNX file ``path`` without its weights; external data files are never opened.

    Time and memory grow with the number of nodes, not with the size of the weights. Raises ModelFileError when the file
    cannot be read, is not a model, or exceeds ``limits``.
    """
    try:
        return _opened(path, limits)
    except ModelFileError as error:
        error.path = path  # what is wrong is found out where only bytes are known
        raise


def read_runnable(path: Path, limits: Limits = DEFAULT_LIMITS) -> Model:
    """As :func:`read_model`, and of a file in another format that runtimes read a model without nodes.

    Raises:
        ModelFileError: as there, but for such files.
    """
    try:
        return read_model(path, limits)
    except ModelFileError as error:
        form = _RUNNABLE.get(error.kind)
        if form is None:
            raise
        return Model(path, path.stat().st_size, 0, {}, "", Graph("", (), (), (), {}), {}, {}, form)


def _opened(path: Path, limits: Limits) -> Model:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            reason = "is a folder" if path.is_dir() else "is not a regular file"
            known = foreign_folder(path) if path.is_dir() else None
            raise ModelFileError(FileProblem.NOT_A_FILE, known or f"{reason}; give the path of an .onnx file")
        with FileIO(path) as file:
            return _read(file, path, limits)
    except FileNotFoundError as error:
        address = _ADDRESS.match(path.as_posix()) is not None
        reason = "does not exist; check the path"
        if address:
            reason = "is an address; download the file first (`curl -LO ADDRESS`)"
        raise ModelFileError(FileProblem.MISSING, reason) from error
    except (OSError, ValueError) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else "the path is not valid"
        raise ModelFileError(FileProblem.UNREADABLE, f"cannot be read: {detail}; check its permissions") from error


def _read(file: FileIO, path: Path, limits: Limits) -> Model:
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise ModelFileError(FileProblem.EMPTY, "is empty (0 bytes); export or download it again")
    if size > limits.max_file_bytes:
        raise ModelFileError(
            FileProblem.TOO_LARGE, f"has {size} bytes, more than the limit of {limits.max_file_bytes}; raise the limit"
        )
    head = file.read(_HEAD_BYTES)
    file.seek(max(size - _TAIL_BYTES, 0))
    known = disguise(head, file.read(_TAIL_BYTES) if head.startswith(ZIP) else b"")
    if known is not None:
        raise known
    try:
        return ModelDecoder(FileBytes(file, size, limits.max_skeleton_bytes), limits).model(path)
    except TopLevelError as error:
        raise (lookalike(head) or _not_text(head) or _top_level(error)) from error
    except WireError as error:
        raise (lookalike(head) or _not_text(head) or _corrupt()) from error
    except BudgetError as error:
        raise ModelFileError(
            FileProblem.TOO_COMPLEX,
            f"holds more than {limits.max_fields} fields or {limits.max_skeleton_bytes} bytes beside its weights; "
            "raise the limit if you trust the file",
        ) from error


def _not_text(head: bytes) -> ModelFileError | None:
    if not looks_like_text(head):
        return None
    return ModelFileError(
        FileProblem.TEXT,
        "is a text file; only the binary ONNX format is read: export it again or convert it with the onnx package",
    )


def _top_level(error: TopLevelError) -> ModelFileError:
    if not error.known:
        return ModelFileError(FileProblem.NOT_ONNX, "is not an ONNX model; check that the right file was given")
    if error.fault is None:
        return ModelFileError(
            FileProblem.NO_GRAPH, "holds no graph: another kind of file, or an export that failed; export it again"
        )
    if error.fault.overrun:
        return ModelFileError(
            FileProblem.TRUNCATED, "ends too early: the download or the copy was cut short; fetch it again"
        )
    return _corrupt()


def _corrupt() -> ModelFileError:
    return ModelFileError(
        FileProblem.CORRUPT, "starts like an ONNX model but holds a malformed part; export or download it again"
    )
