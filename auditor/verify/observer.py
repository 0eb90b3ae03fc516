"""How far a run is: what it tells while it goes on, and to whom."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Is told how far a run is. ``total`` is None where nobody knows."""

    def begin(self, what: str, total: int | None) -> None: ...

    def advance(self) -> None: ...


class Silent:
    """An observer that tells nobody."""

    def begin(self, what: str, total: int | None) -> None:
        """Ignore it."""

    def advance(self) -> None:
        """Ignore it."""
