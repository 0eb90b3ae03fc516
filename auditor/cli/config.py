"""``aliasaudit config``: the settings as they are resolved, each with its origin."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditor.cli import options
from auditor.cli.errors import UsageError

if TYPE_CHECKING:
    from auditor.policy.settings import Settings

_FORMATS = ("text", "json")


def config(
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="Only this setting, or the ones below this table.")
    ] = None,
    output_format: Annotated[
        str,
        typer.Option(
            "--output-format",
            metavar="|".join(_FORMATS),
            help="The format of this listing. [default: text]",
            show_default=False,
            autocompletion=lambda: [*_FORMATS],
        ),
    ] = "text",
    file: options.Config = None,
    isolated: options.Isolated = False,
) -> None:
    """Show the settings that apply here, and where each comes from.

    What they mean: `aliasaudit schema settings`.
    """
    from auditor.choices import suggestion
    from auditor.cli.output import emit
    from auditor.text import inert_json, plain

    if output_format not in _FORMATS:
        raise UsageError(f"--output-format must be one of {', '.join(_FORMATS)}")
    # Listing a folder of rules runs nothing.
    rows = _rows(options.settings_from(file, isolated, allow_rule_dirs=True))
    if key is not None:
        chosen = {name: row for name, row in rows.items() if name == key or name.startswith(f"{key}.")}
        if not chosen:
            raise UsageError(f'no setting is called "{key}"{suggestion(key, rows)}')
        rows = chosen
    if output_format == "json":
        document = {name: {"value": value, "origin": origin} for name, (value, origin) in rows.items()}
        emit(inert_json(json.dumps(document, indent=1, sort_keys=True)) + "\n")
        return
    lines = [f"{plain(name)} = {plain(json.dumps(value, ensure_ascii=False))}" for name, (value, _) in rows.items()]
    width = max(map(len, lines))
    origins = [plain(origin) for _, origin in rows.values()]
    emit("".join(f"{line:{width}}  # {origin}\n" for line, origin in zip(lines, origins, strict=True)))


def _rows(settings: Settings) -> dict[str, tuple[Any, str]]:
    """Value and origin by key, tables with a row per entry; an empty table has none."""
    from auditor.policy.words import EVERYTHING

    values: dict[str, Any] = {
        "select": [EVERYTHING] if settings.select is None else [selector.text for selector in settings.select],
        "extend-select": [selector.text for selector in settings.extend_select],
        "ignore": [selector.text for selector in settings.ignore],
        "fail-on": settings.fail_on.value,
        "min-severity": settings.min_severity.value,
        "output-format": settings.output_format.value,
        "rule-dirs": [folder.as_posix() for folder in settings.rule_dirs],
        "baseline": None if settings.baseline is None else settings.baseline.as_posix(),
        "strict": settings.strict,
    }
    for field in fields(settings.limits):
        values[f"limits.{field.name.replace('_', '-')}"] = getattr(settings.limits, field.name)
    for name, shape in settings.input_shapes.items():
        values[f"input-shapes.{name}"] = "x".join(map(str, shape))
    for pattern, selectors in settings.per_model_ignore.items():
        values[f"per-model-ignore.{pattern}"] = [selector.text for selector in selectors]
    for rule, given in settings.rules.items():
        values |= {f"rule.{rule}.{option}": value for option, value in given.items()}
    return {name: (value, str(settings.origin(name))) for name, value in values.items()} | _policy_rows(settings)


def _policy_rows(settings: Settings) -> dict[str, tuple[Any, str]]:
    """Waivers, budgets and thresholds; the origin is the one of their table."""
    rows: dict[str, tuple[Any, str]] = {}
    for waiver in settings.waivers:
        shown = {key: getattr(waiver, key) for key in ("rule", "model", "node", "fingerprint", "reason", "owner")}
        shown["expires"] = waiver.expires.isoformat() if waiver.expires else ""
        given = {key: value for key, value in shown.items() if value}
        rows[f"waiver.{waiver.number}"] = (given, str(settings.origin("waiver")))
    if settings.budgets is not None:
        tables = {"budget": settings.budgets.limits}
        tables |= {f"budget.{pattern}": limits for pattern, limits in settings.budgets.by_model.items()}
        flat = {f"{table}.{name}": limit for table, limits in tables.items() for name, limit in limits.items()}
        flat["budget.ratchet"] = settings.budgets.ratchet
        rows |= {name: (value, str(settings.origin("budget"))) for name, value in flat.items()}
    for key, value in settings.compare.items():
        rows[f"compare.{key}"] = (value, str(settings.origin(f"compare.{key}")))
    return rows
