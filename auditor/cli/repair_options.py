"""The options of a rewrite that ``fix`` and ``check --fix`` share, and what they say together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from auditor.cli.errors import UsageError
from auditor.cli.panels import VALUES, Panel, option

if TYPE_CHECKING:
    from typer.models import OptionInfo

    from auditor.policy.settings import Settings
    from auditor.repair.pictures import WorkerPictures
    from auditor.repair.search.search import Budget
    from auditor.rewrite.result import Options
    from auditor.rewrite.result import Strategy as Method

AUTO = "auto"
STRATEGIES, KERNELS, PADDINGS = VALUES["STRATEGY"], VALUES["KERNEL"], VALUES["BORDER"]
LOWERINGS, REFIT = VALUES["LOWERING"], VALUES["REFIT"]
WHERE = ("post", "pre")
PHASES = ("diagonal", "all")
LEAST_HARMFUL = "phase-average"

_CHOSEN = {
    "--site": "sites",
    "--kernel": "kernel",
    "--where": "where",
    "--padding": "padding",
    "--lambda": "blend",
    "--phases": "phases",
    "--lowering": "lowering",
    "--margin": "margin",
}
"""What a search decides, by the field that holds the words behind the flag."""

_CALIBRATE_IMAGES, _MAX_COST, _MAX_DROP = "200", "2", "0.5"

_Choice = TypeVar("_Choice", bound=Enum)


def _rewrite(flag: str, metavar: str, text: str, panel: Panel = Panel.REWRITE) -> OptionInfo:
    return option(panel, flag, metavar=metavar, text=text)


Strategy = Annotated[str | None, _rewrite("--strategy", "STRATEGY", "How to rewrite, by name.")]
Sites = Annotated[list[str] | None, _rewrite("--site", "NAME", "Rewrite only at this node; repeatable.")]
Kernel = Annotated[str | None, _rewrite("--kernel", "KERNEL", "Low-pass of blur. [default: tri3]")]
Where = Annotated[str | None, _rewrite("--where", "post|pre", "Blur behind or in front. [default: post]")]
Padding = Annotated[str | None, _rewrite("--padding", "BORDER", "How blur continues a map. [default: auto]")]
Blend = Annotated[str | None, _rewrite("--lambda", "SHARE", "Share of the low-pass, at most 1. [default: 1]")]
Phases = Annotated[str | None, _rewrite("--phases", "diagonal|all", "Phases or shifts to average. [default: diagonal]")]
Margin = Annotated[str | None, _rewrite("--margin", "PIXELS", "Reach of crop-select. [default: by the model]")]
Lowering = Annotated[str | None, _rewrite("--lowering", "LOWERING", "Where averaged phases go. [default: auto]")]
Calibrate = Annotated[
    str | None, _rewrite("--calibrate", "PATH|synthetic", "Fit blurred maps on these unlabelled images.")
]
CalibrateImages = Annotated[
    str | None, _rewrite("--calibrate-images", "N", f"Use at most N of them. [default: {_CALIBRATE_IMAGES}]")
]
Refit = Annotated[str | None, _rewrite("--refit", "REFIT", "Also fit convolutions. [default: all, auto: last]")]
RequireGain = Annotated[
    bool,
    option(Panel.REWRITE, "--require-gain", text="Keep nothing unless it surely got steadier."),
]
MaxCost = Annotated[str | None, _rewrite("--max-cost", "FACTOR", f"Largest cost. [default: {_MAX_COST}]", Panel.SEARCH)]
MaxDrop = Annotated[
    str | None,
    _rewrite("--max-drop", "POINTS", f"Largest loss of accuracy. [default: {_MAX_DROP}]", Panel.SEARCH),
]
State = Annotated[str | None, _rewrite("--state", "FILE", "Keep every measurement, to go on later.", Panel.SEARCH)]
Plot = Annotated[str | None, _rewrite("--plot", "FILE", "Draw cost against gain, .png or .svg.", Panel.SEARCH)]
Inline = Annotated[bool, option(Panel.REWRITE, "--inline", text="Inline local functions first; one graph results.")]
UnsafeFixes = Annotated[
    bool, option(Panel.REWRITE, "--unsafe-fixes", text="Without --strategy: allow the least harmful.")
]


@dataclass(frozen=True, slots=True)
class RepairFlags:
    """The words behind the flags; None where one was not given."""

    strategy: str | None = None
    sites: tuple[str, ...] = ()
    kernel: str | None = None
    where: str | None = None
    padding: str | None = None
    blend: str | None = None
    phases: str | None = None
    lowering: str | None = None
    margin: str | None = None
    calibrate: str | None = None
    calibrate_images: str | None = None
    refit: str | None = None
    require_gain: bool = False
    max_cost: str | None = None
    max_drop: str | None = None
    state: str | None = None
    plot: str | None = None
    unsafe_fixes: bool = False

    @property
    def measures(self) -> bool:
        """Whether both models are run though --verify was not given."""
        return self.require_gain or self.strategy == AUTO


@dataclass(frozen=True, slots=True)
class RepairRequest:
    """The rewrite that the flags ask for. ``method`` is None for a search (``auto``), and where none was chosen.

    ``typed`` are the words that it was read from.
    """

    method: Method | None
    auto: bool
    how: Options
    sites: tuple[str, ...]
    budget: Budget
    pictures: WorkerPictures | None
    state: Path | None
    plot: Path | None
    typed: RepairFlags


def read(typed: RepairFlags, settings: Settings) -> RepairRequest:
    """What the flags say together.

    Raises:
        UsageError: A word or a number is not valid, or flags do not go together.
    """
    from auditor.repair.search.search import Budget
    from auditor.rewrite.result import Strategy as Method
    from auditor.rewrite.table import declared

    chosen = typed.strategy or (LEAST_HARMFUL if typed.unsafe_fixes else None)
    auto = chosen == AUTO
    method = None if chosen is None or auto else _one(Method, "--strategy", chosen, STRATEGIES)
    how = _options(typed)
    if typed.calibrate is not None and not auto and not (method and declared(method).calibrates):
        raise UsageError("--calibrate fits blurred maps, so it goes with --strategy blur or auto")
    if typed.refit is not None and typed.calibrate is None:
        raise UsageError("--refit says what is fitted on the pictures of --calibrate: give them too")
    for flag, field in _CHOSEN.items():
        if auto and getattr(typed, field):
            raise UsageError(f"--strategy auto chooses that itself: leave {flag} out")
    for flag in ("max_cost", "max_drop", "state", "plot"):
        if not auto and getattr(typed, flag) is not None:
            raise UsageError(f"--{flag.replace('_', '-')} is for a search: give --strategy auto with it")
    # Points and not shares, as everybody says them.
    budget = Budget(
        _positive("--max-cost", typed.max_cost or _MAX_COST, "a factor such as 2"),
        _positive("--max-drop", typed.max_drop or _MAX_DROP, "points such as 0.5") / 100,
    )
    pictures = None
    if typed.calibrate is not None:
        pictures = _pictures(typed.calibrate, typed.calibrate_images or _CALIBRATE_IMAGES, settings)
    state, plot = (None if word is None else Path(word) for word in (typed.state, typed.plot))
    if plot is not None:
        _check_plot(plot)
    return RepairRequest(method, auto, how, typed.sites, budget, pictures, state, plot, typed)


def _check_plot(path: Path) -> None:
    """See that a figure can be drawn before time is spent on measuring."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"--plot {path.as_posix()}: the name must end in .png or .svg")
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib: install aliasaudit[plots]")
    if not path.parent.is_dir():
        raise UsageError(f"--plot {path.as_posix()}: there is no such folder")


