"""A rewritten model is finished and measured in a hidden folder before it gets its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from auditor.onnxfile.graph import Model
from auditor.rewrite.calibration.calibrate import Pictures
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import RewriteError, Rewritten, Step
from auditor.sampling.result import Analysis
from auditor.unfinished import spare_folder

Read = Callable[[Path], tuple[Model, Analysis]]


@contextmanager
def staging(target: Path | None) -> Iterator[Path]:
    """A folder on the disk of the target (None: where temporary files go), gone when the context ends.

    Raises:
        RewriteError: nothing can be written there.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(spare_folder(None if target is None else target.resolve().parent))
        except OSError as error:
            raise RewriteError(f"the output cannot be written: {error.strerror or error}") from error
        yield folder


def staged(
    source: tuple[Model, Analysis], steps: Sequence[Step], folder: Path, read: Read, pictures: Pictures | None
) -> tuple[Path, tuple[Rewritten, ...]]:
    """Do rewrites one after the other, each on the file that the one before it left in ``folder``.

    Returns:
        The finished file, and what every step did; the last of them wrote it.

    Raises:
        RewriteError: a step could not rewrite anything, or the disk refuses.
    """
    done: list[Rewritten] = []
    path = source[0].source
    for number, step in enumerate(steps):
        model, analysis = source if number == 0 else read(path)
        place = folder / str(number)
        try:
            place.mkdir()
        except OSError as error:
            raise RewriteError(f"the output cannot be written: {error.strerror or error}") from error
        path = place / "model.onnx"
        found = rewrite(model, analysis, step, path, pictures=pictures)
        if not found.changes:
            reasons = sorted({skip.refusal.reason for skip in found.skipped})
            raise RewriteError(f"{step.strategy.value} does not apply: {'; '.join(reasons) or 'no site'}")
        done.append(replace(found, path=None))
    return path, tuple(done)
