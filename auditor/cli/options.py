"""The options that several commands share, and how they become settings.

Values arrive as plain text and are checked by :mod:`auditor.policy.validate`, like those of a settings file: one set of
rules and of messages for both.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.errors import UsageError

if TYPE_CHECKING:
    from auditor.policy.settings import Layer, Settings

FORMATS = ("text", "json", "sarif", "github", "markdown", "junit", "gitlab", "html")
LEVELS = ("error", "warning", "note")
COLOR_CHOICES = ("auto", "always", "never")

FORMAT_VARIABLE = "ALIASAUDIT_OUTPUT_FORMAT"
CONFIG_VARIABLE = "ALIASAUDIT_CONFIG"
PROGRESS_VARIABLE = "ALIASAUDIT_NO_PROGRESS"


def _rule_words(incomplete: str) -> list[str]:
    """Shell completion of codes and names."""
    from auditor.audit.packs import load_builtin

    words = [word for rule in load_builtin().rules for word in (rule.code, rule.name)]
    return [word for word in words if word.startswith(incomplete)]


Models = Annotated[
    list[str],
    typer.Argument(metavar="MODEL", help="ONNX files, folders (walked for *.onnx), or - for standard input."),
]
Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="RULES",
        help="Run only these rules: codes, prefixes (AA1), names, ALL; separated by commas.",
        autocompletion=_rule_words,
    ),
]
ExtendSelect = Annotated[
    list[str] | None,
    typer.Option(
        "--extend-select",
        metavar="RULES",
        help="Run these rules on top of the selected ones.",
        autocompletion=_rule_words,
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="RULES", help="Do not run these rules.", autocompletion=_rule_words),
]
RuleFolders = Annotated[
    list[str] | None,
    typer.Option("--rules", metavar="DIR", help="Also load the rule pack in this folder; its code runs."),
]
AllowRuleDirs = Annotated[
    bool,
    typer.Option("--allow-rule-dirs", help="Allow the settings file to name folders of rules; their code runs."),
]
FailOn = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        metavar="|".join((*LEVELS, "never")),
        help="Exit with 1 from this severity on. [default: error]",
        autocompletion=lambda: [*LEVELS, "never"],
    ),
]
MinSeverity = Annotated[
    str | None,
    typer.Option(
        "--min-severity",
        metavar="|".join(LEVELS),
        help="Leave lighter findings out. [default: note]",
        autocompletion=lambda: [*LEVELS],
    ),
]
ExitZero = Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 even when there are findings.")]
OutputFormat = Annotated[
    str | None,
    typer.Option(
        "--output-format",
        metavar="|".join(FORMATS),
        help=f"The format of the report; also {FORMAT_VARIABLE}. [default: text]",
        autocompletion=lambda: [*FORMATS],
    ),
]
Reports = Annotated[
    list[str] | None,
    typer.Option(
        "--report", metavar="FORMAT=FILE", help="Also write a report to this file; give it as often as wanted."
    ),
]
MarkdownLimit = Annotated[
    str | None,
    typer.Option(
        "--markdown-limit",
        metavar="BYTES",
        help="The longest Markdown report; GitHub takes 65536 in a comment. [default: 1000000]",
    ),
]
OutputFile = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write the report to this file instead of stdout."),
]
InputShape = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape",
        metavar="NAME=SHAPE",
        help="The shape of an input that the model leaves open, such as image=1x3x224x224.",
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option("--baseline", metavar="FILE", help="Known findings; only new ones fail. `baseline write` makes it."),
]
NoWaivers = Annotated[
    bool, typer.Option("--no-waivers", help="Show the bare truth: waivers of the settings do not hold.")
]
ShowWaived = Annotated[
    bool, typer.Option("--show-waived", help="Also list the findings that do not count, each with the reason.")
]
Today = Annotated[
    str | None,
    typer.Option("--today", metavar="DAY", help="Judge waivers as on this day, YYYY-MM-DD. [default: today in UTC]"),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Waivers and entries of the baseline that match nothing fail the run.")
]
Config = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help=f"Read this settings file; also {CONFIG_VARIABLE}."),
]
Isolated = Annotated[bool, typer.Option("--isolated", help="Read no settings file.")]
Color = Annotated[
    str,
    typer.Option(
        "--color",
        metavar="|".join(COLOR_CHOICES),
        help="Colour on stdout; NO_COLOR and FORCE_COLOR count under auto. [default: auto]",
        show_default=False,
        autocompletion=lambda: [*COLOR_CHOICES],
    ),
]
NoProgress = Annotated[
    bool, typer.Option("--no-progress", help=f"Show no progress bar on stderr; also {PROGRESS_VARIABLE}.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show findings and the summary only, no hints.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the numbers behind each finding.")]
Statistics = Annotated[bool, typer.Option("--statistics", help="Count the findings per rule.")]


def settings_from(
    config: str | None = None,
    isolated: bool = False,
    allow_rule_dirs: bool = False,
    command_line: dict[str, object] | None = None,
    today: str | None = None,
) -> Settings:
    """The settings of this run: one file, the environment, and what the command line gave (None values left out).

    ``today`` is the day on which waivers are judged; None is the one that the clock says.

    Raises:
        SettingsError: A value is not valid.
        UsageError: The settings file names folders of rules, which was not allowed.
    """
    from auditor.policy.discover import project_root
    from auditor.policy.settings import DEFAULT, Layer, Origin, Source, resolve
    from auditor.policy.validate import check_values

    layers = [Layer(DEFAULT, {}, project_root(Path.cwd()))]
    found = _file_layer(config, isolated)
    if found is not None:
        if found.values.get("rule-dirs") and not allow_rule_dirs:
            raise UsageError(
                f"{found.origin}: rule-dirs names folders whose code would run; give --allow-rule-dirs to trust them"
            )
        layers.append(found)
    environment = Origin(Source.ENVIRONMENT, f"environment variable {FORMAT_VARIABLE}")
    if os.environ.get(FORMAT_VARIABLE):
        values = check_values({"output-format": os.environ[FORMAT_VARIABLE]}, environment)
        layers.append(Layer(environment, values))
    typed = Origin(Source.COMMAND_LINE, "command line")
    given = {key: value for key, value in (command_line or {}).items() if value is not None}
    folders = given.pop("rule-dirs", None)
    values = check_values(given, typed)
    if isinstance(folders, list):  # named here, they are trusted, and come on top of those of the file
        earlier = found.values.get("rule-dirs", ()) if found is not None else ()
        values["rule-dirs"] = (*earlier, *(Path(folder) for folder in folders))
    return replace(resolve([*layers, Layer(typed, values)]), today=_day(today))


def policy(baseline: str | None, no_waivers: bool, strict: bool) -> dict[str, object]:
    """The settings behind the flags of the policy."""
    return {"baseline": baseline, "waiver": [] if no_waivers else None, "strict": strict or None}


def _day(given: str | None) -> date:
    from datetime import datetime, timezone

    from auditor.policy.waivers import read_day

    if given is None:
        return datetime.now(timezone.utc).date()
    try:
        return read_day(given)
    except ValueError as error:
        raise UsageError(f"--today {given}: {error}") from None


def words(given: Sequence[str] | None) -> list[str] | None:
    """Words separated by commas, over all uses of a repeatable option; None where it was not used."""
    if not given:
        return None
    return [word.strip() for text in given for word in text.split(",") if word.strip()]


def shapes(given: Sequence[str] | None) -> dict[str, object] | None:
    """``NAME=1x3x224x224`` by name. Names may hold ``=``, shapes never do.

    Raises:
        UsageError: There is no name.
    """
    table: dict[str, object] = {}
    for text in given or ():
        name, equals, shape = text.rpartition("=")
        if not equals or not name:
            raise UsageError(f'--input-shape {text}: write the input\'s name and its shape, as in "image=1x3x224x224"')
        table[name] = shape
    return table or None


def given(options: dict[str, object]) -> dict[str, object] | None:
    """The options that were used, None where none was."""
    return {name: value for name, value in options.items() if value not in (None, [])} or None


def _file_layer(config: str | None, isolated: bool) -> Layer | None:
    from auditor.policy.discover import find_layer, read_layer

    if isolated:
        if config is not None:
            raise UsageError("--isolated reads no settings file, so it cannot go with --config")
        return None
    named = config or os.environ.get(CONFIG_VARIABLE)
    return read_layer(Path(named), Path.cwd()) if named else find_layer(Path.cwd())
