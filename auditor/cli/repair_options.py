"""What the options of a rewrite and of a search, which ``fix`` and ``check --fix`` share, say together."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.errors import UsageError
from auditor.rewrite.options import AUTO, FOR_LOCKS, Rewriting, SearchBudget

if TYPE_CHECKING:
    from auditor.policy.settings import Settings
    from auditor.repair.pictures import WorkerPictures
    from auditor.repair.search.candidates import Restriction
    from auditor.repair.search.search import Budget
    from auditor.rewrite.result import Options, Strategy

LEAST_HARMFUL = "phase-average"

_LOCK = ("lock", "room", "period", "align", "camera", "places")
_SEARCHED = ("sites", "kernel", "where", "padding", "blend", "phases", "lowering", "merges", "margin", *_LOCK)
"""What a search decides itself."""


@dataclass(frozen=True, slots=True)
class RepairRequest:
    """The rewrite that the options ask for. ``method`` is None for a search (``auto``), and where none was chosen."""

    method: Strategy | None
    auto: bool
    how: Options
    budget: Budget
    pictures: WorkerPictures | None
    rewriting: Rewriting
    search: SearchBudget
    only: Restriction | None = None

    @property
    def sites(self) -> tuple[str, ...]:
        """The names of the nodes to rewrite; without any the strategy chooses."""
        return self.rewriting.sites

    @property
    def lowers_only(self) -> bool:
        """Whether portable forms alone are asked for."""
        return self.rewriting.portable and self.method is None and not self.auto


def read(rewriting: Rewriting, search: SearchBudget, settings: Settings) -> RepairRequest:
    """What the options say together.

    Raises:
        UsageError: Options do not go together.
    """
    from auditor.repair.search.candidates import restriction
    from auditor.repair.search.search import Budget
    from auditor.rewrite.options import rewrite_options, used
    from auditor.rewrite.result import Strategy
    from auditor.rewrite.table import declared

    chosen = rewriting.strategy or (LEAST_HARMFUL if rewriting.unsafe_fixes else None)
    try:
        only = restriction(used(rewriting))
    except ValueError as error:
        raise UsageError(str(error)) from error
    auto = chosen == AUTO or only is not None
    method = None if chosen is None or auto else Strategy(chosen)
    if rewriting.calibrate is not None and chosen != AUTO and not (method and declared(method).calibrates):
        raise UsageError("--calibrate fits blurred maps, so it goes with --strategy blur or auto")
    if rewriting.refit is not None and rewriting.calibrate is None:
        raise UsageError("--refit says what is fitted on the pictures of --calibrate: give them too")
    for name in _SEARCHED:
        asked = FOR_LOCKS if only is None else ("sites", "merges")
        if auto and name in rewriting.given and name not in asked:
            search_ = "--strategy auto" if only is None else "--merge auto"
            raise UsageError(f"{search_} chooses that itself: leave {rewriting.options[name].flag} out")
    for name, wish in search.options.items():
        told = (name == "max_cost" and rewriting.portable) or (name == "max_drop" and method is Strategy.GRID_LOCK)
        if not auto and name in search.given and not told:
            raise UsageError(f"{wish.flag} is for a search: give --strategy auto with it")
    pictures = None if rewriting.calibrate is None else _pictures(rewriting, settings)
    if rewriting.portable and method is None and not auto and rewriting.require_gain:
        raise UsageError("--portable alone keeps what the network computes: leave --require-gain out")
    if search.plot is not None:
        _check_plot(search.plot)
    budget = Budget(search.max_cost, search.max_drop / 100)
    return RepairRequest(method, auto, rewrite_options(rewriting), budget, pictures, rewriting, search, only)


def _check_plot(path: Path) -> None:
    """See that a figure can be drawn before time is spent on measuring."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"--plot {path.as_posix()}: the name must end in .png or .svg")
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib: install aliasaudit[plots]")
    if not path.parent.is_dir():
        raise UsageError(f"--plot {path.as_posix()}: there is no such folder")


def _pictures(rewriting: Rewriting, settings: Settings) -> WorkerPictures:
    """The calibration pictures, prepared as ``verify`` would prepare them."""
    from auditor.repair.pictures import WorkerPictures
    from auditor.verify.errors import VerifyError
    from auditor.verify.options import read_request

    general = {name: value for name, value in settings.verify.items() if not isinstance(value, dict)}
    source = {} if rewriting.calibrate == "synthetic" else {"images": rewriting.calibrate}
    general.pop("images", None)
    general.pop("labels", None)
    try:
        request = read_request({**general, **source, "images-limit": rewriting.calibrate_images})
        request.source()  # what cannot be opened is said before work is done
        return WorkerPictures(request)
    except (ValueError, VerifyError) as error:
        raise UsageError(f"--calibrate: {error}") from error
