"""What constant weights that resample made of a tensor, one axis after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.sampling.lattice.state import State

if TYPE_CHECKING:
    from auditor.sampling.lattice.banded import Resampling


@dataclass(frozen=True, slots=True)
class Resampled:
    """``axes`` holds, by source axis, the matrices that made a tensor of ``read``, whose state is ``given``.

    ``site`` and ``finer`` are the places of its site and of its enlargement in the record, where it has them.
    ``last`` is the tensor that the last of them reads.
    """

    read: str
    given: State
    axes: tuple[tuple[int, Resampling], ...]
    site: int | None
    finer: int | None
    last: str
