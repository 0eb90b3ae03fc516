"""A further process that measures images of a run: started with ``python -m``, it reads blocks of places from stdin.

It is started by :mod:`auditor.verify.processes`, which alone it talks to: the work and how to read the images come
first, as a pair, then blocks of places, and each is answered with its rows; then other work may come. When stdin ends,
so does the process.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable, Collection
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditor.verify.images.source import ImageSource
    from auditor.verify.pieces import Piece, Work


def main() -> None:
    """Measure what is asked for until nothing more is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    # Whatever prints, libraries included, must not mix with the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


def serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """The same on any streams."""
    sys.path[:] = pickle.load(asked)  # noqa: S301 - from the process that started this one
    measured: Callable[[Collection[int]], Piece] | None = None
    with ExitStack() as stack:
        while (message := _following(asked)) is not None:
            if isinstance(message, tuple):
                stack.close()
                measured = _opened(stack, *message)
            elif measured is not None:
                pickle.dump(measured(message), answers)
                answers.flush()


def _following(asked: IO[bytes]) -> Any:
    """What is asked next; None at the end."""
    try:
        return pickle.load(asked)  # noqa: S301 - from the process that started this one
    except EOFError:
        return None


def _opened(stack: ExitStack, work: Work, again: Callable[[], ImageSource]) -> Callable[[Collection[int]], Piece]:
    """What measures the images at some places, with a worker that is open until the stack is closed."""
    from auditor.verify.errors import VerifyError
    from auditor.verify.pieces import Failure, Piece, measured_piece
    from auditor.verify.worker.client import Worker

    settings = work.plan.settings
    worker = stack.enter_context(Worker(settings.device, settings.limits, settings.threads))
    try:
        source, here = again(), work.reopened(worker)
    except VerifyError as error:
        failure = error
        return lambda places: Piece((), Failure.of(failure, min(places)))
    return lambda places: measured_piece(worker, here, source, places)


if __name__ == "__main__":
    main()
