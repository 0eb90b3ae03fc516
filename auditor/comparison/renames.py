"""Which file of a commit each new file of the working tree is under another name: by its content, then by its weights.

One file of the commit is the origin of one new file at most: of several that resemble it, the one that resembles it
most was renamed, and the others are new.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auditor.comparison.identity import shared_weights
from auditor.comparison.revision import Revision, RevisionError
from auditor.onnxfile import ModelFileError, read_model
from auditor.onnxfile.graph import Model
from auditor.onnxfile.limits import Limits

_SIMILAR = 0.5  # of the weights, from which git, too, calls a file renamed


def origins(revision: Revision, paths: Sequence[Path], folder: Path, limits: Limits) -> dict[Path, Path]:
    """The file of the commit that each of the new files was, where there is one and it is gone.

    ``folder`` takes copies of the files that are looked at.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        old = revision.renamed_from(path, found.values())
        if old is not None:
            found[path] = old
    left = {path: model for path in paths if path not in found and (model := _read(path, limits)) is not None}
    if not left:
        return found
    shares = []
    for number, old in enumerate(one for one in revision.gone() if one not in found.values()):
        base = _base(revision, old, folder / f"old-{number}", limits)
        if base is not None:
            shares += [(shared_weights(base, model), path, old) for path, model in left.items()]
    for share, path, old in sorted(shares, key=lambda one: -one[0]):
        if share >= _SIMILAR and path not in found and old not in found.values():
            found[path] = old
    return found


def _base(revision: Revision, old: Path, spare: Path, limits: Limits) -> Model | None:
    spare.mkdir()
    try:
        return read_model(revision.copy(old, spare, limits, weights=False), limits)
    except (ModelFileError, RevisionError):
        return None


def _read(path: Path, limits: Limits) -> Model | None:
    try:
        return read_model(path, limits)
    except ModelFileError:
        return None  # the audit will say so
