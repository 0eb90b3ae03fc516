"""What the child process may use."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass

from auditor.verify.worker import memory


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Bounds for running a model.

    ``step_seconds`` bounds the wall-clock time of one step: making the session, or one call of the model.
    ``memory_bytes`` bounds the resident memory when the model runs on the CPU, and the provider's own arena on a GPU;
    None sets no bound.
    """

    step_seconds: float = 600.0
    memory_bytes: int | None = None


def bound_memory(size: int | None) -> None:
    """Bound the resident memory of this process, and never write a core file of it.

    Linux ends this process before any other where memory runs out for all of them.
    """
    _limit("RLIMIT_CORE", 0)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 - no file
        score.write("1000")
    if size is not None:
        memory.watch(size)


def bound_cpu(seconds: float, threads: int) -> None:
    """Give this process ``seconds`` more on each of ``threads`` cores; past that the system sends SIGXCPU.

    The parent watches the wall clock; this bound holds even when the parent is gone.
    """
    _limit("RLIMIT_CPU", math.ceil(time.process_time() + seconds * max(threads, 1)) + 1)


def _limit(name: str, size: int) -> None:
    """Set the soft limit of a resource. Where the system has no such limits, or refuses one, other bounds must do."""
    try:
        import resource
    except ImportError:
        return
    kind = getattr(resource, name)
    with contextlib.suppress(ValueError, OSError):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))
