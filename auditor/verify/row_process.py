"""A further process that measures images of a run: started with ``python -m``, it reads blocks of places from stdin.

It is started by :mod:`auditor.verify.processes`, which alone it talks to: the plan and how to read the images come
first, then blocks of places, and each is answered with its rows. When stdin ends, so does the process.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from typing import IO


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
    from auditor.verify.errors import VerifyError
    from auditor.verify.pieces import Failure, Piece, measured_piece
    from auditor.verify.worker.client import Worker

    work, again = pickle.load(asked)  # noqa: S301 - as above
    settings = work.plan.settings
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        try:
            source = again()
            here = work.reopened(worker)
        except VerifyError as error:
            here = error
        while True:
            try:
                places = pickle.load(asked)  # noqa: S301 - as above
            except EOFError:
                return
            if isinstance(here, VerifyError):
                piece = Piece((), Failure.of(here, min(places)))
            else:
                piece = measured_piece(worker, here, source, places)
            pickle.dump(piece, answers)
            answers.flush()


if __name__ == "__main__":
    main()
