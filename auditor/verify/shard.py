"""A part of the images of a run, measured on its own, as a document; and all parts together as one run.

Every shard makes the plan by itself from the same first images, and measures every n-th place. What all of them must
have in common is written into each and compared when they are merged.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from auditor.codec import DocumentError, convert, parse
from auditor.text import ModelText
from auditor.verify.errors import DataError, VerifyError
from auditor.verify.images.source import ImageSource
from auditor.verify.intake import Intake
from auditor.verify.measures.task import Row
from auditor.verify.merge import MeasuredLayers, RowTable, merge, require_measured
from auditor.verify.observer import Observer
from auditor.verify.open_run import OpenRun
from auditor.verify.packing import pack, unpack
from auditor.verify.pieces import Failure, splittable_places, without_own_limits
from auditor.verify.pilot import RunPlan
from auditor.verify.result import DataKind, Verification
from auditor.verify.runtimes import runs_beside_onnxruntime
from auditor.verify.versions import file_sha256, machine, versions

FORMAT = "aliasaudit-shard-1"


class ShardSource(Struct, frozen=True):
    """The images of a run. ``names`` identifies their list, and ``places`` counts it, unusable ones included."""

    kind: DataKind
    count: int
    places: int
    notes: tuple[str, ...]
    names: str


class ShardModel(Struct, frozen=True):
    """What one shard measured on one model.

    ``path`` is what the user called the model, ``sha256`` is over its file. ``versions`` are of what numbers depend on
    and ``machine`` says where they were made. ``plan``, ``rows``, ``layers`` (of the first shard alone) and ``failure``
    are values of this version, written exactly.
    """

    path: str
    sha256: str
    source: ShardSource
    versions: Mapping[str, str]
    machine: str
    external: Any
    plan: Any
    rows: Any
    layers: Any = None
    failure: Any = None


class ShardFile(Struct, frozen=True):
    """Shard ``number`` of ``total``. ``models`` are in the order in which they were measured."""

    format: str
    number: int
    total: int
    models: tuple[ShardModel, ...]


def measure_shard(run: OpenRun, path: str, number: int, total: int, observer: Observer) -> ShardModel:
    """Measure every ``total``-th image from the ``number``-th one on.

    What ends the run at an image is written down, and raised when the shards are merged.

    Raises:
        DataError: the images come one after the other, so that they cannot be split.
    """
    if runs_beside_onnxruntime(run.model, run.plan.settings):
        raise DataError("--shard measures in one runtime: leave --runtime out, or name a --reference")
    places = splittable_places(run.source)
    own = places[number - 1 :: total]
    observer.begin("images", len(own))
    failure = None
    try:
        with Intake.whole(run, own) as intake:
            intake.take(observer)
    except VerifyError as error:
        done = {row.index for row in run.rows}
        failure = Failure.of(error, min(place for place in own if place not in done))
    rows = sorted(run.rows, key=lambda row: row.index)
    layers = _layers(run, places, observer) if number == 1 and failure is None else None
    source = ShardSource(run.source.kind, run.source.count or 0, len(places), run.source.notes, run.source.names)
    return ShardModel(
        path,
        file_sha256(Path(run.model.source)),
        source,
        versions(),
        machine(),
        pack(run.external),
        pack(run.plan),
        pack(rows),
        pack(layers),
        pack(failure),
    )


def _layers(run: OpenRun, places: range, observer: Observer) -> MeasuredLayers:
    """The layers on the first images of all that can be used, whichever shard they belong to."""
    known = {row.index for row in run.rows}
    used = 0
    for place in places:
        if used == run.plan.settings.layer_images:
            break
        if place not in known:
            run.extend([place], observer)
        used += any(row.index == place and row.measured is not None for row in run.rows)
    layers, interrupted = run.layers(observer)
    if interrupted:
        raise KeyboardInterrupt
    return layers


def write_shard(shard: ShardFile, name: str) -> bytes:
    """The document, compressed where the name ends in ``.gz``."""
    from msgspec import to_builtins

    text = json.dumps(to_builtins(shard), sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"
    data = text.encode("ascii")
    return gzip.compress(data, mtime=0) if name.endswith(".gz") else data


def read_shard(data: bytes) -> ShardFile:
    """The shard that :func:`write_shard` wrote.

    Raises:
        DocumentError: it is none, or not whole.
    """
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise DocumentError("$: is not whole: the compressed file is damaged or ends too early") from error
    shard = convert(parse(data), ShardFile)
    if shard.format != FORMAT:
        raise DocumentError(f"$.format: is not {FORMAT}: written by another version")
    if not 1 <= shard.number <= shard.total:
        raise DocumentError("$.number: is no shard of its total")
    return shard


def merged(parts: Sequence[tuple[str, ShardFile, ShardModel]], sha256: str) -> Verification:
    """The result of one model from its part of every shard; each comes with the name of its file.

    Raises:
        DataError: shards are missing, given twice, or do not belong together; the message names them.
        VerifyError: that of the first image that ended the run, in whichever shard.
    """
    _require_all(parts)
    first_file, _, first = parts[0]
    for file, _, other in parts[1:]:
        _require_alike(first_file, first, file, other)
    if first.sha256 != sha256:
        raise DataError("the model is not the one that the shards measured: check out the same file")
    failures: list[Failure] = [found for _, _, part in parts if (found := unpack(part.failure)) is not None]
    if failures:
        raise min(failures, key=lambda failure: failure.index).error()
    plan: RunPlan = unpack(first.plan)
    rows: list[Row[Any]] = [row for _, _, part in parts for row in unpack(part.rows)]
    table = RowTable.of({row.index: row for row in rows}.values())
    require_measured(plan, table)
    layers = next((found for _, _, part in parts if (found := unpack(part.layers)) is not None), MeasuredLayers())
    source = ImageSource(first.source.kind, first.source.count, first.source.notes, lambda: iter(()))
    external: tuple[tuple[ModelText, str], ...] = unpack(first.external)
    found = merge(plan, source, table, layers, external)
    machines = sorted({part.machine for _, _, part in parts})
    if len(machines) == 1:
        return found
    note = f"shards were measured on {' and '.join(machines)}: the last digits may differ from those of one machine"
    return structs.replace(found, notes=(*found.notes, note))


def _require_all(parts: Sequence[tuple[str, ShardFile, ShardModel]]) -> None:
    totals = {shard.total for _, shard, _ in parts}
    if len(totals) > 1:
        by_total = {shard.total: f"{file} ({shard.number}/{shard.total})" for file, shard, _ in parts}
        raise DataError(f"shards do not belong together: {' and '.join(by_total.values())}")
    (total,) = totals
    files: dict[int, str] = {}
    for file, shard, _ in parts:
        if shard.number in files:
            raise DataError(f"shard {shard.number}/{total} is given twice: {files[shard.number]} and {file}")
        files[shard.number] = file
    missing = [f"{number}/{total}" for number in range(1, total + 1) if number not in files]
    if missing:
        raise DataError(f"shards missing: {', '.join(missing)}; run `aliasaudit verify --shard {missing[0]}` again")


def _require_alike(first_file: str, first: ShardModel, file: str, other: ShardModel) -> None:
    differing = [
        *(["another model"] if first.sha256 != other.sha256 else []),
        *(["other images"] if first.source != other.source else []),
        *(
            f"{name} {first.versions.get(name, 'none')} and {other.versions.get(name, 'none')}"
            for name in sorted({*first.versions, *other.versions})
            if first.versions.get(name) != other.versions.get(name)
        ),
    ]
    if not differing:
        plans = [unpack(part.plan) for part in (first, other)]
        threads = [plan.settings.threads for plan in plans]
        if threads[0] != threads[1]:
            differing.append(f"{threads[0]} and {threads[1]} threads (--threads)")
        elif len({_facts(plan) for plan in plans}) > 1:
            differing.append("other options")
    if differing:
        raise DataError(f"{first_file} and {file} do not belong together: {', '.join(differing)}")


def _facts(plan: RunPlan) -> str:
    """The plan in text, without where files lie."""

    def placeless(packed: Any) -> Any:
        if isinstance(packed, Mapping):
            if packed.get("$") == "path":
                return {"$": "path", "value": str(packed["value"]).rpartition("/")[2]}
            return {key: placeless(value) for key, value in packed.items()}
        return [placeless(item) for item in packed] if isinstance(packed, list) else packed

    return json.dumps(placeless(pack(without_own_limits(plan))), sort_keys=True)
