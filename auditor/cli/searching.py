"""What ``fix`` and ``check --fix`` share: the repair that the flags ask for, and the figure of a search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.cli.repair_options import RepairRequest
    from auditor.options.general import Output
    from auditor.repair.job import RepairJob
    from auditor.repair.original import Original
    from auditor.repair.search.search import Search
    from auditor.verify.options import Request


def request_for(original: Original, name: str) -> Request:
    """What to measure a model with, by the settings for the name that the user gave it. Raises SettingsError."""
    from auditor.audit.run import ModelFile, project_path
    from auditor.cli.measuring import trusted_request

    return trusted_request(original.settings, project_path(ModelFile(Path(name), name), original.settings.root))


def job_for(original: Original, name: str, wanted: RepairRequest, show: Output, *, measured: bool = False) -> RepairJob:
    """The repair that the flags ask for. Raises SettingsError."""
    from auditor.cli.measuring import watched
    from auditor.repair.job import RepairJob
    from auditor.repair.portable import portability
    from auditor.rewrite.result import Step

    rewriting = wanted.rewriting
    fitted = str(rewriting.calibrate_images) if "calibrate_images" in rewriting.given else ""
    step, pictures = None, wanted.pictures
    if wanted.method is not None:
        step = Step(wanted.method, wanted.how, wanted.sites, calibrated=pictures is not None)
        pictures = None if pictures is None else replace(pictures, watched=lambda: watched(show))
    return RepairJob(
        step,
        request=request_for(original, name) if measured or wanted.auto else None,
        require_gain=rewriting.require_gain,
        budget=wanted.budget,
        pictures=pictures,
        refit=wanted.how.refit,
        fitted_on=(rewriting.calibrate or "", fitted),
        state=wanted.search.state,
        only=wanted.only,
        lock=rewriting.lock_options(),
        portable=portability(rewriting, wanted.search, original.settings, searches=wanted.auto),
        watched=lambda: watched(show),
    )


@contextmanager
def resumable(state: Path | None) -> Iterator[None]:
    """Say how an interrupted search with a state file goes on."""
    from auditor.cli.output import say

    try:
        yield
    except KeyboardInterrupt:
        if state is not None:
            say(f"interrupted: the same command goes on from {state.as_posix()}")
        raise


def draw(found: Search, path: Path | None) -> bool:
    """Draw the search where that is asked for; False where it could not be. That does not cost what was found."""
    from auditor.cli.output import say
    from auditor.repair.search.plots import write_search
    from auditor.verify.errors import VerifyError

    if path is None:
        return True
    try:
        write_search(found, path)
    except VerifyError as error:
        say(f"--plot {path.as_posix()}: {error}")
        return False
    say(f"wrote {path.as_posix()}")
    return True
