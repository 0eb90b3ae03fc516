"""What the parent asks of the worker, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from auditor.verify.result import Provider
from auditor.verify.worker.arena import Array
from auditor.verify.worker.runtime import Runtime


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """A model to open.

    ``extra_outputs`` are main-graph tensors to return besides the graph outputs. ``free_batch`` makes the first axis of
    these inputs, and of every output, symbolic; ``free_axes``, an input and one of its axes each, makes these axes
    symbolic, and all axes of every output. ``custom_ops`` are libraries with native code, named by the user.
    ``extra_outputs``, ``free_axes`` and ``custom_ops`` are for onnxruntime alone.
    """

    model: Path
    extra_outputs: tuple[str, ...] = ()
    free_batch: tuple[str, ...] = ()
    custom_ops: tuple[Path, ...] = ()
    runtime: Runtime = Runtime.ONNXRUNTIME
    free_axes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How a tensor of whole numbers stands for real ones: ``scale * (number - zero_point)``."""

    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output. ``dtype`` is a numpy name, empty for no tensor; an axis is a size, a symbol or None.

    ``quantised``: the runtime turns real numbers into whole ones there, or back.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]
    quantised: Quantisation | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A session in the worker. ``key`` names it in jobs; ``remarks`` are our own words about where it runs."""

    key: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    provider: Provider
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodePlacement:
    """Where the nodes of a session are: (provider, operator, number of nodes), and what the runtime said about it.

    onnxruntime before 1.24 gives no ``nodes``. ``providers`` are those that the session was made with, first choice
    first: a GPU provider that could not be started is not among them. ``version`` is the runtime's. ``precisions``
    count the nodes by the type of what they make, where the runtime tells.
    """

    nodes: tuple[tuple[str, str, int], ...]
    providers: tuple[str, ...]
    version: str
    log: str
    precisions: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Windows:
    """Inputs to cut from canvases; see :func:`auditor.verify.worker.windows.cut` for shapes."""

    input: str
    canvases: Array
    places: Array
    size: tuple[int, int]
    channels_last: bool


@dataclass(frozen=True, slots=True)
class Job:
    """Calls of one session. Each call reads ``batch`` windows, the last one fewer unless ``exact``.

    With ``exact`` the last call repeats its last window up to ``batch`` rows (a model with a fixed batch). ``feeds``
    are further inputs, the same in every call. ``argmax`` maps an output to the axis along which only the index of the
    largest element is kept.
    """

    session: int
    windows: Windows
    outputs: tuple[str, ...]
    batch: int = 1
    exact: bool = False
    feeds: Mapping[str, Array] = field(default_factory=dict)
    argmax: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of the model: ``rows`` windows were new. The arrays are views of shared memory."""

    rows: int
    batch: int
    outputs: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Answer:
    """The calls of a job in order. Its arrays are valid until the second-next job is submitted: copy what is kept."""

    calls: tuple[ModelCall, ...]
    seconds: float

    def rows(self, name: str) -> list[Array]:
        """The output of every window, without the batch axis where the output has one."""
        found: list[Array] = []
        for call in self.calls:
            value = call.outputs[name]
            if value.ndim and value.shape[0] == call.batch:
                found.extend(value[: call.rows])
            else:
                found.append(value)
        return found
