"""What ``verify`` and ``check --verify`` share: the options of a measurement, and its progress on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from auditor.audit.run import Examined, Measure, MeasureAlias, ModelFile, project_path
from auditor.cli.errors import UsageError
from auditor.cli.options import PROGRESS_VARIABLE
from auditor.cli.output import say
from auditor.facts.formats import Format
from auditor.options.general import Output
from auditor.options.measuring import Measuring
from auditor.policy.errors import SettingsError
from auditor.policy.settings import Settings, Source
from auditor.policy.thresholds import thresholds
from auditor.verify.errors import VerifyError
from auditor.verify.options import Request, read_request
from auditor.verify.result import Verification

if TYPE_CHECKING:
    from auditor.comparison.looks import MeasuredPair
    from auditor.comparison.run import MeasurePair
    from auditor.onnxfile.graph import Model
    from auditor.sampling.result import Analysis
    from auditor.verify.images.drawn import Drawn
    from auditor.verify.layers.alias import AliasMeasurement
    from auditor.verify.observer import Observer


@dataclass(slots=True)
class Plots:
    """Where figures go: a folder, with one folder per model in it. ``failed`` says that some could not be written."""

    folder: Path
    image_format: str = "png"
    failed: bool = False

    def prepare(self) -> None:
        """Make the folder, and see that figures can be drawn, before time is spent on measuring.

        Raises:
            UsageError: one of them is not possible.
        """
        if find_spec("matplotlib") is None:
            raise UsageError("--plots needs matplotlib: install aliasaudit[plots]")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--plots {self.folder.as_posix()}: cannot be made: {error.strerror}") from error

    def write(self, found: Verification, stem: str) -> None:
        """Write every figure of one model. A full disk does not cost the report of what was measured."""
        from auditor.verify.plots import write_plots

        try:
            write_plots(found, self.folder / stem, self.image_format)
        except VerifyError as error:
            self.failed = True
            say(f"--plots {self.folder.as_posix()}: {error}")


# The package of node that lies in the working folder, or above, is what runs.
_OF_THE_FOLDER = (("runtime", "web"), ("reference-runtime", "web"))


def measure_with(settings: Settings, show: Output, plots: Plots | None = None) -> Measure:
    """The function that measures a model with the options that the settings hold for it, and draws its figures.

    Raises:
        SettingsError: an option is not valid, or a settings file turns on what only the command line may.
        UsageError: figures are asked for and cannot be drawn or written.
    """
    if plots is not None:
        plots.prepare()
    trusted_request(settings, "")
    held = thresholds(settings.compare)
    for name in _tables(settings):
        _request(settings, name)

    ended = False
    drawn: Drawn | None = None
    pictured = not show.no_thumbnails and _writes_html(settings, show)

    def measure(file: ModelFile, model: Model, analysis: Analysis) -> Verification:
        nonlocal ended, drawn
        if ended:  # by the user, during the model before
            raise KeyboardInterrupt
        from auditor.repair.layered import measure_layered
        from auditor.verify.budget import within_budget
        from auditor.verify.images.drawn import Drawn
        from auditor.verify.images.synthetic import synthetic_image
        from auditor.verify.surround import beside

        drawn = drawn or Drawn(synthetic_image)
        request = _request(settings, project_path(file, settings.root)).for_file(model.metadata)
        request = within_budget(request, model, analysis)
        say_of_clash(show)
        request = replace(request, settings=replace(request.settings, thumbnails=pictured))
        with watched(show) as observer:
            chosen = beside(request.settings, model, file.beside)
            found = measure_layered(model, request.source(drawn), chosen, analysis, observer, held)
        ended = found.incomplete.startswith("interrupted")
        if plots is not None:
            plots.write(found, PurePosixPath(file.name).stem)
        return found

    return measure


def _writes_html(settings: Settings, show: Output) -> bool:
    """Whether a page comes of the run: nothing else shows pictures."""
    return Format.HTML in (settings.output_format, *(Format(file.format) for file in show.report))


def measure_pair_with(settings: Settings, show: Output, images: int, together: bool) -> MeasurePair:
    """The function that measures a base and the model that is to replace it; ``together`` on the same windows.

    ``images`` is how many are used at most where the settings do not say.

    Raises:
        SettingsError: an option is not valid, or a settings file turns on what only the command line may.
    """
    from auditor.comparison.run import MeasurePair

    trusted_request(settings, "")
    held = thresholds(settings.compare)
    ended = False
    drawn: Drawn | None = None
    pictured = not show.no_thumbnails and _writes_html(settings, show)

    def measure_pair(before: Examined, after: Examined) -> MeasuredPair:
        nonlocal ended, drawn
        if ended:  # by the user, during the pair before
            raise KeyboardInterrupt
        from auditor.comparison.looks import MeasuredPair
        from auditor.repair.paired import measure_both
        from auditor.verify.images.drawn import Drawn
        from auditor.verify.images.synthetic import synthetic_image

        drawn = drawn or Drawn(synthetic_image)
        request = trusted_request(settings, after.place).for_file(after.model.metadata, before.model.metadata)
        chosen = replace(request.settings, thumbnails=pictured)
        request = replace(request, limit=request.limit or images, settings=chosen)
        say_of_clash(show)
        try:
            source = request.source(drawn)
        except VerifyError as error:
            return MeasuredPair(None, error)
        with watched(show) as observer:
            found = measure_both(before, after, source, request.settings, held, observer, together)
        sides = (found.base, found.new)
        ended = any(isinstance(side, Verification) and side.incomplete.startswith("interrupted") for side in sides)
        return found

    return MeasurePair(measure_pair, together)


def measure_alias_with(settings: Settings, show: Output) -> MeasureAlias:
    """The function that measures the alias energies of a model's sites, on the images that the settings hold for it.

    Raises:
        SettingsError: an option is not valid, or a settings file turns on what only the command line may.
    """
    trusted_request(settings, "")
    ended = False

    def measure_alias(file: ModelFile, model: Model, analysis: Analysis) -> AliasMeasurement:
        nonlocal ended
        if ended:  # by the user, during the model before
            raise KeyboardInterrupt
        from auditor.repair.layered import measure_alias_layered
        from auditor.verify.layers.alias_runs import MEASURED_IMAGES

        request = trusted_request(settings, project_path(file, settings.root)).for_file(model.metadata)
        request = replace(request, limit=request.limit or MEASURED_IMAGES)
        with watched(show) as observer:
            found = measure_alias_layered(model, request.source(), request.settings, analysis, observer)
        ended = found.incomplete.startswith("interrupted")
        return found

    return measure_alias


def say_of_clash(show: Output) -> None:
    """Warn of packages of ONNX Runtime that overwrite each other."""
    from auditor.verify.worker.providers import installed_clash

    clash = installed_clash()
    if clash and not show.quiet:
        say(clash)


def trusted_request(settings: Settings, path: str) -> Request:
    """What to measure the model at ``path`` (in the project) with.

    Raises:
        SettingsError: an option is not valid, or a settings file turns on what only the command line may.
    """
    _refuse_trust_from_files(settings)
    return _request(settings, path)


def trusted_values(settings: Settings, path: str) -> dict[str, Any]:
    """The options of a measurement of the model at ``path``, by their names in a settings file.

    Raises:
        SettingsError: a settings file turns on what only the command line may.
    """
    _refuse_trust_from_files(settings)
    return _values(settings, path)


def _request(settings: Settings, path: str) -> Request:
    try:
        return read_request(_values(settings, path))
    except ValueError as error:
        origin = settings.origin(f"verify.{str(error).partition(' ')[0]}")  # the message begins with the option
        place = "" if origin.source in (Source.COMMAND_LINE, Source.DEFAULT) else f"{origin}: "
        raise SettingsError(f"{place}verify: {error}") from error


def _values(settings: Settings, path: str) -> dict[str, Any]:
    """The options for the model at ``path``: the command line beats a table for the model, that the general options."""
    tables = _tables(settings)
    general = {name: value for name, value in settings.verify.items() if name not in tables}
    typed = {
        name: value
        for name, value in general.items()
        if settings.origin(f"verify.{name}").source is Source.COMMAND_LINE
    }
    own: dict[str, Any] = {}
    for pattern, table in tables.items():
        if fnmatchcase(path if "/" in pattern else PurePosixPath(path).name, pattern):
            own |= table
    return {**general, **own, **typed}


def _tables(settings: Settings) -> dict[str, dict[str, Any]]:
    """The options for the models of a pattern. A constant for an input is a table, too, and an option."""
    known = Measuring.by_key()
    return {name: value for name, value in settings.verify.items() if isinstance(value, dict) and name not in known}


def _refuse_trust_from_files(settings: Settings) -> None:
    given = [(name, value) for name, value in settings.verify.items() if not _is_typed(settings, name)]
    for table in _tables(settings).values():
        given += table.items()
    trusted = {key for key, declared in Measuring.by_key().items() if declared.trusted}
    named = sorted(name for name, value in given if name in trusted or (name, value) in _OF_THE_FOLDER)
    if named:
        raise SettingsError(
            f"verify.{named[0]} lets foreign code run: give --{named[0]} on the command line, not in a file"
        )


def _is_typed(settings: Settings, name: str) -> bool:
    return settings.origin(f"verify.{name}").source is Source.COMMAND_LINE


class _Bar:
    """Shows the progress of images and of layers on one line."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._task: Any = None

    def begin(self, what: str, total: int | None) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(what, total=total)

    def advance(self) -> None:
        self._progress.advance(self._task)


@contextmanager
def watched(show: Output) -> Iterator[Observer | None]:
    """Who shows the progress of a measurement, on a terminal where a person may be watching; else None."""
    wanted = (
        not show.no_progress and not show.quiet and not os.environ.get(PROGRESS_VARIABLE) and not os.environ.get("CI")
    )
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, color_system="auto" if show.color != "never" else None)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress)
