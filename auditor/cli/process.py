"""What a process owes the system it runs on: it ends when it is told to, and says in one line what it was refused."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

_SIGNALS = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP
_REPEATED = 2.0  # seconds; `timeout` and some runners of jobs send a signal twice
_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "the system has too many open files",
    errno.ENOMEM: "free some memory",
    errno.EBADF: "is a standard file closed?",
}


class SystemRefusalError(Exception):
    """The operating system refused something that no room expected it to. The message is one line."""


@dataclass(slots=True)
class Termination:
    """The signal that asked the program to end, None where none did."""

    signal: signal.Signals | None = None


@contextlib.contextmanager
def ended_by_signals() -> Iterator[Termination]:
    """Lets SIGTERM and SIGHUP end the program as ^C does: temporary files go, and what was measured is reported.

    A signal that the parent ignores, as `nohup` does, stays ignored.
    """
    ending = Termination()
    last = -_REPEATED

    def end(number: int, _frame: object) -> None:
        nonlocal last
        since, last = time.monotonic() - last, time.monotonic()
        ending.signal = signal.Signals(number)
        if since > _REPEATED:  # the same request again must not cut the tidying up short
            raise KeyboardInterrupt

    before = {}
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with contextlib.suppress(ValueError):  # only the main thread may
                before[number] = signal.signal(number, end)
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def reserve_standard_files() -> None:
    """Open the null device in the place of standard files that are closed: a model must not get their numbers.

    What is written to a closed stdout is refused, so that no report is lost in silence; what is written to a closed
    stderr is lost, as the user wants.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.set_inheritable(os.open(os.devnull, mode), True)
    # Python has no stream for a file that was closed when it began.
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def prepare(stream: TextIO) -> None:
    """Let a stream take every character: a name must not end the report on an ASCII terminal.

    Where Windows would write a pipe or a file in its code page, it is written in UTF-8, unless the user said otherwise.
    """
    if not hasattr(stream, "reconfigure"):
        return
    stream.reconfigure(errors="backslashreplace")
    if sys.platform == "win32" and not stream.isatty() and not os.environ.get("PYTHONIOENCODING"):
        stream.reconfigure(encoding="utf-8")


def silence(stream: TextIO) -> None:
    """Send what is still in a stream's buffer nowhere: it would raise again when the interpreter closes the stream."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def refusal(error: OSError) -> SystemRefusalError:
    """The line for an error of the system."""
    if isinstance(error, FileNotFoundError) and not _has_working_directory():
        return SystemRefusalError("the working directory does not exist any more: change to one that does")
    return SystemRefusalError(f"{error.filename}: {reason(error)}" if error.filename else reason(error))


def reason(error: OSError) -> str:
    """Why the system refused, and what to do about it where that is known."""
    words = os.strerror(error.errno) if error.errno else str(error)
    if sys.platform != "win32" and error.strerror:
        words = error.strerror  # of the system, or our own
    advice = _ADVICE.get(error.errno or 0)
    return f"{words}: {advice}" if advice else words


def _has_working_directory() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - Path.cwd() is the same call
    except OSError:
        return False
    return True
