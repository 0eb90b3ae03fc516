"""The rows of a run from a Ray cluster: plain tasks, each of some images, with the model kept open in every process.

Ray imports the token of its authentication and its switches when it is imported, and writes to the standard output of
the program; both are seen to here. A task whose process is lost runs again elsewhere, and nothing is lost.
"""

from __future__ import annotations

import os
import pickle
import platform
import secrets
import sys
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from auditor.text import plain
from auditor.verify.errors import DataError, VerifyError, WorkerCrashedError
from auditor.verify.images.source import ImageSource
from auditor.verify.pieces import Failure, Piece, PiecePlan, Work, blocks_of, measured_piece
from auditor.verify.versions import file_sha256, versions
from auditor.verify.worker.client import Worker

LOCAL = "local"
_STORE = 100 << 20  # bytes: rows are small, and images are read where they are measured
_AHEAD = 2  # blocks under way for each slot
_TRIES = 3  # of a block whose process or machine was lost


def pieces(
    work: Work, source: ImageSource, parts: Sequence[Sequence[int]], address: str
) -> Generator[Piece, None, None]:
    """Measure the places of these parts, one after the other, on the cluster at ``address``, or on a ``local`` one.

    Raises:
        DataError: Ray is not installed, or the cluster is not there.
    """
    with connected(address) as ray:
        threads = work.plan.settings.threads
        _require_cores(ray, threads)
        slots = max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
        task = ray.remote(num_cpus=threads, max_retries=_TRIES, scheduling_strategy="SPREAD")(_task)
        job = _Job(work, source.again, _facts(work.plan), str(Path.cwd()))
        payload = ray.put(pickle.dumps(job))
        waiting = deque(enumerate(blocks_of(parts, slots)))
        tries: Counter[int] = Counter()
        running: dict[Any, tuple[int, Sequence[int]]] = {}
        while waiting or running:
            while waiting and len(running) < _AHEAD * slots:
                number, block = waiting.popleft()
                running[task.remote(payload, block)] = number, block
            (done, *_), _ = ray.wait(list(running), num_returns=1)
            number, block = running.pop(done)
            try:
                piece = _piece(ray.get(done))
            except ray.exceptions.RayTaskError as error:
                raise VerifyError("a task of the cluster failed", str(error.cause)) from None
            except ray.exceptions.RayError as error:
                tries[number] += 1
                if tries[number] == _TRIES:
                    raise WorkerCrashedError(
                        f"{len(block)} images were lost {_TRIES} times with the process that measured them: give the "
                        "machines more memory, or lower --threads",
                        type(error).__name__,
                    ) from None
                waiting.appendleft((number, block))
                continue
            if piece.failure is not None:  # what lies behind it need not be measured
                waiting = deque(other for other in waiting if other[0] < number)
            yield piece


def _require_cores(ray: Any, threads: int) -> None:
    """A task that no machine can take would wait without an end.

    Raises:
        DataError: no machine has so many cores.
    """
    most = max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
    if most < threads:
        raise DataError(
            f"no machine of the cluster has {threads} cores for as many threads: set threads (--threads) to {int(most)}"
        )


@dataclass(frozen=True, slots=True)
class _Job:
    """What every process of the cluster needs. ``facts`` are what must be alike there.

    ``folder`` is where the command was started: relative paths of models and images begin there, on every machine.
    """

    work: Work
    again: Any
    facts: dict[str, str]
    folder: str


def _facts(plan: PiecePlan) -> dict[str, str]:
    return {**versions(), "the model": file_sha256(plan.model_file)}


def _task(payload: bytes, places: Sequence[int]) -> bytes:
    """Measure a block, in a process of the cluster."""
    try:
        worker, work, source = _opened(payload)
    except VerifyError as error:
        return pickle.dumps(Piece((), Failure.of(error, min(places))))
    piece = measured_piece(worker, work, source, places)
    if piece.failure is not None:
        _opened.cache_clear()  # its worker may be gone
    return pickle.dumps(piece)


@lru_cache(maxsize=1)
def _opened(payload: bytes) -> tuple[Worker, Work, ImageSource]:
    """The model, open in this process of the cluster until the next one comes."""
    job: _Job = _job(payload)
    name = platform.node()
    try:
        os.chdir(job.folder)
    except OSError as error:
        raise DataError(
            f"machine {name} does not have the folder {plain(job.folder)} ({error.strerror}): start the command in a "
            "folder that every machine has"
        ) from None
    try:
        here = _facts(job.work.plan)
    except OSError as error:
        raise DataError(f"machine {name} does not have the model at its path: {error.strerror}") from None
    differing = [f"{key} {here.get(key)}, not {value}" for key, value in job.facts.items() if here.get(key) != value]
    if differing:
        raise DataError(f"machine {name} would measure otherwise: {'; '.join(differing)}")
    settings = job.work.plan.settings
    worker = Worker(settings.device, settings.limits, settings.threads).__enter__()
    return worker, job.work.reopened(worker), job.again()


def _job(payload: bytes) -> _Job:
    job: _Job = pickle.loads(payload)  # noqa: S301 - from the program that this process works for
    return job


def _piece(answer: bytes) -> Piece:
    piece: Piece = pickle.loads(answer)  # noqa: S301 - from a process of the user's cluster
    return piece


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray with a connection, silent on the standard output; within another one it is that one.

    Raises:
        DataError: Ray is not installed, or the cluster is not there.
    """
    if find_spec("ray") is None:
        raise DataError("--ray needs Ray: install aliasaudit[ray]")
    if address.startswith("ray://"):
        raise DataError(
            "--ray takes HOST:PORT of the cluster this machine belongs to: send the command with `ray job submit`"
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local: dict[str, Any] = {}
    if address == LOCAL:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        local = {"object_store_memory": _STORE, "include_dashboard": False}
    with redirect_stdout(sys.stderr):
        ray = import_module("ray")
        mine = not ray.is_initialized()
        if mine:
            try:
                ray.init(address=address, log_to_driver=False, logging_level="ERROR", **local)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise DataError("the Ray cluster cannot be reached: give --ray HOST:PORT", str(error)) from None
        try:
            yield ray
        finally:
            if mine:
                ray.shutdown()
