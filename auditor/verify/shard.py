"""A part of the images of a run, measured on its own, as a document; and all parts together as one run.

Every shard makes the plan by itself from the same first images, and measures every n-th place. What all of them must
have in common is written into each and compared when they are merged.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from auditor.codec import DocumentError, convert, parse
from auditor.files import is_path
from auditor.text import ModelText, count_text
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
from auditor.verify.row_store import RowStore
from auditor.verify.runtimes import runs_beside_onnxruntime
from auditor.verify.versions import file_sha256, machine, versions

FORMAT = "aliasaudit-shard-1"
_NAMED = 20  # missing shards in one message
_MOST_BYTES = 2 << 30  # some ten million images
_CUT = "$: is not whole: the compressed file is damaged or ends too early"


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
    """Shard ``number`` of ``total``. ``models`` are in the order in which they were measured.

    ``checksum`` is the SHA-256 of the document without it: what was changed by hand or on the way is not merged.
    """

    format: str
    number: int
    total: int
    models: tuple[ShardModel, ...]
    checksum: str = ""


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
        done = run.rows.places
        failure = Failure.of(error, min(place for place in own if place not in done))
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
        pack(list(run.rows)),
        pack(layers),
        pack(failure),
    )


def _layers(run: OpenRun, places: range, observer: Observer) -> MeasuredLayers:
    """The layers on the first images of all that can be used, whichever shard they belong to."""
    known = run.rows.places
    used = 0
    for place in places:
        if used == run.plan.settings.layer_images:
            break
        if place not in known:
            run.extend([place], observer)
        used += run.rows.used(place)
    layers, interrupted = run.layers(observer)
    if interrupted:
        raise KeyboardInterrupt
    return layers


def write_shard(shard: ShardFile, name: str) -> bytes:
    """The document, compressed where the name ends in ``.gz``."""
    from msgspec import to_builtins

    data = _bytes(sealed(to_builtins(shard))) + b"\n"
    return gzip.compress(data, mtime=0) if name.endswith(".gz") else data


def sealed(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document with its checksum."""
    bare = {name: value for name, value in document.items() if name != "checksum"}
    return {**bare, "checksum": hashlib.sha256(_bytes(bare)).hexdigest()}


