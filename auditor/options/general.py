"""The options that most commands share: where settings come from, which rules run, what fails, and what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from auditor.options.kinds import choice, day, file, folders, shapes, switch, versioned, whole_bytes, words
from auditor.options.option import Group, option
from auditor.options.panels import Panel
from auditor.options.reports import ReportFile, reports


class Sources(Group):
    """Where settings come from, and the day on which waivers are judged."""

    allow_rule_dirs: bool = option(switch(), "Let the settings file name rule packs.", Panel.RARE)
    today: date | None = option(day("DAY"), "Judge waivers as on YYYY-MM-DD.", Panel.RARE, shown="today")
    config: Path | None = option(file("FILE"), "Read this settings file.", Panel.RARE)
    isolated: bool = option(switch(), "Read no settings file.", Panel.RARE)


class InputShapes(Group, table=""):
    """What a model leaves open."""

    input_shape: Mapping[str, tuple[int, ...]] = option(
        shapes("NAME=SHAPE"),
        "Size an open input: image=1x3x224x224. The full shape of an input by its name, where that is open.",
        Panel.INPUT,
        key="input-shapes",
        default={},
    )


class Selection(Group, table=""):
    """Which rules run."""

    select: tuple[str, ...] = option(
        words("RULES", strict=True), "Run only these: codes, prefixes (AA1), names, ALL.", Panel.RULES
    )
    ignore: tuple[str, ...] = option(
        words("RULES", strict=True), "Do not run these rules. The more specific word wins.", Panel.RULES
    )
    extend_select: tuple[str, ...] = option(
        words("RULES", strict=True), "Run these on top of the selected ones.", Panel.RULES
    )
    target: tuple[str, ...] = option(
        versioned("TARGETS"),
        "Also audit for runtimes: openvino, tensorrt>=10.",
        Panel.RULES,
        key="targets",
    )
    rules: tuple[str, ...] = option(
        folders("DIR"),
        "Also load this rule pack; its code runs. In a settings file relative to it, and only with --allow-rule-dirs.",
        Panel.RARE,
        key="rule-dirs",
    )


class Policy(Group, table=""):
    """What fails a run."""

    fail_on: str = option(choice("LEVEL|never"), "Exit with 1 at this level or above.", Panel.VERDICT, default="error")
    min_severity: str = option(choice("LEVEL"), "Hide findings below this severity.", Panel.VERDICT, default="note")
    baseline: Path | None = option(
        file("FILE"), "Known findings; only new ones fail. In a settings file relative to it.", Panel.VERDICT
    )
    no_waivers: bool = option(switch(), "Ignore waivers.", Panel.VERDICT, key="waiver", stands_for=())
    strict: bool = option(switch(), "Fail on waivers and baseline entries without a match.", Panel.VERDICT)


class Output(Group):
    """How the report is shown."""

    output_format: str = option(choice("FORMAT"), "Format of the report.", Panel.REPORT, default="text", table="")
    exit_zero: bool = option(switch(), "Exit with 0 even when there are findings.", Panel.VERDICT)
    output: Path | None = option(
        file("FILE"), "Write the report to this file, not to stdout.", Panel.REPORT, "--output", "-o"
    )
    report: tuple[ReportFile, ...] = option(
        reports("FORMAT=FILE"), "Also write a report to this file; repeatable.", Panel.REPORT
    )
    statistics: bool = option(switch(), "Count the findings per rule.", Panel.REPORT)
    show_waived: bool = option(switch(), "Also list findings that do not count, and why.", Panel.REPORT)
    show_all: bool = option(switch(), "Show every row of a long list on a terminal.", Panel.REPORT, "--all")
    quiet: bool = option(switch(), "Show findings and the summary only.", Panel.REPORT, "--quiet", "-q")
    verbose: bool = option(switch(), "Show the numbers behind each finding.", Panel.REPORT, "--verbose", "-v")
    no_thumbnails: bool = option(switch(), "Put no pictures into an HTML report.", Panel.RARE)
    markdown_limit: int = option(whole_bytes("BYTES", 1000), "Longest Markdown report.", Panel.RARE, default=1_000_000)
    color: str = option(choice("WHEN"), "Colour on stdout.", Panel.RARE, default="auto")
    no_progress: bool = option(switch(), "Show no progress bar on stderr.", Panel.RARE)
    debug: bool = option(switch(), "Show tracebacks of internal errors.", Panel.RARE, program=True)


class TextOrJson(Group):
    """The report of a command that is not an audit."""

    output_format: str = option(choice("text|json"), "Format of the report.", Panel.REPORT, default="text")

    @property
    def output(self) -> Output:
        """The same as what settings are made of, where it was given."""
        return Output(**{name: getattr(self, name) for name in self.given})
