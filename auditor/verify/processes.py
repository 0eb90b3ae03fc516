"""The rows of a run from several processes of this machine, each with the model open in a worker of its own."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import TracebackType

from auditor import system
from auditor.verify.errors import WorkerCrashedError
from auditor.verify.images.source import ImageSource
from auditor.verify.pieces import Failure, Piece, Work, blocks_of

_TRIES = 3  # of a block whose process was killed


@dataclass(slots=True)
class _Blocks:
    """The blocks that are still to be measured, in order."""

    waiting: deque[Sequence[int]]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def following(self) -> Sequence[int] | None:
        with self.lock:
            return self.waiting.popleft() if self.waiting else None

    def close(self) -> None:
        with self.lock:
            self.waiting.clear()


class Spares:
    """Processes that a run is done with, kept for the next one. A context: at its end they end, whatever ends it."""

    def __init__(self) -> None:
        self._idle: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._open = True

    def __enter__(self) -> Spares:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            idle, self._idle, self._open = self._idle, [], False
        for process in idle:
            _close(process)

    def take(self) -> subprocess.Popen[bytes] | None:
        """One that waits for work; None where there is none."""
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    return process
                _close(process)
        return None

    def give(self, process: subprocess.Popen[bytes]) -> None:
        """Keep one that has answered everything that it was asked."""
        with self._lock:
            if self._open:
                self._idle.append(process)
                return
        _close(process)


def pieces(
    work: Work, source: ImageSource, parts: Sequence[Sequence[int]], jobs: int, spares: Spares | None = None
) -> Generator[Piece, None, None]:
    """Measure the places of these parts, one after the other, in so many processes, a piece as soon as it is done.

    What lies behind an image that ends the run is not measured. A process that is killed is replaced, and its block
    measured again. The processes end with the iteration, or are kept in ``spares``.
    """
    blocks = _Blocks(deque(blocks_of(parts, jobs)))
    done: SimpleQueue[Piece | BaseException | None] = SimpleQueue()
    slots = [_Slot(pickle.dumps((work, source.again)), blocks, done, spares) for _ in range(jobs)]
    try:
        for slot in slots:
            slot.thread.start()
        running = len(slots)
        while running:
            piece = done.get()
            if piece is None:
                running -= 1
            elif isinstance(piece, BaseException):
                raise piece
            else:
                yield piece
    finally:
        blocks.close()
        for slot in slots:
            slot.end()


class _Slot:
    """One process after another, and the thread that waits for it."""

    def __init__(
        self, work: bytes, blocks: _Blocks, done: SimpleQueue[Piece | BaseException | None], spares: Spares | None
    ) -> None:
        self._work, self._blocks, self._done, self._spares = work, blocks, done, spares
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def end(self) -> None:
        """End the process, which ends the thread; the process ends its worker."""
        self._ended = True
        process = self._process
        if process is not None:
            process.kill()
        if self.thread.ident is not None:
            self.thread.join()

    def _run(self) -> None:
        try:
            while (block := self._blocks.following()) is not None and not self._ended:
                piece = self._measured(block)
                if piece is None:
                    return
                if piece.failure is not None:
                    self._blocks.close()
                self._done.put(piece)
            if self._spares is not None and self._process is not None and not self._ended:
                process, self._process = self._process, None
                self._spares.give(process)
        except BaseException as error:  # noqa: BLE001 - raised where the rows are read
            self._done.put(error)
        finally:
            self._close()
            self._done.put(None)

    def _measured(self, block: Sequence[int]) -> Piece | None:
        for _ in range(_TRIES):
            try:
                return self._asked(block)
            except (EOFError, OSError, pickle.UnpicklingError):
                self._close()
                if self._ended:
                    return None
        error = WorkerCrashedError(
            f"a process that measured images was killed {_TRIES} times in a row: use fewer --jobs, or a smaller "
            "--max-memory"
        )
        return Piece((), Failure.of(error, min(block)))

    def _asked(self, block: Sequence[int]) -> Piece:
        process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        pickle.dump(block, process.stdin)
        process.stdin.flush()
        piece: Piece = pickle.load(process.stdout)  # noqa: S301 - a process of our own that runs no model itself
        return piece

    def _started(self) -> subprocess.Popen[bytes]:
        process = None if self._spares is None else self._spares.take()
        if process is None:
            process = _started()
        self._process = process
        assert process.stdin is not None
        process.stdin.write(self._work)
        process.stdin.flush()
        return process

    def _close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _close(process)


def _started() -> subprocess.Popen[bytes]:
    """A further process, which waits for work."""
    command = [sys.executable, "-m", "auditor.verify.row_process"]
    # What is imported here must be found there, before its sys.path is set.
    paths = os.pathsep.join(filter(None, sys.path))
    process: subprocess.Popen[bytes] = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
        **system.APART,
    )
    assert process.stdin is not None
    try:
        pickle.dump(list(sys.path), process.stdin)
    except OSError:
        _close(process)
        raise
    return process


def _close(process: subprocess.Popen[bytes]) -> None:
    """End a process by the end of its input, else by force."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:
                continue
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
