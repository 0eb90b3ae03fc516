"""Report files beside the report on stdout: ``--report FORMAT=FILE``, as often as wanted, from one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from auditor.cli.errors import UsageError
from auditor.cli.output import refuse_overwriting, say, write_file
from auditor.facts.formats import Format
from auditor.facts.report import Report
from auditor.options.reports import ReportFile
from auditor.report import RenderOptions, render


def refuse_models(files: Iterable[ReportFile], models: Sequence[Path]) -> None:
    """A report never replaces a model.

    Raises:
        UsageError: A report would.
    """
    for file in files:
        refuse_overwriting(file.path, models, "--report")


def write_reports(report: Report, files: Iterable[ReportFile], options: RenderOptions) -> None:
    """Render and write each report, its folder made where it is missing, and say so on stderr unless it is to be quiet.

    Raises:
        UsageError: A file cannot be written.
    """
    write_each(files, options, lambda output_format, plain: render(report, output_format, plain))


def write_each(
    files: Iterable[ReportFile], options: RenderOptions, text: Callable[[Format, RenderOptions], str]
) -> None:
    """As :func:`write_reports`, for what ``text`` renders.

    Raises:
        UsageError: A file cannot be written.
    """
    # A file is read by programs or in another window: nothing of this terminal goes into it.
    options = replace(options, width=None, colour=False, unicode=False, terminal=False)
    for file in files:
        try:
            file.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--report {file.path.as_posix()}: cannot be written: {error.strerror}") from error
        write_file(file.path, text(Format(file.format), options), "--report")
        if not options.quiet:
            say(f"wrote {file.path.as_posix()}")
