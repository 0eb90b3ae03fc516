"""Report files beside the report on stdout: ``--report FORMAT=FILE``, as often as wanted, from one run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.choices import suggestion
from auditor.cli.errors import UsageError
from auditor.cli.output import refuse_overwriting, say, write_file
from auditor.facts.formats import Format
from auditor.facts.report import Report
from auditor.report import RenderOptions, render

_LEAST_BYTES = 1000  # a headline and the words that the rest was cut


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A report to write."""

    format: Format
    path: Path


def report_files(given: Sequence[str] | None) -> tuple[ReportFile, ...]:
    """``FORMAT=FILE`` taken apart.

    Raises:
        UsageError: The format is unknown, the file's folder cannot be, or two reports would go to one file.
    """
    files = tuple(_report_file(text) for text in given or ())
    seen: set[Path] = set()
    for file in files:
        if file.path.resolve() in seen:
            raise UsageError(f"--report {file.path.as_posix()}: two reports go to this file; name it once")
        seen.add(file.path.resolve())
    return files


def markdown_bytes(given: str | None) -> int:
    """The bound on a Markdown report.

    Raises:
        UsageError: It is no number, or one too small for any report.
    """
    if given is None:
        return RenderOptions().max_bytes
    if not given.isdecimal() or int(given) < _LEAST_BYTES:
        raise UsageError(f"--markdown-limit must be a number of bytes, at least {_LEAST_BYTES}")
    return int(given)


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
    # A file is read by programs or in another window: nothing of this terminal goes into it.
    options = replace(options, width=None, colour=False, unicode=False, terminal=False)
    for file in files:
        try:
            file.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--report {file.path.as_posix()}: cannot be written: {error.strerror}") from error
        write_file(file.path, render(report, file.format, options), "--report")
        if not options.quiet:
            say(f"wrote {file.path.as_posix()}")


def _report_file(text: str) -> ReportFile:
    word, equals, name = text.partition("=")
    if not equals or not name:
        raise UsageError(f'--report {text}: write the format and the file, as in "sarif=aliasaudit.sarif"')
    known = [one.value for one in Format]
    if word not in known:
        raise UsageError(f"--report {text}: the formats are {', '.join(known)}{suggestion(word, known)}")
    path = Path(name)
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise UsageError(f"--report {text}: {above.as_posix()} is not a folder")
    return ReportFile(Format(word), path)
