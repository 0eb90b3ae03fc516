"""What a report says of the images of a run beside their measures, from their rows in one pass."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from auditor.verify.columns import NameColumn
from auditor.verify.measures.task import Repeated, Row
from auditor.verify.result import Rejected


@dataclass(slots=True)
class ImageCounts:
    """Counts over the rows in the order of their places.

    ``names``, ``labelled``, ``digest``, ``enlarged``, ``factors`` (of both axes), ``larger`` (of the axis that is
    shrunk more), ``notes`` and ``tests`` are of the images that were measured, runs of all of them.
    """

    names: NameColumn = field(default_factory=NameColumn)
    rejected: list[Rejected] = field(default_factory=list)
    labelled: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    enlarged: array[float] = field(default_factory=lambda: array("d"))
    factors: array[float] = field(default_factory=lambda: array("d"))
    larger: array[float] = field(default_factory=lambda: array("d"))
    notes: Counter[str] = field(default_factory=Counter)
    tests: list[Repeated] = field(default_factory=list)
    runs: int = 0
    naive_runs: int = 0
    runs_beside: int = 0

    @classmethod
    def of(cls, rows: Iterable[Row[Any]]) -> ImageCounts:
        """The facts of all rows."""
        facts = cls()
        for row in rows:
            facts.runs += row.runs
            facts.naive_runs += row.naive_runs
            facts.runs_beside += row.runs_beside
            if row.measured is None:
                facts.rejected.append(Rejected(row.name, row.rejected))
            else:
                facts._add(row)
        return facts

    def _add(self, row: Row[Any]) -> None:
        self.names.add(row.name)
        self.labelled += row.label is not None
        self.digest.update(row.pixels)
        self.notes.update(row.notes)
        self.enlarged.append(row.enlarged)
        if row.factor is not None:
            self.factors.extend(row.factor)
            self.larger.append(max(row.factor))
        if row.repeated is not None:
            self.tests.append(row.repeated)
