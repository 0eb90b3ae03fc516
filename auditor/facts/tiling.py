"""The report of ``tiles``: the plan of one model."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.document import Documented
from auditor.facts.report import Problem
from auditor.tiling.result import TilePlan

TILES_SCHEMA = "aliasaudit-tiles/1"


@dataclass(frozen=True, slots=True, repr=False)
class TilesReport(Documented):
    """One run of ``tiles``. ``version`` is the tool's, ``path`` the model as the user called it.

    ``plan`` is None where nothing can be cut, and ``problems`` say why.
    """

    version: str
    path: str
    plan: TilePlan | None
    problems: tuple[Problem, ...] = ()
    schema: str = TILES_SCHEMA

    def __repr__(self) -> str:
        return f"<TilesReport: {self.plan or 'no tiles'}>"
