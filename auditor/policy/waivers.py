"""Waivers: findings that somebody has accepted, with a reason, until a day or for good.

    [[tool.aliasaudit.waiver]]
    rule = "AA101"
    model = "models/seg*.onnx"
    node = "/stem/*"
    reason = "the stem is retrained with blur in Q3"
    owner = "vision team"
    expires = 2027-01-31

They stand in the repository's settings, never in a model. The day is given, never read here: an audit of the same files
on the same day says the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from auditor.choices import suggestion
from auditor.facts.finding import Finding
from auditor.facts.policy import WaiverFact
from auditor.facts.rule import Need, Rule
from auditor.options.kinds import read_day
from auditor.policy.errors import SettingsError
from auditor.policy.words import names

_FINGERPRINT = re.compile(r"[0-9a-f]{16}(:[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Waiver:
    """One accepted kind of finding. ``number`` counts from 1 in the settings.

    ``rule`` is a word that names rules (empty: any, beside a fingerprint). ``model`` and ``node`` are patterns in which
    ``*`` crosses slashes; a model pattern without a slash is compared with the file name. ``fingerprint`` without its
    ordinal stands for every place that looks alike. ``expires`` is the last day on which the waiver holds.
    """

    number: int
    reason: str
    rule: str = ""
    model: str = "*"
    node: str = ""
    fingerprint: str = ""
    expires: date | None = None
    owner: str = ""

    def speaks_of(self, place: str) -> bool:
        """Whether the waiver is about the model at ``place``, its path relative to the settings."""
        return fnmatchcase(place if "/" in self.model else PurePosixPath(place).name, self.model)

    def matches(self, finding: Finding, rule: Rule) -> bool:
        """Whether the waiver is about a finding of ``rule`` in a model that it speaks of."""
        if self.rule and not names(self.rule, rule):
            return False
        if self.fingerprint and self.fingerprint not in (finding.fingerprint, finding.fingerprint.partition(":")[0]):
            return False
        if not self.node:
            return True
        node = finding.node
        return node is not None and fnmatchcase(node.name.raw or node.output.raw, self.node)

    def holds(self, today: date | None) -> bool:
        """Whether the waiver has not expired. The day must be known where it can; see :func:`check_waivers`."""
        return self.expires is None or (today is not None and today <= self.expires)

    def fact(self, findings: int = 0) -> WaiverFact:
        """The waiver as rules see it."""
        expires = self.expires.isoformat() if self.expires else ""
        return WaiverFact(self.number, self.rule or self.fingerprint, self.owner, expires, findings)


def read_waivers(value: object) -> tuple[Waiver, ...]:
    """The waivers of a settings file.

    Raises:
        ValueError: One is not what it must be; the message says which by its number.
    """
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, dict) for one in value):
        raise ValueError("must be tables: [[tool.aliasaudit.waiver]]")
    return tuple(_waiver(number, table) for number, table in enumerate(value, 1))


def _waiver(number: int, table: Mapping[str, object]) -> Waiver:
    texts: dict[str, str] = {}
    for key, value in table.items():
        if key not in WAIVER_KEYS:
            raise ValueError(f'number {number} has an unknown key "{key}"{suggestion(key, WAIVER_KEYS)}')
        if key != "expires":
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f'number {number} needs words for "{key}"')
            texts[key] = value
    if not texts.get("reason"):
        raise ValueError(f"number {number} needs a reason: say why the finding is accepted")
    if not texts.get("rule") and not texts.get("fingerprint"):
        raise ValueError(f"number {number} needs a rule or a fingerprint")
    if "fingerprint" in texts and not _FINGERPRINT.fullmatch(texts["fingerprint"]):
        raise ValueError(f'number {number}: a fingerprint is written like "9f3c0123456789ab:0"; `--verbose` shows them')
    return Waiver(number, expires=_expiry(number, table.get("expires")), **texts)


def _expiry(number: int, value: object) -> date | None:
    try:
        return None if value is None else read_day(value)
    except ValueError:
        raise ValueError(f"number {number}: expires must be a day such as 2027-01-31") from None


def check_waivers(waivers: Iterable[Waiver], rules: Sequence[Rule], today: date | None, origin: object) -> None:
    """Check what only the rules and the day can tell.

    Raises:
        SettingsError: A waiver names no rule, names rules that are about waivers, or may have expired on a day that
            nobody gave.
    """
    for waiver in waivers:
        where = f"{origin}: waiver number {waiver.number}"
        named = [rule for rule in rules if waiver.rule and names(waiver.rule, rule)]
        if waiver.rule and not named:
            known = [word for rule in rules for word in (rule.code, rule.name)]
            raise SettingsError(f'{where}: no rule is called "{waiver.rule}"{suggestion(waiver.rule, known)}')
        if named and all(Need.POLICY in rule.needs for rule in named):
            raise SettingsError(f"{where}: {waiver.rule} is about the policy itself and cannot be waived; use ignore")
        if waiver.expires is not None and today is None:
            raise SettingsError(f"{where} expires: say which day it is (Settings.today)")


def waivers_schema() -> dict[str, Any]:
    """The JSON Schema of the table."""
    text = {"type": "string", "minLength": 1}
    return {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                name: {"description": meaning, **(text if name != "expires" else {"type": "string", "format": "date"})}
                for name, meaning in WAIVER_KEYS.items()
            },
            "required": ["reason"],
            "anyOf": [{"required": ["rule"]}, {"required": ["fingerprint"]}],
            "additionalProperties": False,
        },
    }


WAIVER_KEYS: Mapping[str, str] = {
    "rule": "The rules whose findings are accepted: a code, a name or a prefix.",
    "model": "The models, by a pattern of their path relative to this file. [default: all]",
    "node": "The nodes, by a pattern of their name; of their first output where they have none. [default: all]",
    "fingerprint": "One place in a model; without the number behind the colon every place that looks alike.",
    "reason": "Why the findings are accepted.",
    "expires": "The last day on which the waiver holds.",
    "owner": "Who answers for it.",
}
