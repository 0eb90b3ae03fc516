"""Report files beside the report on stdout: ``FORMAT=FILE``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from auditor.choices import suggestion
from auditor.options.kinds import Kind
from auditor.options.panels import VALUES

_PAGES = "html"
"""The format of which a folder holds a page per model."""


class ReportFile(NamedTuple):
    """A report to write: the word of its format, and where to; with ``folder`` a page per model and one of all."""

    format: str
    path: Path
    folder: bool = False


def reports(metavar: str, formats: tuple[str, ...] = VALUES["FORMAT"]) -> Kind:
    """Report files, each once. Formats are known, and folders are folders or do not exist yet."""

    def read(texts: Sequence[str]) -> tuple[ReportFile, ...]:
        files = tuple(_report_file(text, formats) for text in texts)
        for number, file in enumerate(files):
            if file.path.resolve() in [earlier.path.resolve() for earlier in files[:number]]:
                raise ValueError(f"{file.path.as_posix()}: two reports go to this file; name it once")
        return files

    kind = Kind(metavar, read, repeatable=True)
    kind.words, kind.listed = tuple(f"{word}=" for word in formats), {"FORMAT": formats}
    return kind


def _report_file(text: str, known: tuple[str, ...]) -> ReportFile:
    word, equals, name = text.partition("=")
    if not equals or not name:
        raise ValueError(f'{text}: write the format and the file, as in "sarif=aliasaudit.sarif"')
    if word not in known:
        raise ValueError(f"{text}: the formats are {', '.join(known)}{suggestion(word, known)}")
    path = Path(name)
    folder = name.endswith(("/", "\\")) or path.is_dir()
    if folder and word != _PAGES:
        raise ValueError(f"{text}: is a folder; write a file name behind it (only {_PAGES} fills a folder)")
    if folder and path.exists() and not path.is_dir():
        raise ValueError(f"{text}: is a file, not a folder")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise ValueError(f"{text}: {above.as_posix()} is not a folder")
    return ReportFile(word, path, folder)
