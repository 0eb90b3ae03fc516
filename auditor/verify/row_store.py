"""The rows of a run, however many: the first ones in memory, all of them in a temporary file once there are more.

A row weighs some kilobytes, and the totals are functions that go over the rows one after the other. So memory holds
where each row is and nothing else of it. The file has no name: it is gone with the process, whatever ends that.
"""

from __future__ import annotations

import io
import pickle
import tempfile
import weakref
import zlib
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import IO, Any

import numpy as np

from auditor.verify.errors import DataError
from auditor.verify.measures.task import Row
from auditor.verify.views import Mapped

IN_MEMORY = 2048
"""So many rows stay in memory: a few tens of megabytes."""


class RowStore:
    """Rows in the order in which they came; read in the order of their places."""

    def __init__(self, rows: Iterable[Row[Any]] = (), in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._places, self._usable = array("q"), bytearray()
        self._ends = array("q", [0])  # in the file, of those rows that are there
        self._held: list[Row[Any]] = []
        self._file: IO[bytes] | None = None
        self.extend(rows)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Row[Any]]:
        return iter(self.rows())

    def add(self, row: Row[Any]) -> None:
        """One more row.

        Raises:
            DataError: there is no room for it on the disk.
        """
        self._places.append(row.index)
        self._usable.append(row.measured is not None)
        self._held.append(row)
        if len(self._held) > self._in_memory:
            self._write()

    def extend(self, rows: Iterable[Row[Any]]) -> None:
        """More rows, as :meth:`add`."""
        for row in rows:
            self.add(row)

    def only(self, places: Collection[int]) -> RowStore:
        """The rows of these places."""
        return RowStore((row for row in self if row.index in places), self._in_memory)

    @property
    def places(self) -> frozenset[int]:
        """The places of all rows."""
        return frozenset(self._places)

    @property
    def any_used(self) -> bool:
        """Whether something was measured on some image."""
        return any(self._usable)

    def used(self, place: int) -> bool:
        """Whether the image at a place was measured."""
        return any(usable for there, usable in zip(self._places, self._usable, strict=True) if there == place)

    def rows(self, only_used: bool = False) -> Sequence[Row[Any]]:
        """A row for each place in their order; of several for one the last. ``only_used``: of measured images."""
        places = np.array(self._places)
        order = np.argsort(places, kind="stable")
        if len(order):
            following = np.append(places[order][1:] != places[order][:-1], True)
            order = order[following]
        if only_used:
            order = order[np.frombuffer(self._usable, np.bool_)[order]]
        return Mapped(array("q", order.astype(np.int64).tobytes()), self._row)

    def _row(self, number: int) -> Row[Any]:
        written = len(self._ends) - 1
        if number >= written:
            return self._held[number - written]
        assert self._file is not None
        start, end = self._ends[number : number + 2]
        self._file.seek(start)
        row: Row[Any] = pickle.loads(zlib.decompress(self._file.read(end - start)))  # noqa: S301 - nobody else writes it
        return row

    def _write(self) -> None:
        """Move what is in memory to the file."""
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as there are rows
                weakref.finalize(self, self._file.close)
            self._file.seek(self._ends[-1])
            for row in self._held:
                self._ends.append(self._ends[-1] + self._file.write(zlib.compress(_packed(row), 1)))
            self._file.flush()
        except OSError as error:
            raise DataError(
                f"the rows of {len(self)} images do not fit on the disk of {tempfile.gettempdir()}: name a folder with "
                "more room by TMPDIR",
                str(error.strerror),
            ) from error
        self._held = []


class _Packer(pickle.Pickler):
    """Writes frozen classes field by field: what Python itself writes of them is slow to read."""

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if not is_dataclass(kind):
            return NotImplemented
        return _remade, (kind, tuple(getattr(value, name) for name in _names(kind)))


def _packed(row: Row[Any]) -> bytes:
    sink = io.BytesIO()
    _Packer(sink, pickle.HIGHEST_PROTOCOL).dump(row)
    return sink.getvalue()


def _remade(kind: type, values: Sequence[Any]) -> Any:
    made: Any = object.__new__(kind)
    for name, value in zip(_names(kind), values, strict=True):
        object.__setattr__(made, name, value)
    return made


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
