"""``aliasaudit report``: render a saved JSON report again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.errors import UsageError
from auditor.cli.flags import flags
from auditor.cli.options import settings_from
from auditor.files import read_whole
from auditor.options.flatten import Only
from auditor.options.general import Output, Policy, Sources

if TYPE_CHECKING:
    from auditor.facts.report import Report

_STDIN = "-"


@flags
def report(
    saved: Annotated[
        str, typer.Argument(metavar="REPORT", help="A report in the format json, or - for standard input.")
    ],
    output: Annotated[Output, Only(without=("exit_zero", "show_waived", "no_progress", "no_thumbnails"))],
    policy: Annotated[Policy, Only("fail_on")],
) -> None:
    """Render a saved JSON report again, in any format, without running anything.

    --fail-on says from which severity on a JUnit test fails; the exit code is 0 whatever the report holds.
    """
    from dataclasses import replace

    from auditor.cli.output import deliver, render_options
    from auditor.cli.reports import write_reports
    from auditor.policy.verdict import failing_from
    from auditor.report import render

    settings, target = settings_from(Sources(isolated=True), output, policy), output.output
    for path in (*(file.path for file in output.report), *([target] if target is not None else [])):
        if path.exists() and Path(saved).exists() and path.samefile(saved):
            raise UsageError(f"{path.as_posix()}: is the report that is read; choose another name")
    to_file, whole = target is not None, output.show_all
    look = render_options(output.color, to_file, output.quiet, output.verbose, output.statistics, whole)
    look = replace(look, fail_on=failing_from(settings.fail_on), max_bytes=output.markdown_limit)
    found = _read(saved)
    write_reports(found, output.report, look)
    deliver(render(found, settings.output_format, look), target, output.quiet)


def _read(name: str) -> Report:
    from auditor.audit.packs import load_builtin
    from auditor.codec import DocumentError
    from auditor.report.json.document import read_report

    read: Callable[[], bytes] = sys.stdin.buffer.read if name == _STDIN else partial(read_whole, Path(name))
    pack = load_builtin()
    try:
        return read_report(read(), {rule.code: pack.page(rule.code) for rule in pack.rules})
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from error
    except DocumentError as error:
        raise UsageError(f"{name}: {error}; a report is what --output-format json writes") from error
