"""``aliasaudit schema``: the JSON Schemas of what the program reads and writes."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from auditor.cli.errors import UsageError

_NAMES = ("report", "settings")


def schema(
    name: Annotated[
        str, typer.Argument(metavar="|".join(_NAMES), help="Which schema.", autocompletion=lambda: [*_NAMES])
    ],
) -> None:
    """Print the JSON Schema of the JSON report, or of the settings file."""
    from auditor.cli.output import emit

    if name == "report":
        from auditor.report.json.schema import report_schema as build
    elif name == "settings":
        from auditor.policy.keys import settings_schema as build
    else:
        raise UsageError(f"the schemas are {' and '.join(_NAMES)}")
    emit(json.dumps(build(), indent=1) + "\n")
