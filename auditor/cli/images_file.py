"""The file beside a JSON report that holds what was measured on each of many images."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO

from auditor.cli.errors import UsageError
from auditor.cli.output import say
from auditor.facts.formats import Format
from auditor.facts.report import Report
from auditor.files import replacing


def with_images_file(report: Report, output_format: Format, target: Path | None, option: str, quiet: bool) -> Report:
    """The report to write to ``target``; where that is JSON without room for all images, their file is written, too.

    Raises:
        UsageError: It cannot be written.
    """
    if output_format is not Format.JSON or not any(model.verification for model in report.models):
        return report
    from auditor.report.json.images import has_columns, naming, write_images
    from auditor.verify.listing import ImagesFile

    if not has_columns(report):
        return report
    if target is None or (target.exists() and not target.is_file()):
        say("the values of each image are left out: name a file with --output to have them in one beside it")
        return report
    path = target.with_name(f"{target.stem}.images.npz")
    try:
        with replacing(path.resolve()) as sink:
            hashed = _Hashed(sink)
            write_images(report, hashed)  # type: ignore[arg-type]
    except OSError as error:
        raise UsageError(f"{option} {path.as_posix()}: cannot be written: {error.strerror}") from error
    if not quiet:
        say(f"wrote {path.as_posix()}")
    return naming(report, ImagesFile(path.name, hashed.digest.hexdigest()))


class _Hashed:
    """A file that can only be written on, and the SHA-256 of what was."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink, self.digest = sink, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._sink.write(data)

    def flush(self) -> None:
        self._sink.flush()
