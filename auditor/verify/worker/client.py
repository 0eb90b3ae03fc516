"""The parent's side of the worker: starts it, feeds it, watches the clock, and turns its death into one line."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TypeVar

from auditor import system
from auditor.system import EndKind
from auditor.unfinished import unnamed_file
from auditor.verify.errors import (
    DeviceUnavailableError,
    ModelRejectedError,
    RuntimeMissingError,
    VerifyError,
    WorkerCrashedError,
    WorkerMemoryError,
    WorkerTimeoutError,
)
from auditor.verify.worker import memory, wire
from auditor.verify.worker.arena import Arena
from auditor.verify.worker.device import Device
from auditor.verify.worker.job import Answer, Job, ModelCall, Opened, SessionSpec
from auditor.verify.worker.limits import RunLimits
from auditor.verify.worker.messages import FailureReply, OpenCommand, OpenReply, RunCommand, RunReply, StartCommand
from auditor.verify.worker.providers import placed, unbuilt
from auditor.verify.worker.read_back import ran_in
from auditor.verify.worker.runtime import Runtime, device_of
from auditor.verify.worker.wire import Message

T = TypeVar("T")

# Two jobs may be under way: the worker runs one while the parent prepares the next and reads the last.
DEPTH = 2
_BOOT = """
import json, sys
parent, sys.path[:] = json.loads(sys.argv[1])
from auditor.verify.worker.lifeline import follow
follow(parent)
from auditor.verify.worker.child import main
main()
"""
# From 1.29 on, importing onnxruntime writes a device id and a queue of events below the home folder, to be sent.
_SILENT = {"ORT_DISABLE_TELEMETRY": "1"}


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """A refusal of the system as an error of the measurement."""
    try:
        yield
    except OSError as error:
        raise VerifyError(
            f"the process that runs the model cannot have what it needs: {error.strerror or error}"
        ) from error


class Worker:
    """A process that runs models. Use it as a context manager; leaving it kills the process.

    ``on_call`` is told after every call of the model that has begun. All methods raise :class:`WorkerCrashedError`
    when the process dies, and :class:`WorkerTimeoutError` when one step is slower than the limit; the worker is of no
    further use then.
    """

    def __init__(
        self, device: Device, limits: RunLimits, threads: int, on_call: Callable[[], None] = lambda: None
    ) -> None:
        self._device = device
        self._threads = threads
        self._limits = limits
        self._on_call = on_call
        self._count = 0
        self._pending: deque[int] = deque()
        # Of each session, and what the process is busy with.
        self._runtimes: dict[int, Runtime] = {}
        self._runtime = Runtime.ONNXRUNTIME
        with contextlib.ExitStack() as opened, _room():
            self._log = opened.enter_context(unnamed_file())
            arenas = [opened.enter_context(contextlib.closing(Arena.create())) for _ in range(2 * DEPTH)]
            self._inputs, self._outputs = arenas[:DEPTH], arenas[DEPTH:]
            names, passing = system.inheritance([arena.descriptor for arena in arenas])
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOT, json.dumps([os.getpid(), sys.path])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=_SILENT | os.environ,
                # ^C in the terminal reaches the parent only, which then ends this process in its own time.
                **passing,
            )
            opened.callback(self._process.kill)
            self._leash = system.Leash(self._process)
            opened.pop_all()  # from here on `close` gives them back
        assert self._process.stdout is not None
        self._replies = wire.Inbox(self._process.stdout.fileno())
        self._start = StartCommand(
            device=device.asked,
            threads=threads,
            step_seconds=limits.step_seconds,
            memory_bytes=limits.memory_bytes,
            inputs=names[:DEPTH],
            outputs=names[DEPTH:],
        )

    def __enter__(self) -> Worker:
        try:
            self._ask(self._start)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process id of the worker."""
        return self._process.pid

    def close(self) -> None:
        """End the process at once and give its memory back. Closing twice is allowed."""
        if self._log.closed:
            return
        self._leash.end()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                # An unsent rest of a command cannot be flushed to a dead process.
                with contextlib.suppress(OSError):
                    stream.close()
        for arena in (*self._inputs, *self._outputs):
            arena.close()
        self._log.close()
        self._leash.release()

    def open(self, spec: SessionSpec) -> Opened:
        """Load a model.

        Raises:
            ModelRejectedError: the runtime refuses the model, or it needs more memory than allowed.
            RuntimeMissingError: the runtime is not installed.
            DeviceUnavailableError: a GPU was asked for and does not run the compute nodes.
        """
        self._runtime = spec.runtime
        reply = self._ask(
            OpenCommand(
                str(spec.model),
                spec.extra_outputs,
                spec.free_batch,
                tuple(map(str, spec.custom_ops)),
                spec.runtime.value,
                spec.free_axes,
            )
        )
        opened = self._read(reply, OpenReply)
        self._runtimes[opened.key] = spec.runtime
        device = device_of(spec.runtime, self._device)
        if spec.runtime is Runtime.ONNXRUNTIME:
            provider, remarks = placed(device, opened.placement, self._threads)
        else:
            provider, remarks = ran_in(spec.runtime, device, opened, self._threads)
        return Opened(opened.key, opened.inputs, opened.outputs, provider, remarks)

    def run(self, job: Job) -> Answer:
        """Submit a job and wait for its answer."""
        self.submit(job)
        return self.collect()

    @property
    def pending(self) -> int:
        """The number of submitted jobs whose answers were not collected; at most :data:`DEPTH`."""
        return len(self._pending)

    def submit(self, job: Job) -> None:
        """Hand a job over without waiting for it. The arrays of the job are copied."""
        if len(self._pending) == DEPTH:
            raise ValueError("collect an answer before submitting a third job")
        slot = self._count % DEPTH
        self._count += 1
        self._runtime = self._runtimes[job.session]
        names = list(job.feeds)
        arena = self._inputs[slot]
        with _room():
            places = arena.write([job.windows.canvases, job.windows.places, *job.feeds.values()])
        self._send(
            RunCommand(
                slot=slot,
                session=job.session,
                input=job.windows.input,
                canvases=places[0],
                places=places[1],
                size=job.windows.size,
                channels_last=job.windows.channels_last,
                feeds=dict(zip(names, places[2:], strict=True)),
                outputs=job.outputs,
                batch=job.batch,
                exact=job.exact,
                argmax=dict(job.argmax),
            )
        )
        self._pending.append(slot)

    def collect(self) -> Answer:
        """Wait for the oldest submitted job.

        Raises:
            ModelRejectedError: the runtime refuses the inputs, or the model needs more memory than allowed.
        """
        slot = self._pending.popleft()
        reply = self._read(self._reply(), RunReply)
        arena = self._outputs[slot]
        try:
            calls = tuple(
                ModelCall(call.rows, call.batch, {name: arena.view(place) for name, place in call.outputs.items()})
                for call in reply.calls
            )
        except wire.PipeError as error:
            raise self._broken() from error
        return Answer(calls, reply.seconds)

    def _read(self, reply: Message, kind: type[T]) -> T:
        try:
            return wire.read(reply, kind)
        except wire.PipeError as error:
            raise self._broken() from error

    def _ask(self, message: object) -> Message:
        self._send(message)
        return self._reply()

    def _send(self, message: object) -> None:
        assert self._process.stdin is not None
        try:
            wire.send(self._process.stdin.fileno(), wire.plain(message))
        except BrokenPipeError as error:
            raise self._died() from error

    def _reply(self) -> Message:
        while True:
            try:
                reply = self._replies.receive(self._limits.step_seconds)
            except wire.PipeTimeoutError as error:
                self._leash.end()
                raise WorkerTimeoutError(
                    f"one step of the model took longer than {self._limits.step_seconds:g} s and was stopped: "
                    "raise --step-timeout or use fewer shifts",
                ) from error
            except wire.PipeError as error:
                raise self._died() from error
            if "tick" not in reply:
                break
            self._on_call()
        if "error" in reply:
            raise _failure(self._read(reply, FailureReply), self._device, self._runtime)
        return reply

    def _died(self) -> WorkerCrashedError:
        """The error for a process that closed its pipe, with the signal that ended it."""
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return self._broken()
        detail = self._tail()
        if code == memory.OVER_LIMIT:
            return WorkerMemoryError(
                f"the model needs more resident memory than the limit{_bound(self._limits)}: raise --max-memory", detail
            )
        ending = system.ending(code)
        if ending.kind is EndKind.CPU_TIME:
            return WorkerTimeoutError(
                f"one step of the model took longer than {self._limits.step_seconds:g} s of CPU time: "
                "raise --step-timeout",
                detail,
            )
        if ending.kind is EndKind.KILLED:
            return WorkerCrashedError(
                "the system killed the process that ran the model: is there enough memory?", detail
            )
        if ending.kind is EndKind.CRASH:
            return WorkerCrashedError(
                f"{self._runtime.title} died with {ending.name} while it ran the model: do not deploy this model",
                detail,
            )
        return WorkerCrashedError(f"the process that ran the model ended with {ending.name}", detail)

    def _broken(self) -> WorkerCrashedError:
        self._leash.end()
        return WorkerCrashedError("the process that ran the model gave a reply that makes no sense", self._tail())

    def _tail(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        start = max(0, size - 4000)
        return system.read_at(self._log.fileno(), 4000, start).decode("utf-8", "replace")


def _bound(limits: RunLimits) -> str:
    return "" if limits.memory_bytes is None else f" of {limits.memory_bytes / 2**30:.1f} GiB"


def _failure(reply: FailureReply, device: Device, runtime: Runtime) -> VerifyError:
    kind, detail, name = reply.error, reply.detail, runtime.title
    if kind == "unbuilt":
        if runtime is Runtime.ONNXRUNTIME:
            return unbuilt(device)
        return DeviceUnavailableError(f"--device {device.asked} was asked for and {name} finds no such device here")
    if kind == "output":
        return ModelRejectedError("an output is no numeric tensor: name the outputs to measure", detail)
    if kind == "missing":
        return RuntimeMissingError(f"{name} is not installed: {runtime.install}", runtime.value, detail)
    if kind == "memory":
        return ModelRejectedError("the system refuses the memory that the model asks for", detail)
    return ModelRejectedError(f"{name} refuses the model or its input", detail)
