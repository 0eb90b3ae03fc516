"""The main loop of the worker process: one command in, one reply out, a tick before every call of the model.

File descriptor 0 brings commands. Replies leave through a copy of descriptor 1, which then points where errors go:
runtimes print to standard output, and those lines must not become part of a report.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from auditor import system
from auditor.verify.errors import DeviceUnavailableError, ModelRejectedError
from auditor.verify.worker import lifeline, wire
from auditor.verify.worker.arena import Arena, Array, aligned
from auditor.verify.worker.device import parse_device
from auditor.verify.worker.engines import start
from auditor.verify.worker.engines.engine import Engine, Session, checked
from auditor.verify.worker.job import SessionSpec, Windows
from auditor.verify.worker.limits import bound_cpu, bound_memory
from auditor.verify.worker.messages import (
    CallReply,
    FailureReply,
    OpenCommand,
    OpenReply,
    RunCommand,
    RunReply,
    StartCommand,
)
from auditor.verify.worker.runtime import Runtime, device_of
from auditor.verify.worker.wire import Message, TensorPlace

_LOG = 2
_LOG_TAIL = 64 << 10


class Child:
    """The state of the worker: the engines that models asked for, and the open sessions."""

    def __init__(self, settings: StartCommand, replies: int) -> None:
        self._replies = replies
        self._seconds, self._threads = settings.step_seconds, settings.threads
        self._inputs = [Arena(system.inherited(name)) for name in settings.inputs]
        self._outputs = [Arena(system.inherited(name)) for name in settings.outputs]
        self._sessions: list[Session] = []
        self._engines: dict[Runtime, Engine] = {}
        self._device, self._memory_bytes = parse_device(settings.device), settings.memory_bytes

    def handle(self, command: Message) -> OpenReply | RunReply:
        """The reply to one command."""
        bound_cpu(self._seconds, self._threads)
        if command["do"] == "open":
            return self._open(wire.read(command, OpenCommand))
        return self._run(wire.read(command, RunCommand))

    def _open(self, command: OpenCommand) -> OpenReply:
        custom_ops, runtime = tuple(map(Path, command.custom_ops)), Runtime(command.runtime)
        spec = SessionSpec(
            Path(command.model), command.extra_outputs, command.free_batch, custom_ops, runtime, command.free_axes
        )
        session = self._engine(runtime).open(spec, len(self._sessions))
        self._sessions.append(session)
        return OpenReply(session.key, session.inputs, session.outputs, session.placement)

    def _engine(self, runtime: Runtime) -> Engine:
        if runtime not in self._engines:
            device = device_of(runtime, self._device)
            engine = start(runtime, device, self._threads, self._memory_bytes, _log_tail)
            if not self._engines:
                bound_memory(None if engine.unbounded else self._memory_bytes)
            self._engines[runtime] = engine
        return self._engines[runtime]

    def _run(self, command: RunCommand) -> RunReply:
        source, target = self._inputs[command.slot], self._outputs[command.slot]
        windows = Windows(
            command.input,
            source.view(command.canvases),
            source.view(command.places),
            command.size,
            command.channels_last,
        )
        feeds = {name: source.view(place) for name, place in command.feeds.items()}
        start, offset = time.perf_counter(), 0
        calls: list[CallReply] = []
        steps = self._sessions[command.session].run(
            windows, feeds, command.outputs, command.batch, command.exact, command.argmax, self._tick
        )
        for step in steps:
            places: dict[str, TensorPlace] = {}
            for name, value in step.outputs.items():
                array: Array = np.ascontiguousarray(checked(value, name))
                places[name] = target.put(array, offset)
                offset = aligned(offset + array.nbytes)
            calls.append(CallReply(step.rows, step.batch, places))
        return RunReply(time.perf_counter() - start, tuple(calls))

    def _tick(self) -> None:
        bound_cpu(self._seconds, self._threads)
        wire.send(self._replies, {"tick": True})


def main() -> None:
    """Serve commands until the parent closes the pipe, which ends the process."""
    replies = os.dup(1)
    os.dup2(_LOG, 1)
    child: Child | None = None
    for command in lifeline.commands():
        try:
            if child is None:
                child = Child(wire.read(command, StartCommand), replies)
                reply: Message = {}
            else:
                reply = wire.plain(child.handle(command))
        except Exception as error:  # noqa: BLE001 - the boundary of the process: every failure becomes a reply
            reply = wire.plain(_failure(error))
        try:
            wire.send(replies, reply)
        except BrokenPipeError:
            return


def _failure(error: Exception) -> FailureReply:
    detail = " ".join(str(error).split())[:4000]
    if isinstance(error, DeviceUnavailableError):
        return FailureReply("unbuilt")
    if isinstance(error, ModelRejectedError):
        return FailureReply("output", error.detail.raw)
    if isinstance(error, ImportError):
        return FailureReply("missing", detail)
    if isinstance(error, MemoryError) or "bad_alloc" in detail or "bad allocation" in detail or "allocate" in detail:
        return FailureReply("memory", detail)
    return FailureReply("refused", detail)


def _log_tail() -> str:
    size = os.fstat(_LOG).st_size
    start = max(0, size - _LOG_TAIL)
    return system.read_at(_LOG, size - start, start).decode("utf-8", "replace")
