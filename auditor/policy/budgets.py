"""Budgets: how many findings of a rule, how much subsampling and how much aliasing one model may have.

    [tool.aliasaudit.budget]
    AA101 = 2
    "AA2*" = 0
    max-subsampling = 32
    max-alias-energy = 0.25
    ratchet = true

    [tool.aliasaudit.budget."models/seg*.onnx"]
    AA101 = 5

Every budget holds per model. Waived findings do not count, findings of the baseline do. With ``ratchet`` a budget is
never more than what the baseline recorded: pruning the baseline lowers it, and only writing it anew raises it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

from auditor.choices import suggestion
from auditor.facts.finding import Finding
from auditor.facts.policy import Overrun
from auditor.facts.rule import Rule
from auditor.policy.errors import SettingsError
from auditor.policy.words import names, unmatched
from auditor.sampling.result import WorstAlias

SUBSAMPLING = "max-subsampling"
ALIAS = "max-alias-energy"
MEASURES = (SUBSAMPLING, ALIAS)
RATCHET = "ratchet"


@dataclass(frozen=True, slots=True)
class Budgets:
    """The limits by name, for all models and by the pattern of a model's path; ``ratchet`` as described above."""

    limits: Mapping[str, float]
    by_model: Mapping[str, Mapping[str, float]]
    ratchet: bool = False

    def of(self, place: str) -> dict[str, float]:
        """The limits of the model at ``place``: its own tables over the general one."""
        limits = dict(self.limits)
        for pattern, own in self.by_model.items():
            if fnmatchcase(place if "/" in pattern else PurePosixPath(place).name, pattern):
                limits |= own
        return limits


NO_BUDGETS = Budgets({}, {})


def read_budgets(value: object) -> Budgets:
    """The budgets of a settings file.

    Raises:
        ValueError: An entry is not what it must be.
    """
    if not isinstance(value, dict):
        raise ValueError("must be a table")
    ratchet = value.get(RATCHET, False)
    if not isinstance(ratchet, bool):
        raise ValueError(f"needs true or false for {RATCHET}")
    by_model = {name: _limits(table) for name, table in value.items() if isinstance(table, dict)}
    general = {name: limit for name, limit in value.items() if name != RATCHET and not isinstance(limit, dict)}
    return Budgets(_limits(general), by_model, ratchet)


def _limits(table: Mapping[str, object]) -> dict[str, float]:
    limits: dict[str, float] = {}
    for name, limit in table.items():
        whole = name not in MEASURES
        if isinstance(limit, bool) or not isinstance(limit, int if whole else int | float) or not limit >= 0:
            raise ValueError(f'needs {"a whole number" if whole else "a number"} of 0 or more for "{name}"')
        if name == ALIAS and limit > 1:
            raise ValueError(f'needs a share from 0 to 1 for "{name}", such as 0.25')
        limits[name] = float(limit)
    return limits


def check_budgets(budgets: Budgets, rules: Sequence[Rule], origin: object) -> None:
    """Check that every budget is one of a rule that exists.

    Raises:
        SettingsError: One is not.
    """
    known = [*MEASURES, *(word for rule in rules for word in (rule.code, rule.name))]
    for limits in (budgets.limits, *budgets.by_model.values()):
        for name in limits:
            if name not in MEASURES and unmatched(_word(name), rules):
                raise SettingsError(f'{origin}: budget: no rule is called "{name}"{suggestion(name, known)}')


def counted(
    limits: Iterable[str],
    findings: Iterable[Finding],
    subsampling: Fraction | None,
    rules: Mapping[str, Rule],
    alias: WorstAlias | None = None,
) -> dict[str, float]:
    """What one model has of each budget. ``subsampling`` and ``alias``, that of its worst site, count where known.

    ``rules`` are all, by code.
    """
    # To four decimals, as findings say it: a budget at the number of the report holds.
    measures = {SUBSAMPLING: subsampling, ALIAS: None if alias is None else round(alias.value, 4)}
    findings = list(findings)
    found: dict[str, float] = {}
    for name in limits:
        if name not in MEASURES:
            found[name] = float(sum(names(_word(name), rules[one.rule]) for one in findings))
        elif (value := measures[name]) is not None:
            found[name] = float(value)
    return found


def overruns(
    limits: Mapping[str, float], found: Mapping[str, float], recorded: Mapping[str, float]
) -> tuple[Overrun, ...]:
    """The budgets that are exceeded. ``recorded`` are the bounds of the ratchet, empty where there is none."""
    over = []
    for name, limit in limits.items():
        lowered = min(limit, recorded.get(name, limit))
        if found.get(name, 0.0) > lowered:
            over.append(Overrun(name, lowered, found[name], lowered < limit))
    return tuple(over)


def _word(name: str) -> str:
    """``AA2*`` is the prefix ``AA2``, ``*`` every rule."""
    return name.removesuffix("*") or "ALL"


def budgets_schema() -> dict[str, Any]:
    """The JSON Schema of the table."""
    number = {"type": "number", "minimum": 0}
    share = {**number, "maximum": 1}
    return {
        "type": "object",
        "properties": {
            RATCHET: {"description": "The baseline lowers budgets as findings go away.", "type": "boolean"},
            SUBSAMPLING: {"description": "The largest cumulative factor of any output.", **number},
            ALIAS: {"description": "The largest expected alias energy of a site without anti-aliasing.", **share},
        },
        "additionalProperties": {
            "oneOf": [
                {"type": "integer", "minimum": 0},
                {
                    "type": "object",
                    "properties": {SUBSAMPLING: number, ALIAS: share},
                    "additionalProperties": number,
                },
            ]
        },
    }
