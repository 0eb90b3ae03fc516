"""The tables of what targets make of forms: one TOML file per target beside the rules, read only when one is asked for.

A table says with which ``versions`` of the target it was made, which of them was ``measured`` (empty: none, it rests on
sources and threads), the forms that are the ``same`` as in onnxruntime, and per other form what happens.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from auditor.choices import suggestion
from auditor.targets.versions import VersionRange, version_range

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SPEC = re.compile(r"([a-z][a-z0-9-]*)\s*((?:[<>=].*)?)")


class Effect(Enum):
    """What a target makes of a form that it does not compute as onnxruntime does."""

    IGNORED = "ignored"
    DIFFERS = "differs"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class TableEntry:
    """What one target makes of one form. ``does`` says what it computes or how it refuses, without a full stop.

    ``error`` is the largest difference on noise of standard deviation 1, None where it was not measured or the shape is
    another. ``evidence`` are threads, or the source that was read; without any it was measured.
    """

    form: str
    effect: Effect
    does: str
    error: float | None
    evidence: tuple[str, ...]
    versions: VersionRange


@dataclass(frozen=True, slots=True)
class TargetTable:
    """One target. ``measured`` is the version that was run, empty where none was."""

    name: str
    title: str
    versions: VersionRange
    measured: str
    same: frozenset[str]
    entries: tuple[TableEntry, ...]


@dataclass(frozen=True, slots=True)
class RequestedTarget:
    """A target to audit for: its table, and the versions that were asked for."""

    text: str
    table: TargetTable
    versions: VersionRange


def table_folder() -> Path:
    """Where the tables lie: beside the rules, in a wheel and in a checkout."""
    here = Path(__file__).resolve().parents[1]
    folders = [here / "rules" / "targets", here.parent / "rules" / "targets"]
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def target_names() -> tuple[str, ...]:
    """The targets of which there is a table."""
    return tuple(sorted(path.stem for path in table_folder().glob("*.toml")))


def read_targets(words: Sequence[str]) -> tuple[RequestedTarget, ...]:
    """The targets that words such as ``openvino`` and ``tensorrt>=10`` name, with their tables.

    Raises:
        ValueError: A word is no target, or its versions are no range.
    """
    return tuple(_target(word) for word in dict.fromkeys(words))


def _target(word: str) -> RequestedTarget:
    known = target_names()
    match = _SPEC.fullmatch(word.strip())
    name = match[1] if match else word.strip()
    if match is None or name not in known:
        raise ValueError(f'there is no target "{name}"{suggestion(name, known)}; known are {", ".join(known)}')
    return RequestedTarget(word.strip(), load_table(name), version_range(match[2]))


def load_table(name: str) -> TargetTable:
    """The table of one target. Raises OSError, KeyError or ValueError where it is missing or damaged."""
    data = tomllib.loads((table_folder() / f"{name}.toml").read_text(encoding="utf-8"))
    versions = version_range(data["versions"])
    return TargetTable(
        name=name,
        title=data["title"],
        versions=versions,
        measured=data.get("measured", ""),
        same=frozenset(data["same"]),
        entries=tuple(_entry(entry, versions) for entry in data.get("form", ())),
    )


def _entry(data: Mapping[str, object], versions: VersionRange) -> TableEntry:
    evidence, error = data.get("evidence", []), data.get("error")
    if not isinstance(evidence, list) or not (error is None or isinstance(error, int | float)):
        raise TypeError(f"the entry {data.get('name')} is damaged")
    return TableEntry(
        form=str(data["name"]),
        effect=Effect(data["effect"]),
        does=str(data["does"]),
        error=None if error is None else float(error),
        evidence=tuple(str(thread) for thread in evidence),
        versions=version_range(str(data["versions"])) if "versions" in data else versions,
    )
