"""What the two processes say to each other: commands of the parent, replies of the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from auditor.verify.worker.job import NodePlacement, Port
from auditor.verify.worker.wire import TensorPlace


@dataclass(frozen=True, slots=True)
class StartCommand:
    """The first command: the device and limits of the worker, and the descriptors of the shared memory."""

    device: str
    threads: int
    step_seconds: float
    memory_bytes: int | None
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OpenCommand:
    """Load a model; see :class:`auditor.verify.worker.job.SessionSpec`."""

    model: str
    extra_outputs: tuple[str, ...]
    free_batch: tuple[str, ...]
    custom_ops: tuple[str, ...]
    runtime: str
    free_axes: tuple[tuple[str, int], ...] = ()
    do: str = "open"


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Run a job, whose arrays lie in the shared memory ``slot``; see :class:`auditor.verify.worker.job.Job`."""

    slot: int
    session: int
    input: str
    canvases: TensorPlace
    places: TensorPlace
    size: tuple[int, int]
    channels_last: bool
    feeds: Mapping[str, TensorPlace]
    outputs: tuple[str, ...]
    batch: int
    exact: bool
    argmax: Mapping[str, int]
    do: str = "run"


@dataclass(frozen=True, slots=True)
class OpenReply:
    """The session of a model."""

    key: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    placement: NodePlacement


@dataclass(frozen=True, slots=True)
class CallReply:
    """One call of the model: ``rows`` windows were new, of a batch of ``batch``."""

    rows: int
    batch: int
    outputs: Mapping[str, TensorPlace]


@dataclass(frozen=True, slots=True)
class RunReply:
    """The calls of a job, and the time that they took."""

    seconds: float
    calls: tuple[CallReply, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class FailureReply:
    """What went wrong, by a word of our own, and what was said about it."""

    error: str
    detail: str = ""
