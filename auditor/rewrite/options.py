"""How a model is rewritten, and how the best of several rewrites is searched for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditor.options.kinds import Kind, choice, file, names, number, parsed, share, switch, text, whole
from auditor.options.option import Group, option
from auditor.options.panels import Panel
from auditor.rewrite.strategies import NAMES

if TYPE_CHECKING:
    from auditor.rewrite.result import Options

AUTO = "auto"
FOR_LOCKS = ("camera", "room", "places")
"""What a search for the best rewrite has to be told: it decides all else itself."""
_AS_A_LOCK = ("period", "align", "camera", "places")
_OF_STRATEGIES = ("kernel", "where", "padding", "blend", "phases", "lowering", "margin", "lock", "room", *_AS_A_LOCK)


def _pixels(least: int) -> Kind:
    def parse(word: str) -> int:
        if not (word.isascii() and word.isdigit() and len(word) < 7 and int(word) >= least):
            raise ValueError
        return int(word)

    return parsed("PIXELS", parse, f"a whole number of pixels above {least - 1}")


class Rewriting(Group):
    """Which rewrite, and what it is fitted on."""

    strategy: str | None = option(choice("STRATEGY", (*NAMES, AUTO)), "How to rewrite, by name.", Panel.REWRITE)
    unsafe_fixes: bool = option(switch(), "Without --strategy: allow the least harmful.", Panel.REWRITE)
    inline: bool = option(switch(), "Inline local functions first; one graph results.", Panel.REWRITE)
    sites: tuple[str, ...] = option(names("NAME"), "Rewrite only at this node; repeatable.", Panel.REWRITE, "--site")
    kernel: str = option(choice("KERNEL"), "Low-pass of blur.", Panel.REWRITE, default="tri3")
    where: str = option(choice("post|pre"), "Blur behind or in front.", Panel.REWRITE, default="post")
    padding: str = option(choice("BORDER"), "How blur continues a map.", Panel.REWRITE, default="auto")
    blend: float = option(
        share("SHARE", "a number above 0, at most 1", up_to_one=True),
        "Share of the low-pass, at most 1.",
        Panel.REWRITE,
        "--lambda",
        default=1.0,
    )
    phases: str = option(choice("PHASES"), "Phases or shifts to average.", Panel.REWRITE, default="diagonal")
    lowering: str = option(choice("LOWERING"), "Where averaged phases go.", Panel.REWRITE, default="auto")
    merges: tuple[str, ...] = option(names("NODE"), "Average up to this node, or auto.", Panel.REWRITE, "--merge")
    margin: int | None = option(
        _pixels(1),
        "Pixels beside a placed window.",
        Panel.REWRITE,
        shown="by the model",
    )
    lock: str = option(choice("LOCK"), "Steps of grid-lock.", Panel.REWRITE, default="sub-pixel")
    room: str = option(choice("ROOM"), "Where its window moves.", Panel.REWRITE, default="auto")
    period: int | None = option(
        _pixels(2),  # modulo 1 all content lies at the same place
        "Period of its grid.",
        Panel.REWRITE,
        shown="by the model",
    )
    align: int | None = option(
        _pixels(0),
        "Pixels of its grid in front of the content's.",
        Panel.REWRITE,
        shown="3/8 of the period",
    )
    places: str = option(choice("LAYOUT"), "Outputs that say places.", Panel.REWRITE, default="auto")
    camera: str = option(choice("CAMERA"), "Whether the camera moves.", Panel.REWRITE, default="unknown")
    calibrate: str | None = option(
        text("PATH|synthetic"), "Fit blurred maps on these unlabelled images.", Panel.REWRITE
    )
    calibrate_images: int = option(whole("N", 1), "Use at most N of them.", Panel.REWRITE, default=200)
    refit: str | None = option(choice("REFIT"), "Also fit convolutions.", Panel.REWRITE, shown="all, auto: last")
    portable: bool = option(
        switch(), "Write in forms that all runtimes compute alike. Of --target, or all known.", Panel.REWRITE
    )
    require_gain: bool = option(switch(), "Keep nothing unless it surely got steadier.", Panel.REWRITE)

    def lock_options(self) -> Options | None:
        """What a search that may lock the grid knows of pictures and camera; None where it tries no lock."""
        from auditor.rewrite.result import Camera, Options, Room

        camera = Camera(self.camera)
        if self.strategy != AUTO or camera is Camera.FIXED:
            return None
        return Options(camera=camera, room=Room(self.room), places=self.places)

    @property
    def measures(self) -> bool:
        """Whether both models are run though --verify was not given."""
        return self.require_gain or self.strategy == AUTO or AUTO in self.merges


def used(given: Rewriting) -> Rewriting:
    """What was given. Raises ValueError for an option that the strategy which was named does not use."""
    from auditor.rewrite.result import Strategy
    from auditor.rewrite.table import declared

    if given.strategy in (None, AUTO) or AUTO in given.merges:
        return given
    strategy = Strategy(given.strategy)
    reads = {*declared(strategy).reads, *(_AS_A_LOCK if strategy is Strategy.CROP_SELECT else ())}
    for name in _OF_STRATEGIES:
        if name in given.given and name not in reads:
            raise ValueError(f"{strategy.value} does not use {given.options[name].flag}: leave it out")
    return given


class SearchBudget(Group):
    """What a search may cost, and what it leaves behind."""

    max_cost: float = option(number("FACTOR", 0, must="a factor such as 2"), "Largest cost.", Panel.SEARCH, default=2.0)
    # Points and not shares, as everybody says them.
    max_drop: float = option(
        number("POINTS", 0, must="points such as 0.5"), "Largest loss of accuracy.", Panel.SEARCH, default=0.5
    )
    state: Path | None = option(file("FILE"), "Keep every measurement, to go on later.", Panel.SEARCH)
    plot: Path | None = option(file("FILE"), "Draw cost against gain, .png or .svg.", Panel.SEARCH)


def rewrite_options(given: Rewriting) -> Options:
    """The options of a strategy. A search fits the last convolution unless something else was said."""
    from auditor.rewrite.result import (
        Camera,
        Kernel,
        Lock,
        Lowering,
        Options,
        Padding,
        Phases,
        Refit,
        Room,
        Where,
    )

    return Options(
        kernel=Kernel(given.kernel),
        where=Where(given.where),
        padding=Padding(given.padding),
        blend=given.blend,
        phases=Phases(given.phases),
        lowering=Lowering(given.lowering),
        merges=given.merges,
        margin=given.margin,
        lock=Lock(given.lock),
        room=Room(given.room),
        period=given.period,
        align=given.align,
        camera=Camera(given.camera),
        places=given.places,
        refit=Refit(given.refit or ("last" if given.strategy == AUTO else "all")),
    )