def _bytes(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def read_shard(data: bytes) -> ShardFile:
    """The shard that :func:`write_shard` wrote.

    Raises:
        DocumentError: it is none, or not whole.
    """
    if data[:2] == b"\x1f\x8b":
        data = _unpacked(data)
    document = parse(data)
    shard = convert(document, ShardFile)
    if shard.format != FORMAT:
        raise DocumentError(f"$.format: is not {FORMAT}: written by another version")
    if sealed(document)["checksum"] != shard.checksum:
        raise DocumentError("$.checksum: does not fit: the file was damaged, or changed after it was written")
    if not 1 <= shard.number <= shard.total:
        raise DocumentError("$.number: is no shard of its total")
    for place, model in enumerate(shard.models):
        if not is_path(model.path):
            raise DocumentError(f"$.models[{place}].path: is not the path of a file")
    return shard


def on_disk(shard: ShardFile) -> ShardFile:
    """The shard with its rows in a store, so that all shards of a run need not be in memory together.

    Rows that cannot be read are the reason instead: shards of another version are first told apart by that.
    """

    def stored(rows: Any) -> RowStore | DocumentError:
        try:
            return RowStore(unpack(rows, list[Row[Any]]))
        except DocumentError as error:
            return error

    models = (structs.replace(model, rows=stored(model.rows)) for model in shard.models)
    return structs.replace(shard, models=tuple(models))


def _unpacked(data: bytes) -> bytes:
    """Refuse more than the limit instead of filling the memory with it."""
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = unpacking.decompress(data, _MOST_BYTES)
    except zlib.error as error:
        raise DocumentError(_CUT) from error
    if len(plain) == _MOST_BYTES:
        raise DocumentError(f"$: unpacks to more than {_MOST_BYTES >> 30} GiB")
    if not unpacking.eof:
        raise DocumentError(_CUT)
    return plain


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a run as values. ``file`` is where it was read."""

    file: str
    model: ShardModel
    plan: RunPlan
    rows: RowStore
    layers: MeasuredLayers | None
    failure: Failure | None
    external: tuple[tuple[ModelText, str], ...]

    @classmethod
    def of(cls, file: str, model: ShardModel) -> _Part:
        try:
            if isinstance(model.rows, DocumentError):
                raise model.rows
            return cls(
                file,
                model,
                unpack(model.plan, RunPlan),
                model.rows,
                unpack(model.layers, MeasuredLayers | None),
                unpack(model.failure, Failure | None),
                unpack(model.external, tuple[tuple[ModelText, str], ...]),
            )
        except DocumentError as error:
            raise DataError(f"{file} holds what this version did not write: {error}") from error


def merged(
    parts: Sequence[tuple[str, ShardFile, ShardModel]],
    sha256: str,
    without: Sequence[str] = (),
    partial: bool = False,
) -> Verification:
    """The result of one model from its part of every shard, as :func:`on_disk` gives it, with the name of its file.

    ``without`` are the files that hold no part of this model. With ``partial`` shards may be missing: the result says
    which, and that it is incomplete.

    Raises:
        DataError: shards are missing, given twice, or do not belong together; the message names them.
        VerifyError: that of the first image that ended the run, in whichever shard.
    """
    absent = _absent(parts, without, partial)
    files = [file for file, _, _ in parts]
    for file, _, model in parts[1:]:
        _require_alike(files[0], parts[0][2], file, model)
    first, *others = (_Part.of(file, model) for file, _, model in parts)
    for other in others:
        _require_planned(first, other)
    if first.model.sha256 != sha256:
        raise DataError("the model is not the one that the shards measured: check out the same file")
    failures = [part.failure for part in (first, *others) if part.failure is not None]
    if failures:
        raise min(failures, key=lambda failure: failure.index).error()
    table = RowTable.of(row for part in (first, *others) for row in part.rows)
    layers = next((part.layers for part in (first, *others) if part.layers is not None), MeasuredLayers())
    facts = first.model.source
    source = ImageSource(facts.kind, facts.count, facts.notes, lambda: iter(()))
    try:
        require_measured(first.plan, table)
        found = merge(first.plan, source, table, layers, first.external)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        # Each value is of its type, and still they may say things of each other that no run says.
        raise DataError(f"what {' and '.join(files)} hold does not fit together ({type(error).__name__})") from error
    if absent:
        found = structs.replace(found, incomplete=absent)
    machines = sorted({part.machine for _, _, part in parts})
    if len(machines) == 1:
        return found
    note = f"shards were measured on {' and '.join(machines)}: the last digits may differ from those of one machine"
    return structs.replace(found, notes=(*found.notes, note))


def _absent(parts: Sequence[tuple[str, ShardFile, ShardModel]], without: Sequence[str], partial: bool) -> str:
    """Which shards and how many images are missing, in words; empty where none is.

    Raises:
        DataError: some are and that is not ``partial``, or those that are there do not belong together.
    """
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
    numbers = (number for number in range(1, total + 1) if number not in files)
    named = [f"{number}/{total}" for number in islice(numbers, _NAMED)]  # the total may be any number
    more = total - len(files) - len(named)
    if not named:
        return ""
    names = f"{', '.join(named)}{f' and {more} more' if more else ''}"
    if without:
        names += f" ({', '.join(without)}: no part of this model)"
    if not partial:
        again = f"run `aliasaudit verify --shard {named[0]}` again, or merge the others with --partial"
        raise DataError(f"shards missing: {names}; {again}")
    places = parts[0][2].source.places
    there = sum(len(range(number - 1, places, total)) for number in files)
    lists = (_numbers(range(int(name.partition("/")[0]), places + 1, total)) for name in named)
    which = "; ".join([*filter(None, lists), *(["..."] if more else [])])
    layers = "" if 1 in files else "; layers are in shard 1"
    count = f"{places - there} of {count_text(places, 'image')}{f' ({which})' if which else ''}"
    return f"shards missing: {names}, with {count}{layers}"


def _numbers(places: range) -> str:
    """Places of the list of images in words, counted from 1, such as ``2, 6, ..., 98``."""
    shown = list(map(str, places[:2]))
    return ", ".join([*shown, *(["..."] if len(places) > 3 else []), *map(str, places[2:][-1:])])


def _require_alike(first_file: str, first: ShardModel, file: str, other: ShardModel) -> None:
    """Compare what can be read of the shards of any version."""
    differing = [
        *(["another model"] if first.sha256 != other.sha256 else []),
        *(["other images"] if first.source != other.source else []),
        *(
            f"{name} {first.versions.get(name, 'none')} and {other.versions.get(name, 'none')}"
            for name in sorted({*first.versions, *other.versions})
            if first.versions.get(name) != other.versions.get(name)
        ),
    ]
    if differing:
        raise DataError(f"{first_file} and {file} do not belong together: {', '.join(differing)}")


def _require_planned(first: _Part, other: _Part) -> None:
    threads = [part.plan.settings.threads for part in (first, other)]
    differing = "other options" if _facts(first.plan) != _facts(other.plan) else ""
    if threads[0] != threads[1]:
        differing = f"{threads[0]} and {threads[1]} threads (--threads)"
    if differing:
        raise DataError(f"{first.file} and {other.file} do not belong together: {differing}")


def _facts(plan: RunPlan) -> str:
    """The plan in text, without where files lie."""

    def placeless(packed: Any) -> Any:
        if isinstance(packed, Mapping):
            if packed.get("$") == "path":
                return {"$": "path", "value": str(packed["value"]).rpartition("/")[2]}
            return {key: placeless(value) for key, value in packed.items()}
        return [placeless(item) for item in packed] if isinstance(packed, list) else packed

    return json.dumps(placeless(pack(without_own_limits(plan))), sort_keys=True)
