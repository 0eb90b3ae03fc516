"""What every runtime offers the worker: sessions, and the calls made with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from auditor.verify.errors import ModelRejectedError
from auditor.verify.worker.arena import Array
from auditor.verify.worker.job import NodePlacement, Port, SessionSpec, Windows
from auditor.verify.worker.windows import cut

NUMERIC = frozenset(
    ["bool", "float64", "float32", "float16", "int16", "int32", "int64", "int8", "uint16", "uint32", "uint64", "uint8"]
)
"""The types of tensors that can travel."""

# From places, names of outputs and the axes of reductions to the outputs of one call.
Call: TypeAlias = "Callable[[Array, tuple[str, ...], Mapping[str, int]], dict[str, Array]]"


@dataclass(frozen=True, slots=True)
class CallOutputs:
    """The outputs of one call, with the windows that were new and the rows that were run."""

    rows: int
    batch: int
    outputs: Mapping[str, Array]


class Session(ABC):
    """A model that is ready to run."""

    key: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    placement: NodePlacement

    def run(
        self,
        windows: Windows,
        feeds: Mapping[str, Array],
        outputs: tuple[str, ...],
        batch: int,
        exact: bool,
        argmax: Mapping[str, int],
        step: Callable[[], None],
    ) -> Iterator[CallOutputs]:
        """Call the model on all windows, ``batch`` at a time; the arguments are those of a ``Job``.

        ``step`` is told before every call. The outputs of a call may be gone after the next one.
        """
        call = self.calls(windows, feeds)
        for start in range(0, len(windows.places), batch):
            places = windows.places[start : start + batch]
            rows = len(places)
            if exact and rows < batch:
                places = np.concatenate([places, np.repeat(places[-1:], batch - rows, axis=0)])
            step()
            yield CallOutputs(rows, len(places), call(places, outputs, argmax))

    def calls(self, windows: Windows, feeds: Mapping[str, Array]) -> Call:
        """How one batch of windows is run: here they are cut on the host."""

        def call(places: Array, outputs: tuple[str, ...], argmax: Mapping[str, int]) -> dict[str, Array]:
            tensor = cut(windows.canvases, places, windows.size, windows.channels_last)
            values = self.infer({windows.input: tensor, **feeds}, outputs)
            found = dict(zip(outputs, values, strict=True))
            return {name: _reduced(value, argmax.get(name)) for name, value in found.items()}

        return call

    @abstractmethod
    def infer(self, feeds: Mapping[str, Array], outputs: tuple[str, ...]) -> Sequence[Array]:
        """The outputs of these names for one batch of inputs."""


class Engine(ABC):
    """A runtime with the settings that every session of one worker shares.

    ``unbounded``: what it takes on the host says nothing about a model, as where a GPU holds it.
    """

    unbounded: bool = False

    @abstractmethod
    def open(self, spec: SessionSpec, key: int) -> Session:
        """Load a model."""


def checked(value: object, name: str) -> Array:
    """An output as a tensor that can travel.

    Raises:
        ModelRejectedError: the output is a sequence, a map or strings.
    """
    if not isinstance(value, np.ndarray) or value.dtype.name not in NUMERIC:
        raise ModelRejectedError("an output is no numeric tensor: name the outputs to measure", name)
    return value


def _reduced(value: Array, axis: int | None) -> Array:
    return value if axis is None else np.asarray(value.argmax(axis))
