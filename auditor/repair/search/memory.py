"""The file that keeps what a search has measured, so that an interrupted one goes on from it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from auditor._version import __version__
from auditor.codec import builtins
from auditor.files import is_same, write_text
from auditor.repair.original import Original
from auditor.repair.search.search import MeasureCandidate
from auditor.repair.search.state import MOST_BYTES, Identity, Memory, StateError, digest
from auditor.verify.admission import check_external
from auditor.verify.options import Request

_CHUNK = 1 << 20


def remembering(
    measure: MeasureCandidate, path: Path, original: Original, request: Request, fitted_on: Sequence[str]
) -> Memory:
    """A measuring that keeps what it measures in the file at ``path``, and measures nothing that is there.

    ``fitted_on`` is how the user named the pictures that blurs are fitted on, and what else was said of them.

    Raises:
        StateError: The file cannot be read or written, is damaged, is one of the models, or of another search.
        ModelRefusedError: The weights in other files may not be read.
    """
    if is_same(path, original.named.source):
        raise StateError("is one of the models; choose another name")
    if original.target is not None and path.resolve() == original.target.resolve():
        raise StateError("is where the rewritten model goes; choose another name")
    bearing = replace(request.settings, limits=type(request.settings.limits)(), layer_images=0, reference=None)
    identity = Identity(
        model=digest(_model(original)),
        pictures=digest([_stamps(request.images), _stamps(request.labels)]),
        options=digest(builtins(bearing)),
        version=__version__,
    )
    fitted = digest([[_stamps(word) for word in fitted_on], builtins(bearing.preprocessing)])

    def keep(text: str) -> None:
        try:
            write_text(path, text)
        except OSError as error:
            raise StateError(f"cannot be written: {error.strerror}") from error

    return Memory(measure, identity, fitted, keep, _read(path))


def _read(path: Path) -> str | None:
    if not path.exists():
        return None
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise StateError("holds no search: name another file")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise StateError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StateError("holds no search: name another file") from error


def _model(original: Original) -> list[object]:
    """Digests of the model's own bytes, and of those of its weights in other files."""
    found = hashlib.sha256()
    with original.model.source.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
    return [found.hexdigest(), *(weights for _, weights in check_external(original.model))]


def _stamps(where: str | Path | None) -> list[object]:
    """What the pictures are called, and when each was changed: reading them all to start with would take too long."""
    if where is None or not Path(where).exists():
        return [str(where)]
    root = Path(where).resolve()
    paths = [root] if root.is_file() else [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
    stamps: list[object] = [root.as_posix()]
    for path in sorted(paths):
        facts = path.stat()
        stamps.append([path.relative_to(root).as_posix(), facts.st_size, facts.st_mtime_ns])
    return stamps
