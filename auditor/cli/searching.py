"""What ``fix`` and ``check --fix`` share of ``--strategy auto``: what the flags wish for, and the figure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.cli.auditing import Output
    from auditor.cli.repair_options import RepairRequest
    from auditor.repair.original import Original
    from auditor.repair.search.run import Found
    from auditor.repair.search.search import Search
    from auditor.verify.options import Request


def request_for(original: Original, name: str) -> Request:
    """What to measure a model with, by the settings for the name that the user gave it. Raises SettingsError."""
    from auditor.audit.run import ModelFile, project_path
    from auditor.cli.measuring import trusted_request

    return trusted_request(original.settings, project_path(ModelFile(Path(name), name), original.settings.root))


@contextmanager
def searched(original: Original, name: str, wanted: RepairRequest, show: Output) -> Iterator[Found]:
    """The search that the flags ask for; an interrupted one says how to go on. Raises as the search does."""
    from auditor.cli.measuring import watched
    from auditor.cli.output import say
    from auditor.repair.search.run import SearchRequest, searching

    typed = wanted.typed
    wish = SearchRequest(
        request=request_for(original, name),
        budget=wanted.budget,
        pictures=wanted.pictures,
        refit=wanted.how.refit,
        fitted_on=(typed.calibrate or "", typed.calibrate_images or ""),
        state=wanted.state,
        watched=lambda: watched(show),
    )
    try:
        with searching(original, wish) as found:
            yield found
    except KeyboardInterrupt:
        if wanted.state is not None:
            say(f"interrupted: the same command goes on from {wanted.state.as_posix()}")
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
