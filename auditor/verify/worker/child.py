"""The main loop of the worker process: one command in, one reply out, a tick before every call of the model.

File descriptor 0 brings commands. Replies leave through a copy of descriptor 1, which then points where errors go:
onnxruntime prints to standard output, and those lines must not become part of a report.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from auditor.verify.errors import DeviceUnavailableError, ModelRejectedError
from auditor.verify.worker import lifeline, wire
from auditor.verify.worker.arena import Arena, Array, aligned
from auditor.verify.worker.job import Port, Windows
from auditor.verify.worker.limits import bound_cpu, bound_memory
from auditor.verify.worker.providers import parse_device
from auditor.verify.worker.session import Engine, Session, checked, read_spec
from auditor.verify.worker.wire import Json, Message, TensorPlace

_LOG = 2
_LOG_TAIL = 64 << 10


class Child:
    """The state of the worker: the engine and the open sessions."""

    def __init__(self, start: Mapping[str, Any], replies: int) -> None:
        self._replies = replies
        self._seconds = float(start["step_seconds"])
        self._threads = int(start["threads"])
        self._inputs = [Arena(descriptor) for descriptor in start["inputs"]]
        self._outputs = [Arena(descriptor) for descriptor in start["outputs"]]
        self._sessions: list[Session] = []
        memory = start["memory_bytes"]
        self._engine = Engine(parse_device(start["device"]), self._threads, memory, _log_tail)
        bound_memory(None if self._engine.gpu else memory)

    def handle(self, command: Mapping[str, Any]) -> Message:
        """The reply to one command."""
        bound_cpu(self._seconds, self._threads)
        if command["do"] == "open":
            session = Session(self._engine, read_spec(command), len(self._sessions))
            self._sessions.append(session)
            return _opened(session)
        return self._run(command)

    def _run(self, command: Mapping[str, Any]) -> Message:
        source, target = self._inputs[command["slot"]], self._outputs[command["slot"]]
        windows = Windows(
            command["input"],
            source.view(TensorPlace.from_json(command["canvases"])),
            source.view(TensorPlace.from_json(command["places"])),
            (command["size"][0], command["size"][1]),
            command["channels_last"],
        )
        feeds = {name: source.view(TensorPlace.from_json(place)) for name, place in command["feeds"].items()}
        start, offset = time.perf_counter(), 0
        calls: list[Json] = []
        steps = self._sessions[command["session"]].run(
            windows,
            feeds,
            tuple(command["outputs"]),
            command["batch"],
            command["exact"],
            command["argmax"],
            self._tick,
        )
        for step in steps:
            places: Message = {}
            for name, value in step.outputs.items():
                array: Array = np.ascontiguousarray(checked(value, name))
                place = target.put(array, offset)
                offset = aligned(offset + array.nbytes)
                places[name] = cast("Json", place.to_json())
            calls.append({"rows": step.rows, "batch": step.batch, "outputs": places})
        return {"calls": calls, "seconds": time.perf_counter() - start}

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
                child = Child(command, replies)
                reply: Message = {}
            else:
                reply = child.handle(command)
        except Exception as error:  # noqa: BLE001 - the boundary of the process: every failure becomes a reply
            reply = _failure(error)
        try:
            wire.send(replies, reply)
        except BrokenPipeError:
            return


def _failure(error: Exception) -> Message:
    detail = str(error)[:4000]
    if isinstance(error, DeviceUnavailableError):
        return {"error": "unbuilt"}
    if isinstance(error, ModelRejectedError):
        return {"error": "output", "detail": error.detail.raw}
    if isinstance(error, ImportError):
        return {"error": "missing", "detail": detail}
    if isinstance(error, MemoryError) or "bad_alloc" in detail or "bad allocation" in detail or "allocate" in detail:
        return {"error": "memory", "detail": detail}
    return {"error": "refused", "detail": detail}


def _opened(session: Session) -> Message:
    placement = session.placement
    return {
        "key": session.key,
        "inputs": [_port(port) for port in session.inputs],
        "outputs": [_port(port) for port in session.outputs],
        "nodes": [[name, op, count] for name, op, count in placement.nodes],
        "providers": list(placement.providers),
        "onnxruntime": placement.onnxruntime,
        "log": placement.log,
    }


def _port(port: Port) -> Json:
    return {"name": port.name, "dtype": port.dtype, "shape": list(port.shape)}


def _log_tail() -> str:
    size = os.fstat(_LOG).st_size
    start = max(0, size - _LOG_TAIL)
    return os.pread(_LOG, size - start, start).decode("utf-8", "replace")