def _one(kind: type[_Choice], flag: str, word: str, words: tuple[str, ...]) -> _Choice:
    if word not in words:
        raise UsageError(f"{flag} must be one of {', '.join(words)}")
    return kind(word)


def _options(typed: RepairFlags) -> Options:
    from auditor.rewrite.result import Kernel, Options, Padding, Phases, Where
    from auditor.rewrite.result import Lowering as Way
    from auditor.rewrite.result import Refit as Further

    try:
        share = float(typed.blend or 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UsageError("--lambda must be a number above 0, at most 1")
    return Options(
        kernel=_one(Kernel, "--kernel", typed.kernel or "tri3", KERNELS),
        where=_one(Where, "--where", typed.where or "post", WHERE),
        padding=_one(Padding, "--padding", typed.padding or "auto", PADDINGS),
        blend=share,
        phases=_one(Phases, "--phases", typed.phases or "diagonal", PHASES),
        lowering=_one(Way, "--lowering", typed.lowering or "auto", LOWERINGS),
        margin=None if typed.margin is None else _pixels("--margin", typed.margin),
        refit=_one(Further, "--refit", typed.refit or ("last" if typed.strategy == AUTO else "all"), REFIT),
    )


def _pixels(flag: str, text: str) -> int:
    """A whole number above 0 behind a flag."""
    if not (text.isascii() and text.isdigit() and len(text) < 7 and int(text) > 0):
        raise UsageError(f"{flag} must be a whole number of pixels above 0")
    return int(text)


def _positive(flag: str, text: str, words: str) -> float:
    """A number of 0 or more behind a flag."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise UsageError(f"{flag} must be {words}")
    return number


def _pictures(where: str, limit: str, settings: Settings) -> WorkerPictures:
    """The calibration pictures, prepared as ``verify`` would prepare them."""
    from auditor.repair.pictures import WorkerPictures
    from auditor.verify.errors import VerifyError
    from auditor.verify.options import read_request

    general = {name: value for name, value in settings.verify.items() if not isinstance(value, dict)}
    source = {} if where == "synthetic" else {"images": where}
    general.pop("images", None)
    general.pop("labels", None)
    try:
        request = read_request({**general, **source, "images-limit": limit})
        return WorkerPictures(request.source(), request.settings)
    except (ValueError, VerifyError) as error:
        raise UsageError(f"--calibrate: {error}") from error
