"""One rewrite of the user's choice; where that is wanted, measured before the file gets its name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.onnxfile import read_model
from auditor.onnxfile.graph import Model
from auditor.repair.original import Original
from auditor.repair.result import Repaired
from auditor.repair.staging import staged, staging
from auditor.rewrite.calibration.calibrate import Pictures
from auditor.rewrite.graph.save import Admit, anything, check_target, publish
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Options, RewriteError, Rewritten, Step, Strategy
from auditor.sampling import Analysis

if TYPE_CHECKING:
    from auditor.repair.search.gain import Gain
    from auditor.verify.options import Request
    from auditor.verify.runner import Observer


@dataclass(frozen=True, slots=True)
class Measurement:
    """How to measure a rewrite. ``require_gain``: keep nothing unless a leading measure surely got better.

    ``watched`` is entered for the time of the measurement, and gives who is told of its progress. ``told`` is called
    with the gain before the file is kept.
    """

    request: Request
    require_gain: bool = False
    watched: Callable[[], AbstractContextManager[Observer | None]] = nullcontext
    told: Callable[[Gain], None] = lambda gain: None  # noqa: ARG005 - nobody listens


def apply(
    original: Original, step: Step, pictures: Pictures | None = None, measurement: Measurement | None = None
) -> Repaired:
    """Rewrite a model by one step; ``pictures`` are what a calibrated one is fitted on.

    Raises:
        RewriteError: nothing could be written, or the two measurements cannot be compared.
        VerifyError: a model could not be measured, or the pictures cannot be used.
        ModelFileError: a file changed meanwhile.
    """
    fitted = pictures if step.calibrated else None
    done = rewrite_inlined(
        original.named,
        original.model,
        original.analysis,
        original.target if measurement is None else None,
        step.strategy,
        step.options,
        step.sites,
        in_place=original.in_place,
        pictures=fitted if measurement is None else None,
        admit=original.admit,
    )
    if measurement is None or not done.changes:
        return Repaired(done.path, (done,), backup=done.backup, inlined=original.inlined)
    return _measured(original, step, fitted, measurement)


def _measured(original: Original, step: Step, pictures: Pictures | None, measurement: Measurement) -> Repaired:
    """Rewrite, measure, tell what was measured, and only then move the file to its destination."""
    from auditor.comparison.measured import NotComparableError
    from auditor.repair.bench import Bench

    original.check()
    bench = Bench(original, measurement.request)
    with staging(original.target) as folder:
        path, done = staged((original.model, original.analysis), (step,), folder, original.read, pictures)
        try:
            with measurement.watched() as bench.observer:
                gain = bench.gain(path, bench.images, timed=True)
        except NotComparableError as error:
            raise RewriteError(str(error)) from error
        measurement.told(gain)
        if original.target is None:
            return Repaired(None, done, gain, inlined=original.inlined)
        if measurement.require_gain and not gain.rose:
            return Repaired(None, done, gain, kept_back=True, inlined=original.inlined)
        return Repaired(original.target, done, gain, backup=original.keep(path), inlined=original.inlined)


def rewrite_inlined(
    original: Model,
    copy: Model,
    analysis: Analysis,
    target: Path | None,
    strategy: Strategy,
    options: Options | None = None,
    names: Collection[str] = (),
    *,
    in_place: bool = False,
    pictures: Pictures | None = None,
    admit: Admit = anything,
) -> Rewritten:
    """As :func:`auditor.rewrite.planning.rewrite`, on the copy that :func:`inlined` made of ``original``."""
    if target is None or copy is original:
        return rewrite(
            copy, analysis, target, strategy, options, names, in_place=in_place, pictures=pictures, admit=admit
        )
    check_target(original, target, in_place=in_place)
    with staging(target) as folder:
        staged = folder / "model.onnx"
        done = rewrite(copy, analysis, staged, strategy, options, names, pictures=pictures)
        if done.path is None:
            return done
        backup = publish(read_model(staged), target, original, in_place=in_place, admit=admit)
    return replace(done, path=target, backup=backup)
