"""``aliasaudit schema``: the JSON Schemas of what the program reads and writes."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from auditor.choices import suggestion
from auditor.cli.errors import UsageError
from auditor.text import plain

_NAMES = ("report", "comparison", "resize", "settings", "baseline", "tiles", "shard")


def schema(
    name: Annotated[
        str, typer.Argument(metavar="|".join(_NAMES), help="Which schema.", autocompletion=lambda: [*_NAMES])
    ],
) -> None:
    """Print the JSON Schema of a report, a comparison alone, resizes, settings, a baseline, tiles or a shard."""
    from auditor.cli.output import emit
    from auditor.report.json.schema import SCHEMAS

    if name not in SCHEMAS:
        known = ", ".join(SCHEMAS)
        raise UsageError(f'there is no schema "{plain(name, 60)}"{suggestion(name, SCHEMAS)}; the schemas are {known}')
    emit(json.dumps(SCHEMAS[name](), indent=1) + "\n")
