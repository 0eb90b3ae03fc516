"""The worker ends when its parent does, however that ends: no model is computed for nobody."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator

from auditor.verify.worker import wire
from auditor.verify.worker.wire import Message

_STANDARD_INPUT = 0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def follow(parent: int) -> None:
    """Let Linux kill this process when the parent's thread that started it ends, even inside a call that holds the GIL.

    Elsewhere, and where the C library cannot be reached, :func:`commands` alone notices. A service manager asks every
    process of a job to end: the parent answers for both, and reports what was measured so far.
    """
    for name in ("SIGTERM", "SIGHUP", "SIGINT"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the request above
        os._exit(0)


def commands() -> Iterator[Message]:
    """The commands on standard input in their order; the process ends when the parent closes it.

    A thread reads, so that the end is noticed while the model runs: onnxruntime gives the GIL away.
    """
    waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(waiting,), daemon=True).start()
    while True:
        yield waiting.get()


def _read(waiting: queue.SimpleQueue[Message]) -> None:
    inbox = wire.Inbox(_STANDARD_INPUT)
    while True:
        try:
            waiting.put(inbox.receive())
        except (wire.PipeError, OSError):
            os._exit(0)
