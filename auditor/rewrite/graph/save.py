"""Writing a rewritten model: whole or not at all, never over its source unless asked, external data kept or copied."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from auditor.files import replacing
from auditor.onnxfile import walk
from auditor.onnxfile.graph import Model, PayloadKind, Tensor
from auditor.onnxfile.wire import field
from auditor.rewrite.graph import file
from auditor.rewrite.graph.check import objection
from auditor.rewrite.graph.surgery import PROVENANCE, GraphEditor
from auditor.rewrite.result import RewriteError

Admit = Callable[[Path], None]
"""Looks at a finished file before it gets its name, and raises RewriteError for one that may not be kept."""


def anything(_: Path) -> None:
    """Admits every file: those that are looked at later, or are gone soon."""


class GraphEdit(Protocol):
    """Makes the fields of the edited main graph from those of the source."""

    def __call__(self, pieces: file.Pieces, reader: file.Reader) -> list[file.Piece]: ...


def save(
    editor: GraphEditor,
    target: Path,
    provenance: dict[str, object],
    *,
    in_place: bool = False,
    admit: Admit = anything,
) -> Path | None:
    """Write the edited model to ``target``; returns and raises as :func:`save_edited`."""
    return save_edited(editor.model, editor.graph_pieces, target, provenance, in_place=in_place, admit=admit)


def save_edited(
    model: Model,
    edit: GraphEdit,
    target: Path,
    provenance: dict[str, object],
    *,
    in_place: bool = False,
    key: str = PROVENANCE,
    admit: Admit = anything,
) -> Path | None:
    """Write a model with an edited main graph to ``target``; returns the backup of an overwritten source, else None.

    At most 1 MiB of the source is in memory at a time. Files of external data are copied beside a target in another
    folder. ``provenance`` becomes metadata of the model under ``key``, with a number where that is taken. The finished
    file is shown to ``admit`` under another name, beside its external data.

    Raises:
        RewriteError: the target is the source and ``in_place`` was not given, external data cannot be copied, the
            result is not a valid model or not admitted, or the disk refuses.
        ModelFileError: the source has changed since it was read.
    """
    target = target.resolve()
    replaces = check_target(model, target, in_place=in_place)
    pieces = file.split(model)
    backup: Path | None = None

    def ready(written: Path) -> None:
        nonlocal backup
        admit(written)
        backup = _back_up(target) if replaces else None

    with file.Reader(model) as reader:
        graph = edit(pieces, reader)
        complaint = objection(reader, pieces, graph, model)
        if complaint is not None and objection(reader, pieces, [part.whole for part in pieces.graph], model) is None:
            raise RewriteError(f"the rewritten model would not be valid, so nothing was written: {complaint}")
        after = field(file.MODEL_METADATA, _entry(_free(model, key), json.dumps(provenance, sort_keys=True)))
        data = file.assemble(pieces, graph, after)
        try:
            with _copied_data(model, target.parent), replacing(target, ready) as sink:
                file.write(reader, data, sink.write)
                reader.close()  # Windows does not replace an open source
        except OSError as error:
            raise RewriteError(f"the output cannot be written: {error.strerror or error}") from error
    return backup


def check_target(model: Model, target: Path, *, in_place: bool = False) -> bool:
    """Whether the target is the source itself.

    Raises:
        RewriteError: it is and ``in_place`` was not given, or it is no regular file.
    """
    replaces = target.exists() and target.samefile(model.source)
    if replaces and not in_place:
        raise RewriteError("the output is the model itself: choose another name, or give --in-place")
    if target.exists() and not target.is_file():
        raise RewriteError("the output is not a regular file: choose another name")
    return replaces


def publish(
    staged: Model, target: Path, source: Model, *, in_place: bool = False, admit: Admit = anything
) -> Path | None:
    """Give a finished model its name; ``staged`` lies on the same disk, with its external data beside it.

    Returns the path of the backup of an overwritten source, else None.

    Raises:
        RewriteError: as :func:`save`.
    """
    target = target.resolve()
    replaces = check_target(source, target, in_place=in_place)
    admit(staged.source)
    try:
        with _copied_data(staged, target.parent, source.source.resolve().parent):
            mode = target.stat().st_mode & 0o7777 if target.exists() else None
            backup = _back_up(target) if replaces else None
            if mode is not None:
                staged.source.chmod(mode)
            staged.source.replace(target)
    except OSError as error:
        raise RewriteError(f"the output cannot be written: {error.strerror or error}") from error
    return backup


def _free(model: Model, wanted: str) -> str:
    """A metadata key that is not taken: a model may be rewritten several times."""
    key, count = wanted, 1
    while key in model.metadata:
        count += 1
        key = f"{wanted}.{count}"
    return key


def _entry(key: str, value: str) -> bytes:
    return field(1, key.encode("utf-8")) + field(2, value.encode("utf-8"))


def _back_up(source: Path) -> Path:
    backup, count = source.with_name(f"{source.name}.bak"), 1
    while True:
        try:
            _copy_new(source, backup)
        except FileExistsError:
            count += 1
            backup = source.with_name(f"{source.name}.bak{count}")
        else:
            return backup


def _copy_new(source: Path, copy: Path) -> None:
    """Copy a file to a name that nothing has, not even a link to nowhere. Raises FileExistsError and OSError."""
    try:
        os.link(source, copy)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with source.open("rb") as origin, copy.open("xb") as sink:
            shutil.copyfileobj(origin, sink)
        shutil.copystat(source, copy)


@contextmanager
def _copied_data(model: Model, folder: Path, home: Path | None = None) -> Iterator[None]:
    """Copies the files of external data into ``folder``; takes the copies away again when the context fails.

    ``home`` is the folder that has them already.
    """
    source = model.source.resolve().parent
    made: list[Path] = []
    try:
        if folder not in (source, home):
            for location in _locations(model):
                origin, target = _inside(source, location), _inside(folder, location)
                if not origin.is_file():
                    raise RewriteError("a file of external data is missing, so the model cannot move to another folder")
                if target.is_file() and filecmp.cmp(origin, target, shallow=False):
                    continue  # an earlier rewrite of the same model left it there
                if target.exists():
                    raise RewriteError(
                        "another file of external data of that name exists beside the output: write to an empty folder"
                    )
                target.parent.mkdir(parents=True, exist_ok=True)
                made.append(target)
                with origin.open("rb") as data, replacing(target) as sink:
                    shutil.copyfileobj(data, sink)
        yield
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _inside(folder: Path, location: str) -> Path:
    """The file of external data; a location that leads out of the folder is not followed."""
    relative = PurePosixPath(location)
    path = folder / relative
    if relative.is_absolute() or ".." in relative.parts or not path.resolve().is_relative_to(folder):
        raise RewriteError("external data lies outside the model's folder: the model may be hostile")
    return path


def _locations(model: Model) -> list[str]:
    """The files of external data that any scope of the model names."""
    found: dict[str, None] = {}

    def look(tensor: object) -> None:
        if isinstance(tensor, Tensor) and tensor.payload.kind is PayloadKind.EXTERNAL:
            found[tensor.payload.location] = None

    for tensor in model.graph.initializers.values():
        look(tensor)
    for _, node in walk(model):
        for value in node.attributes.values():
            look(value)
            for graph in value if isinstance(value, tuple) else (value,):
                for tensor in getattr(graph, "initializers", {}).values():
                    look(tensor)
    return list(found)
