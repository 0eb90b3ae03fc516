"""The nodes behind some tensors, in graph order, and the tensors through which everything further behind is reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush

from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor


class Frontier:
    """Gives the readers of tensors one by one; what they write is followed only where :meth:`follow` is told so."""

    def __init__(self, editor: GraphEditor, tensors: Iterable[str]) -> None:
        self._editor = editor
        self._parts, self._places = editor.order()
        self._waiting: list[int] = []
        self._queued: set[int] = set()
        self.follow(tensors)

    def follow(self, tensors: Iterable[str]) -> None:
        """Let the readers of these tensors come, too."""
        for tensor in tensors:
            for reader in self._editor.consumers(tensor):
                place = self._places[reader]
                if place not in self._queued:
                    self._queued.add(place)
                    heappush(self._waiting, place)

    def __iter__(self) -> Iterator[EditNode]:
        while self._waiting:
            yield self._parts[heappop(self._waiting)]

    def is_cut(self, tensor: str, followed: Callable[[str], bool]) -> bool:
        """Whether all nodes that are still to come read this tensor, and nothing else of what was ``followed``."""
        readers = self._editor.consumers(tensor)
        return len(readers) == len(self._waiting) > 0 and all(
            name == tensor or not followed(name) for reader in readers for name in reader.inputs
        )
