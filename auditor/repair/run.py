"""The way of a repair: one rewrite or the best of several, measured where that is asked for, and then kept or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from auditor.comparison.measured import NotComparableError
from auditor.repair.bench import Bench
from auditor.repair.job import RepairJob
from auditor.repair.locked import lock_trials, with_trials
from auditor.repair.original import Original
from auditor.repair.portable import lowered
from auditor.repair.result import Repaired, Staged
from auditor.repair.search.run import searching
from auditor.repair.staging import staged, staging
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import RewriteError, Rewritten, Step


def run(original: Original, job: RepairJob, told: Callable[[Staged], None] = lambda _: None) -> Repaired:
    """Repair a model. ``told`` is called with what was measured, before the file is kept.

    Raises:
        RewriteError: nothing could be written, the state file does not do, or measurements cannot be compared.
        VerifyError: a model could not be measured, the pictures cannot be used, or nothing on the images tells what a
            rewrite would lose.
        ModelFileError: a file changed meanwhile.
    """
    if job.step is not None and job.request is None and job.portable is None:
        done = _rewritten(original, job.step, job)
        return Repaired(done.path, (done,), backup=done.backup, inlined=original.inlined)
    with repairing(original, job) as made:
        told(made)
        return made.keep(original)


@contextmanager
def repairing(original: Original, job: RepairJob) -> Iterator[Staged]:
    """The repaired model in a hidden folder beside the target, which is gone when the context ends.

    Raises:
        RewriteError, VerifyError, ModelFileError: as :func:`run`.
    """
    if job.lowers_only:
        original.check()
        with staging(original.target) as folder:
            yield _portable(original, Staged(original.model.source, ()), job, folder)
        return
    if job.step is None:
        with searching(original, job) as found, staging(original.target) as folder:
            yield _portable(original, found, job, folder)
        return
    source = (original.model, original.analysis)
    able = rewrite(*source, job.step)
    if not able.changes:
        yield Staged(None, (able,))
        return
    original.check()
    bench = None if job.request is None else Bench(original, with_trials(original, job.request, (job.step,)))
    with staging(original.target) as folder:
        made = _portable(
            original, Staged(*staged(source, (job.step,), folder, original.read, job.pictures)), job, folder
        )
        if bench is None or made.path is None:
            yield made
            return
        try:
            with job.watched() as bench.observer:
                gain = bench.gain(made.path, bench.images, timed=True)
                tests = lock_trials(original, bench, made.path, (job.step,), job.budget.loss)
        except NotComparableError as error:
            raise RewriteError(str(error)) from error
        kept_back = job.require_gain and not gain.rose
        yield replace(made, gain=gain, kept_back=kept_back, trials=tests, measured=bench.pair)


def _portable(original: Original, made: Staged, job: RepairJob, folder: Path) -> Staged:
    """The staged model with its nodes lowered, where that is asked for and there is one."""
    if job.portable is None or made.path is None:
        return made
    model = original.model if job.lowers_only else original.read(made.path)[0]
    done = lowered(original, model, job.portable, folder / "portable.onnx")
    path = done.path or (None if job.lowers_only else made.path)
    return replace(made, path=path, lowered=replace(done, path=None))


def _rewritten(original: Original, step: Step, job: RepairJob) -> Rewritten:
    """One rewrite, straight to the target; a copy without functions is finished in a hidden folder first."""
    source, target = (original.model, original.analysis), original.target
    if target is None or original.model is original.named:
        return rewrite(*source, step, target, pictures=job.pictures, in_place=original.in_place, admit=original.admit)
    original.check()
    with staging(target) as folder:
        done = rewrite(*source, step, folder / "model.onnx", pictures=job.pictures)
        if done.path is None:
            return done
        return replace(done, path=target, backup=original.keep(done.path))
