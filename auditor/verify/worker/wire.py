"""Length-prefixed JSON messages over a pipe, and the description of a tensor that lies in shared memory."""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from auditor import system

T = TypeVar("T")
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Message: TypeAlias = "dict[str, Json]"

_HEADER = struct.Struct("<Q")
# Only names, shapes and numbers travel here. A child that announces more than this is broken.
MAX_MESSAGE = 64 << 20


class PipeError(Exception):
    """The other side closed the pipe or sent something that is not a message."""


class PipeTimeoutError(PipeError):
    """Nothing arrived in time."""


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """A C-ordered tensor at ``offset`` bytes of an arena; ``dtype`` is a numpy name."""

    dtype: str
    shape: tuple[int, ...]
    offset: int

    def __post_init__(self) -> None:
        if self.offset < 0 or any(size < 0 for size in self.shape):
            raise ValueError("a tensor lies nowhere")


def plain(message: object) -> Message:
    """A message as plain dictionaries, lists, numbers and text."""
    import msgspec

    written: Message = msgspec.to_builtins(message)
    return written


def read(message: Mapping[str, Json], kind: type[T]) -> T:
    """The message of a class that came as plain values.

    Raises:
        PipeError: it is none; the message names the place.
    """
    import msgspec

    try:
        return msgspec.convert(message, kind)
    except msgspec.ValidationError as error:
        raise PipeError(f"a message makes no sense: {error}") from error


def send(descriptor: int, message: Message) -> None:
    """Write one message to a blocking pipe. Raises ``BrokenPipeError`` when the reader is gone."""
    body = json.dumps(message, ensure_ascii=True).encode("ascii")
    data = memoryview(_HEADER.pack(len(body)) + body)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError as error:
        if system.is_gone(error):
            raise BrokenPipeError(*error.args) from error
        raise


class Inbox:
    """The messages that come through one pipe. One read takes what is there: a run sends many small ones."""

    def __init__(self, descriptor: int) -> None:
        self._arrivals = system.Arrivals(descriptor)
        self._held = bytearray()

    def receive(self, seconds: float | None = None) -> Message:
        """The next message, waiting at most ``seconds`` for all of it.

        Raises:
            PipeError: the pipe was closed, or the message is too long or not a JSON object.
            PipeTimeoutError: the time is over.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        (length,) = _HEADER.unpack(self._taken(_HEADER.size, deadline))
        if length > MAX_MESSAGE:
            raise PipeError("a message is too long")
        try:
            message = json.loads(self._taken(length, deadline))
        except (ValueError, RecursionError) as error:
            raise PipeError("a message is not JSON") from error
        if not isinstance(message, dict):
            raise PipeError("a message is not an object")
        return message

    def _taken(self, size: int, deadline: float | None) -> bytes:
        while len(self._held) < size:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise PipeTimeoutError("no answer in time")
            try:
                part = self._arrivals.read(left)
            except TimeoutError:
                raise PipeTimeoutError("no answer in time") from None
            if not part:
                raise PipeError("the pipe was closed")
            self._held += part
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken
