"""The worker ends when its parent does, however that ends: no model is computed for nobody."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Iterator

from auditor import system
from auditor.verify.worker import wire
from auditor.verify.worker.wire import Message

_STANDARD_INPUT = 0


def follow(parent: int) -> None:
    """End with the parent, and leave it to the parent what a service manager tells every process of a job.

    The parent answers for both, and reports what was measured so far.
    """
    for name in ("SIGTERM", "SIGHUP", "SIGINT"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    system.follow(parent)


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
