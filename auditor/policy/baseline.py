"""The baseline: the findings known today, so that only new ones fail.

One committed JSON file, sorted, one finding per line, without dates and without paths of a machine, so that its diff
reads well and two branches merge. A finding is known by its fingerprint, else by the name of its node: exporters rename
nodes, and an operator put in close by changes a fingerprint, but seldom both at once.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from auditor.codec import DocumentError, Json, builtins, convert, parse
from auditor.facts.finding import Finding
from auditor.files import read_whole
from auditor.policy.errors import SettingsError
from auditor.text import inert_json

DEFAULT_NAME = "aliasaudit-baseline.json"
VERSION = 1


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One known finding. ``model`` is its path in the project; ``node`` the raw name, which may be empty.

    ``node`` came from a model and is only ever compared, or written as JSON.
    """

    model: str
    rule: str
    node: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class KnownCount:
    """What a model had of a budget when the file was written."""

    model: str
    budget: str
    count: float

    def __post_init__(self) -> None:
        if not 0 <= self.count < math.inf:
            raise ValueError("expected a number of 0 or more")


@dataclass(frozen=True, slots=True)
class SavedBaseline:
    """The file of known findings. ``version`` is that of its form."""

    version: int = VERSION
    findings: tuple[Entry, ...] = ()
    budgets: tuple[KnownCount, ...] = ()


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was known. ``counts`` are what each model had of each budget when it was written, for the ratchet."""

    entries: tuple[Entry, ...] = ()
    counts: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def of(self, model: str) -> tuple[Entry, ...]:
        """The entries of one model."""
        return tuple(entry for entry in self.entries if entry.model == model)


@dataclass(frozen=True, slots=True)
class Match:
    """``known`` are indices of findings, ``used`` the entries that they were recognised by, ``stale`` all others."""

    known: frozenset[int]
    used: tuple[Entry, ...]
    stale: tuple[Entry, ...]


def entry(place: str, finding: Finding) -> Entry:
    """The baseline's line for a finding of the model at ``place``."""
    return Entry(place, finding.rule, finding.node.name.raw if finding.node is not None else "", finding.fingerprint)


def match(entries: Sequence[Entry], findings: Sequence[Finding]) -> Match:
    """Recognise findings of one model: each entry accepts one finding, by fingerprint first, then by rule and name."""
    left = list(entries)
    known: set[int] = set()
    used: list[Entry] = []
    for key in (_by_fingerprint, _by_name):
        waiting: dict[tuple[str, str], list[Entry]] = {}
        for one in left:
            waiting.setdefault(key(one), []).append(one)
        for index, finding in enumerate(findings):
            wanted = key(entry("", finding))
            if index not in known and wanted[1] and waiting.get(wanted):
                used.append(waiting[wanted].pop(0))
                known.add(index)
        left = [one for group in waiting.values() for one in group]
    return Match(frozenset(known), tuple(sorted(used)), tuple(sorted(left)))


def _by_fingerprint(one: Entry) -> tuple[str, str]:
    return (one.rule, one.fingerprint)


def _by_name(one: Entry) -> tuple[str, str]:
    return (one.rule, one.node)


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit says of one model: the findings that a baseline may hold, the codes of the rules that ran.

    ``counts`` are what it has of each budget that the ratchet holds, by the budget's name.
    """

    place: str
    findings: tuple[Finding, ...]
    ran: frozenset[str]
    counts: Mapping[str, float] = field(default_factory=dict)


def written(old: Baseline, audited: Iterable[Audited]) -> Baseline:
    """The baseline that accepts every finding of the audited models.

    What it said of other models, and of rules that did not run, stays.
    """
    audited = tuple(audited)
    entries = [*_untouched(old, audited), *(entry(one.place, found) for one in audited for found in one.findings)]
    counts = {key: count for key, count in old.counts.items() if key[0] not in {one.place for one in audited}}
    counts |= {(one.place, name): count for one in audited for name, count in one.counts.items()}
    return Baseline(tuple(sorted(set(entries))), counts)


def pruned(old: Baseline, audited: Iterable[Audited]) -> Baseline:
    """The baseline without entries that match nothing, the others brought up to date, and budgets only lowered."""
    audited = tuple(audited)
    entries = _untouched(old, audited)
    counts = dict(old.counts)
    for one in audited:
        known = match([each for each in old.of(one.place) if each.rule in one.ran], one.findings).known
        entries += [entry(one.place, found) for index, found in enumerate(one.findings) if index in known]
        for name, count in one.counts.items():
            counts[one.place, name] = min(count, counts.get((one.place, name), count))
    return Baseline(tuple(sorted(set(entries))), counts)


def _untouched(old: Baseline, audited: Sequence[Audited]) -> list[Entry]:
    ran = {one.place: one.ran for one in audited}
    return [one for one in old.entries if one.rule not in ran.get(one.model, ())]


def stale_by_rule(entries: Iterable[Entry]) -> dict[str, int]:
    """How many entries there are per rule, by code."""
    return dict(sorted(Counter(one.rule for one in entries).items()))


def dump(baseline: Baseline) -> str:
    """The file's text. Names keep their exact text and are inert as bytes."""
    findings = [_line(builtins(one)) for one in sorted(set(baseline.entries))]
    counts = [
        _line({"model": model, "budget": name, "count": int(count) if count == int(count) else count})
        for (model, name), count in sorted(baseline.counts.items())
    ]
    parts = [f' "version": {VERSION}', _list("findings", findings)]
    if counts:
        parts.append(_list("budgets", counts))
    return inert_json("{\n" + ",\n".join(parts) + "\n}\n")


def _line(values: Json) -> str:
    return json.dumps(values, ensure_ascii=True, sort_keys=False)


def _list(name: str, lines: Sequence[str]) -> str:
    return f' "{name}": [' + ("\n  " + ",\n  ".join(lines) + "\n " if lines else "") + "]"


def load(path: Path, shown: str = "") -> Baseline:
    """Read a baseline. ``shown`` is what the user calls the file.

    Raises:
        SettingsError: It cannot be read, or is no baseline.
    """
    where = f"baseline {shown or path.as_posix()}"
    try:
        text = read_whole(path).decode("utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{where}: there is no such file; `aliasaudit baseline write` makes it") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(f"{where}: cannot be read: {reason}") from error
    try:
        document = parse(text)
        if not isinstance(document, dict) or document.get("version") != VERSION:
            raise SettingsError(f"{where}: is no baseline of version {VERSION}; `aliasaudit baseline write` makes one")
        saved = convert(document, SavedBaseline)
    except DocumentError as error:
        raise SettingsError(f"{where}: {error}; write it again") from error
    return Baseline(tuple(sorted(saved.findings)), {(one.model, one.budget): one.count for one in saved.budgets})
