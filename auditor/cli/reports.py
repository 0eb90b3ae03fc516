"""Report files beside the report on stdout: ``--report FORMAT=FILE``, as often as wanted, from one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from auditor.cli.errors import UsageError
from auditor.cli.images_file import with_images_file
from auditor.cli.output import refuse_overwriting, say, write_file
from auditor.facts.formats import Format
from auditor.facts.report import Report
from auditor.options.reports import ReportFile
from auditor.report import RenderOptions, pages, render
from auditor.text import count_text


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
    for folder in [file for file in files if file.folder]:
        _write_folder(report, folder.path, _of_a_file(options))
    for file in files:
        if not file.folder:
            _write_file(report, file, options)


def _write_file(report: Report, file: ReportFile, options: RenderOptions) -> None:
    _make(file.path.parent)
    named = with_images_file(report, Format(file.format), file.path, "--report", options.quiet)
    write_each([file], options, lambda output_format, plain: render(named, output_format, plain))


def _write_folder(report: Report, folder: Path, options: RenderOptions) -> None:
    made = pages(report, options)
    _make(folder)
    for name, text in made.items():
        write_file(folder / name, text, "--report")
    if not options.quiet:
        say(f"wrote {(folder / next(iter(made))).as_posix()} and {count_text(len(made) - 1, 'page')} beside it")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--report {folder.as_posix()}: cannot be written: {error.strerror}") from error


def _of_a_file(options: RenderOptions) -> RenderOptions:
    """A file is read by programs or in another window: nothing of this terminal goes into it."""
    return replace(options, width=None, colour=False, unicode=False, terminal=False)


def write_each(
    files: Iterable[ReportFile], options: RenderOptions, text: Callable[[Format, RenderOptions], str]
) -> None:
    """As :func:`write_reports`, for what ``text`` renders.

    Raises:
        UsageError: A file cannot be written.
    """
    options = _of_a_file(options)
    for file in files:
        if file.folder:
            raise UsageError(f"--report {file.path.as_posix()}: is a folder; write a file name behind it")
        _make(file.path.parent)
        write_file(file.path, text(Format(file.format), options), "--report")
        if not options.quiet:
            say(f"wrote {file.path.as_posix()}")
