"""The resolved settings as rows: the key in a settings file, the value as plain JSON, and where it came from."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

from auditor.policy.keys import OPTION_KEYS
from auditor.policy.settings import Selector, Settings
from auditor.policy.words import EVERYTHING


def rows(settings: Settings) -> dict[str, tuple[Any, str]]:
    """Value and origin by key, tables with a row per entry; an empty table has none."""
    values = {key: _plain(getattr(settings, key.replace("-", "_"))) for key in OPTION_KEYS if key != "input-shapes"}
    if settings.select is None:
        values["select"] = [EVERYTHING]
    for field in fields(settings.limits):
        values[f"limits.{field.name.replace('_', '-')}"] = getattr(settings.limits, field.name)
    for name, shape in settings.input_shapes.items():
        values[f"input-shapes.{name}"] = "x".join(map(str, shape))
    for pattern, selectors in settings.per_model_ignore.items():
        values[f"per-model-ignore.{pattern}"] = [selector.text for selector in selectors]
    for rule, given in settings.rules.items():
        values |= {f"rule.{rule}.{option}": value for option, value in given.items()}
    known = {name: (value, str(settings.origin(name))) for name, value in values.items()}
    return known | _measuring_rows(settings) | _policy_rows(settings)


def _measuring_rows(settings: Settings) -> dict[str, tuple[Any, str]]:
    """How models are measured, those of a pattern by a row for each of its options; the origin is that of the table."""
    table: dict[str, tuple[Any, str]] = {}
    for name, value in settings.verify.items():
        given = {f".{option}": inner for option, inner in value.items()} if isinstance(value, dict) else {"": value}
        origin = str(settings.origin(f"verify.{name}"))
        table |= {f"verify.{name}{option}": (_plain(inner), origin) for option, inner in given.items()}
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Selector):
        return value.text
    if isinstance(value, Path):
        return value.as_posix()
    return value.value if isinstance(value, Enum) else value


def _policy_rows(settings: Settings) -> dict[str, tuple[Any, str]]:
    """Waivers, budgets and thresholds; the origin is the one of their table."""
    table: dict[str, tuple[Any, str]] = {}
    for waiver in settings.waivers:
        shown = {key: getattr(waiver, key) for key in ("rule", "model", "node", "fingerprint", "reason", "owner")}
        shown["expires"] = waiver.expires.isoformat() if waiver.expires else ""
        given = {key: value for key, value in shown.items() if value}
        table[f"waiver.{waiver.number}"] = (given, str(settings.origin("waiver")))
    if settings.budgets is not None:
        tables = {"budget": settings.budgets.limits}
        tables |= {f"budget.{pattern}": limits for pattern, limits in settings.budgets.by_model.items()}
        flat = {f"{table}.{name}": limit for table, limits in tables.items() for name, limit in limits.items()}
        flat["budget.ratchet"] = settings.budgets.ratchet
        table |= {name: (value, str(settings.origin("budget"))) for name, value in flat.items()}
    for key, value in settings.compare.items():
        table[f"compare.{key}"] = (value, str(settings.origin(f"compare.{key}")))
    return table
