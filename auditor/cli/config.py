"""``aliasaudit config``: the settings as they are resolved, each with its origin."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from auditor.cli.errors import UsageError
from auditor.cli.flags import flags
from auditor.cli.options import settings_from
from auditor.options.flatten import Only
from auditor.options.general import Sources, TextOrJson


@flags
def config(
    report: TextOrJson,
    sources: Annotated[Sources, Only("config", "isolated")],
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="Only this setting, or the ones below this table.")
    ] = None,
) -> None:
    """Show the settings that apply here, and where each comes from.

    What they mean: `aliasaudit schema settings`. The environment counts too: ALIASAUDIT_CONFIG is --config,
    ALIASAUDIT_OUTPUT_FORMAT is --output-format, ALIASAUDIT_NO_PROGRESS is --no-progress, and NO_COLOR and FORCE_COLOR
    decide what --color auto means.
    """
    from auditor.choices import suggestion
    from auditor.cli.output import emit
    from auditor.policy.rows import rows
    from auditor.text import inert_json, plain

    # Listing a folder of rules runs nothing.
    table = rows(settings_from(sources.but(allow_rule_dirs=True)))
    if key is not None:
        chosen = {name: row for name, row in table.items() if name == key or name.startswith(f"{key}.")}
        if not chosen:
            raise UsageError(f'no setting is called "{key}"{suggestion(key, table)}')
        table = chosen
    if report.output_format == "json":
        document = {name: {"value": value, "origin": origin} for name, (value, origin) in table.items()}
        emit(inert_json(json.dumps(document, indent=1, sort_keys=True)) + "\n")
        return
    lines = [f"{plain(name)} = {plain(json.dumps(value, ensure_ascii=False))}" for name, (value, _) in table.items()]
    width = max(map(len, lines))
    origins = [plain(origin) for _, origin in table.values()]
    emit("".join(f"{line:{width}}  # {origin}\n" for line, origin in zip(lines, origins, strict=True)))
