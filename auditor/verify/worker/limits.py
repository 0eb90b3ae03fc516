"""What the child process may use."""

from __future__ import annotations

import math
import resource
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for running a model.

    ``step_seconds`` bounds the wall-clock time of one step: making the session, or one call of the model.
    ``memory_bytes`` bounds the address space when the model runs on the CPU (CUDA reserves address space without using
    it, so there it bounds the provider's own arena); None sets no bound.
    """

    step_seconds: float = 600.0
    memory_bytes: int | None = None


def bound_memory(size: int | None) -> None:
    """Bound the address space of this process, and never write a core file of it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if size is not None:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        soft = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def bound_cpu(seconds: float, threads: int) -> None:
    """Give this process ``seconds`` more on each of ``threads`` cores; past that the system sends SIGXCPU.

    The parent watches the wall clock; this bound holds even when the parent is gone.
    """
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = math.ceil(time.process_time() + seconds * max(threads, 1)) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
