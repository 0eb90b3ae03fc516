"""The public function that puts shards together, as :mod:`auditor` exports it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.codec import DocumentError
from auditor.files import read_whole
from auditor.options.thresholds import Thresholds
from auditor.verify.errors import DataError, VerifyError

if TYPE_CHECKING:
    from auditor.verify.result import Verification
    from auditor.verify.shard import ShardFile


def merge(
    *shards: str | os.PathLike[str],
    model: str | os.PathLike[str] | None = None,
    partial: bool = False,
    fail_under: float | None = None,
) -> Verification:
    """The measurement of a model from the shards of ``aliasaudit verify --shard``, as one process would have made it.

    Nothing is run and no image is read; the model must lie where the shards found it.

    Args:
        shards: The files, in any order.
        model: Which model, by the path that the shards have, where they hold several.
        partial: Merge the shards that there are: ``incomplete`` of the result says which are missing.
        fail_under: The least value that the model must hold, in ``required`` of the result.

    Raises:
        ValueError: There is no shard, or ``model`` is none of theirs.
        VerifyError: A shard cannot be read, shards are missing or do not belong together, or what they measured failed.

    Examples:
        >>> import pathlib, tempfile
        >>> from auditor import merge
        >>> from auditor.cli import main
        >>> from auditor.demo import demo_model
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> quick = ["--images-limit", "4", "--shifts", "1", "--layers", "0", "--device", "cpu", "--quiet"]
        >>> for number in (1, 2):
        ...     shard = ["--shard", f"{number}/2", "--output", str(folder / f"{number}.json")]
        ...     _ = main(["verify", str(demo_model()), "--preset", "unit", *quick, *shard])
        >>> merge(folder / "1.json", folder / "2.json").measure("consistency").images
        4
    """
    from auditor.verify.minimum import with_required
    from auditor.verify.shard import merged
    from auditor.verify.versions import file_sha256

    read = [(str(path), _read(path)) for path in shards]
    named = list(dict.fromkeys(measured.path for _, shard in read for measured in shard.models))
    if not named:
        raise ValueError("there is no shard with a model to merge")
    wanted = named[0] if model is None else os.fspath(model)
    if model is None and len(named) > 1:
        raise ValueError(f"the shards hold {len(named)} models: name one by model=, such as {named[0]!r}")
    if wanted not in named:
        raise ValueError(f"the shards hold no model {wanted!r}; there is {', '.join(named)}")
    parts = [(file, shard, part) for file, shard in read for part in shard.models if part.path == wanted]
    without = [file for file, shard in read if all(part.path != wanted for part in shard.models)]
    try:
        found = merged(parts, file_sha256(Path(wanted)), without, partial)
    except OSError as error:
        raise DataError(f"the model {wanted} cannot be read: {error.strerror}") from error
    held = Thresholds.from_keywords({"fail_under": fail_under})
    return found if found.incomplete else with_required(found, held)


def _read(path: str | os.PathLike[str]) -> ShardFile:
    from auditor.verify.shard import on_disk, read_shard

    try:
        return on_disk(read_shard(read_whole(Path(path))))
    except OSError as error:
        raise VerifyError(f"{os.fspath(path)}: cannot be read: {error.strerror}") from error
    except DocumentError as error:
        raise VerifyError(f"{os.fspath(path)}: {error}; a shard is what `aliasaudit verify --shard` writes") from error
