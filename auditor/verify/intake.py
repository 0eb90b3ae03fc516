"""Measuring the images of a run as far as is asked, in a given order: in this process, in several, or on a cluster.

Processes go on to the images behind while those that are there are looked at; what nobody asks for is thrown away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType
from typing import Any

from auditor.verify import processes
from auditor.verify.cluster import pieces as pieces_of_cluster
from auditor.verify.measures.task import Row
from auditor.verify.observer import Observer
from auditor.verify.open_run import OpenRun
from auditor.verify.pieces import Failure, Piece, Work, rows_at


@dataclass(slots=True)
class Intake:
    """The images of a run in parts: first those up to the first of ``ends``, then those up to the next, and so on.

    The numbers count ``places``. Within a part images are measured in the order of their places, whoever measures them.
    """

    run: OpenRun
    places: Sequence[int]
    ends: Sequence[int]
    _pieces: Iterator[Piece] | None = None
    _ahead: list[Row[Any]] = field(default_factory=list)
    _failures: list[Failure] = field(default_factory=list)

    def __enter__(self) -> Intake:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:  # ends processes that still measure
            close()

    @classmethod
    def whole(cls, run: OpenRun, places: Sequence[int]) -> Intake:
        """All of these images at once."""
        return cls(run, places, [len(places)])

    def take(self, observer: Observer, part: int = 0) -> None:
        """Measure the images of this part; those before it were.

        Raises:
            VerifyError: as :func:`auditor.verify.runner.verify`, that of the first image, whichever process was first.
        """
        wanted = self._parts()[part]
        if self.run.plan.settings.shared:
            self._share(wanted if isinstance(wanted, range) else frozenset(wanted), observer)
        else:
            self.run.extend(wanted, observer)

    def _share(self, wanted: Collection[int], observer: Observer) -> None:
        settings = self.run.plan.settings
        if self._pieces is None:
            measured = (Work(self.run.plan, rows_at), self.run.source, self._parts())
            cluster, jobs = settings.ray, settings.jobs
            self._pieces = (
                processes.pieces(*measured, jobs, self.run.spares)
                if cluster is None
                else pieces_of_cluster(*measured, cluster)
            )
        left = len(wanted) - self._accept(self._take_ahead(), wanted, observer)
        while left:
            piece = next(self._pieces, None)
            if piece is None:
                break
            left -= self._accept(piece.rows, wanted, observer)
            self._failures += [piece.failure] if piece.failure is not None else []
        failures = [failure for failure in self._failures if failure.index in wanted]
        if failures:
            raise min(failures, key=lambda failure: failure.index).error()

    def _accept(self, rows: Sequence[Row[Any]], wanted: Collection[int], observer: Observer) -> int:
        """Keep the rows that are wanted, and those of later parts for then; how many the former are."""
        mine = [row for row in rows if row.index in wanted]
        self._ahead += [row for row in rows if row.index not in wanted]
        self.run.rows.extend(mine)
        for _ in mine:
            observer.advance()
        return len(mine)

    def _parts(self) -> list[Sequence[int]]:
        parts = [self.places[start:end] for start, end in pairwise((0, *self.ends))]
        return [part if isinstance(part, range) else sorted(part) for part in parts]

    def _take_ahead(self) -> list[Row[Any]]:
        rows, self._ahead = self._ahead, []
        return rows
