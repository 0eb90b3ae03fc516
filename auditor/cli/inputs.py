"""The MODEL arguments: files, folders and standard input become model files with the names that reports call them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from auditor.audit.run import ModelFile
from auditor.facts.report import Problem, ProblemKind
from auditor.onnxfile.sniff import foreign_folder

STANDARD_INPUT = "-"
_ONE_SLASH = re.compile(r"(?<=^https):/(?!/)|(?<=^http):/(?!/)")  # what a path makes of an address
_CHUNK = 1 << 20


@contextmanager
def gathered(arguments: Iterable[str], max_bytes: int) -> Iterator[tuple[list[ModelFile], list[Problem]]]:
    """The model files that the arguments name, in their order and each once, and what could not be gathered.

    Folders are walked for ``*.onnx`` in sorted order, hidden folders and files left out. ``-`` is copied from standard
    input to a temporary file, since models are read by random access; at most ``max_bytes`` and one byte of it, so that
    the reader sees that there is more. The file is gone when the context ends.
    """
    files: dict[Path, ModelFile] = {}
    problems: list[Problem] = []
    with _spare_folder() if STANDARD_INPUT in set(arguments) else _nothing() as spare:
        for argument in arguments:
            if argument == STANDARD_INPUT and spare is not None:
                copy = Path(spare) / "stdin.onnx"
                if not copy.exists():
                    _copy(sys.stdin.buffer, copy, max_bytes + 1)
                files[copy] = ModelFile(copy, STANDARD_INPUT)
            elif Path(argument).is_dir():
                found = list(_walk(Path(argument), problems))
                files |= {path.resolve(): ModelFile(path, shown(path)) for path in found if path.resolve() not in files}
                if not found:
                    message = foreign_folder(Path(argument)) or "holds no .onnx file"
                    problems.append(Problem(ProblemKind.NO_INPUTS, message, shown(Path(argument))))
            else:
                path = Path(argument)
                files.setdefault(path.resolve(), ModelFile(path, shown(path)))
        yield list(files.values()), problems


def shown(path: Path) -> str:
    """A path as reports show it: POSIX separators, relative to the working directory where it lies below it.

    Elsewhere it stays as the user gave it.
    """
    # Not `resolve`: a link is called what the user calls it.
    absolute, here = Path(os.path.abspath(path)), Path.cwd()  # noqa: PTH100
    name = (absolute.relative_to(here) if absolute.is_relative_to(here) else path).as_posix()
    return _ONE_SLASH.sub("://", name)


def _walk(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        message = f"cannot be listed: {error.strerror}"
        problems.append(Problem(ProblemKind.UNREADABLE, message, shown(Path(error.filename))))

    for parent, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(".onnx") and not name.startswith("."):
                yield Path(parent, name)


def _copy(stream: BinaryIO, path: Path, limit: int) -> None:
    with path.open("wb") as file:
        while limit > 0 and (chunk := stream.read(min(_CHUNK, limit))):
            file.write(chunk)
            limit -= len(chunk)


@contextmanager
def _spare_folder() -> Iterator[str]:
    from auditor.unfinished import spare_folder

    with spare_folder() as folder:
        yield str(folder)


@contextmanager
def _nothing() -> Iterator[None]:
    yield None
