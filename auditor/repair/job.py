"""What a repair is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from auditor.repair.portable import Portability
from auditor.repair.search.candidates import Restriction
from auditor.repair.search.search import Budget
from auditor.rewrite.calibration.calibrate import Pictures
from auditor.rewrite.result import Options, Refit, Step
from auditor.verify.observer import Observer
from auditor.verify.options import Request


@dataclass(frozen=True, slots=True)
class RepairJob:
    """What to do to a model, and how that is measured.

    ``step`` is the rewrite, None for the best of several within ``budget``, found by measuring. ``request`` says what
    both models are run on: a search needs it, and one step is not measured without. ``require_gain``: keep nothing
    unless a leading measure surely got better. ``pictures`` are what blurs are calibrated on, and ``fitted_on`` the
    words that name them; without them a search calibrates nothing, with them ``refit`` says what else it fits.
    ``only`` restricts what a search tries, and ``lock`` says how it may make grid locks, None that it may not.
    ``state`` is a file that keeps every measurement of a search. ``watched`` is entered for the time of measuring, and
    gives who is told of its progress.
    ``portable``: lower the result for its targets, or the model as it is where there is neither step nor request.
    """

    step: Step | None
    request: Request | None = None
    require_gain: bool = False
    budget: Budget = field(default_factory=Budget)
    pictures: Pictures | None = None
    refit: Refit = Refit.LAST
    fitted_on: Sequence[str] = ()
    state: Path | None = None
    only: Restriction | None = None
    lock: Options | None = None
    portable: Portability | None = None
    watched: Callable[[], AbstractContextManager[Observer | None]] = nullcontext

    @property
    def lowers_only(self) -> bool:
        """Whether there is no rewrite in front of a lowering."""
        return self.step is None and self.request is None and self.portable is not None
