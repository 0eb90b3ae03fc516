"""The rows of some images of a run, or why one of them could not be measured: what other processes give back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from auditor.verify import errors
from auditor.verify.errors import DataError, VerifyError
from auditor.verify.images.source import ImageSource
from auditor.verify.measures.task import Row
from auditor.verify.pilot import RunPlan
from auditor.verify.rows import measured_rows
from auditor.verify.settings import VerifySettings
from auditor.verify.worker.client import Worker


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that ends the measurement of a model, as a value; ``index`` is the place of the image."""

    index: int
    kind: str
    message: str
    detail: str

    @classmethod
    def of(cls, error: VerifyError, index: int) -> Failure:
        return cls(index, type(error).__name__, str(error), error.detail.raw)

    def error(self) -> VerifyError:
        """The error again."""
        kind = getattr(errors, self.kind, VerifyError)
        known = isinstance(kind, type) and issubclass(kind, VerifyError) and kind.__init__ is VerifyError.__init__
        return kind(self.message, self.detail) if known else VerifyError(self.message, self.detail)


class PiecePlan(Protocol):
    """What holds for every image of a run, here and in other processes."""

    @property
    def settings(self) -> VerifySettings:
        """Where and how the model runs."""

    @property
    def model_file(self) -> Path:
        """The file of the model."""

    def reopened(self, worker: Worker) -> PiecePlan:
        """The same on another worker."""


@dataclass(frozen=True, slots=True)
class Work:
    """What other processes are to do: ``rows(worker, plan, source, places)`` measures the images at these places.

    A row has the place of its image as ``index``.
    """

    plan: PiecePlan
    rows: Callable[[Worker, Any, ImageSource, Collection[int]], Iterator[Any]]

    def reopened(self, worker: Worker) -> Work:
        """The same on another worker."""
        return replace(self, plan=self.plan.reopened(worker))


def rows_at(worker: Worker, plan: RunPlan, source: ImageSource, places: Collection[int]) -> Iterator[Row[Any]]:
    """The rows of a measurement."""
    return measured_rows(worker, plan, plan.units(source, places))


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of some places, up to the first one that ends the run."""

    rows: tuple[Any, ...]
    failure: Failure | None = None


def measured_piece(worker: Worker, work: Work, source: ImageSource, places: Iterable[int]) -> Piece:
    """Measure the images at these places; an error becomes a value, and ends the piece."""
    wanted = sorted(places)
    rows: list[Any] = []
    try:
        for row in work.rows(worker, work.plan, source, frozenset(wanted)):
            rows.append(row)  # noqa: PERF402 - those before an error are kept
    except VerifyError as error:
        done = {row.index for row in rows}
        return Piece(tuple(rows), Failure.of(error, min(place for place in wanted if place not in done)))
    return Piece(tuple(rows))


def splittable_places(source: ImageSource) -> range:
    """All places of a source that processes can share.

    Raises:
        DataError: its images come one after the other.
    """
    places = source.all_places
    if places is None or source.again is None:
        raise DataError(
            "these images come one after the other, so processes cannot share them: --jobs, --ray and --shard need a "
            "folder or an array file"
        )
    return places


def blocks_of(parts: Sequence[Sequence[int]], slots: int, most: int = 16) -> list[Sequence[int]]:
    """The places of all parts in blocks, several of a part for each slot so that all end at about the same time."""
    blocks: list[Sequence[int]] = []
    for places in parts:
        size = max(1, min(most, -(-len(places) // (4 * slots))))
        blocks += [places[start : start + size] for start in range(0, len(places), size)]
    return blocks


def without_own_limits(plan: RunPlan) -> RunPlan:
    """The plan without what one machine may have otherwise than another one, and no number depends on."""
    settings = replace(
        plan.settings, limits=type(plan.settings.limits)(), reference=None, custom_ops=(), jobs=1, ray=None
    )
    return replace(plan, settings=settings)
