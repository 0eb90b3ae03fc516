"""Values per image, of which there may be millions: listed in a document up to a bound, beyond it in a file beside it.

Beyond :data:`MOST_LISTED` images they are columns: eight bytes a number, and of a name its own bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np

from auditor.codec import FloatOrNan, LeftOut
from auditor.text import ModelText
from auditor.verify.arrays import FloatArray

MOST_LISTED = 10_000
"""The most images that a document lists: it then has some megabytes."""

MOST_SHOWN = 256
"""Beyond it, so many images are described: those that change most."""

if TYPE_CHECKING:
    Floats: TypeAlias = Sequence[float]
    Names: TypeAlias = Sequence[ModelText]
else:
    Floats = tuple[FloatOrNan, ...]
    Names = tuple[ModelText, ...]


class FloatColumn(LeftOut[float]):
    """Numbers, NaN where there is none."""

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[float] | FloatArray) -> None:
        self._values = array("d", values.tobytes() if isinstance(values, np.ndarray) else values)

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[float]:
        return iter(self._values)

    @overload
    def __getitem__(self, place: int) -> float: ...

    @overload
    def __getitem__(self, place: slice) -> FloatColumn: ...

    def __getitem__(self, place: int | slice) -> float | FloatColumn:
        return FloatColumn(self._values[place]) if isinstance(place, slice) else self._values[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FloatColumn) and self._values.tobytes() == other._values.tobytes()

    def __hash__(self) -> int:
        return hash(self._values.tobytes())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self._values, dtype=dtype)


class NameColumn(LeftOut[ModelText]):
    """Names, in one piece of memory."""

    __slots__ = ("_ends", "_text")

    def __init__(self, names: Iterable[ModelText] = ()) -> None:
        self._text, self._ends = bytearray(), array("q", [0])
        for name in names:
            self.add(name)

    def add(self, name: ModelText) -> None:
        """One more name."""
        self._text += name.raw.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._text))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[ModelText]:
        return map(self._name, range(len(self)))

    @overload
    def __getitem__(self, place: int) -> ModelText: ...

    @overload
    def __getitem__(self, place: slice) -> NameColumn: ...

    def __getitem__(self, place: int | slice) -> ModelText | NameColumn:
        if isinstance(place, slice):
            return NameColumn(map(self._name, range(*place.indices(len(self)))))
        return self._name(range(len(self))[place])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NameColumn) and (self._text, self._ends) == (other._text, other._ends)

    def __hash__(self) -> int:
        return hash(bytes(self._text))

    def _name(self, place: int) -> ModelText:
        start, end = self._ends[place : place + 2]
        return ModelText(self._text[start:end].decode("utf-8", "surrogatepass"))


def listed_floats(values: FloatArray) -> Floats:
    """The values (N,) of all images."""
    return FloatColumn(values) if len(values) > MOST_LISTED else tuple(values.tolist())


def listed_names(names: NameColumn) -> Names:
    """The names of all images."""
    return names if len(names) > MOST_LISTED else tuple(names)
