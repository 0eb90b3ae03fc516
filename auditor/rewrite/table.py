"""The table of all strategies: what each file of :mod:`auditor.rewrite.strategies` declares."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from auditor.rewrite.result import Strategy
from auditor.rewrite.strategy import AtInput, AtSites


@cache
def declared(strategy: Strategy) -> AtSites | AtInput:
    """What a strategy says of itself.

    Raises:
        TypeError: its file declares nothing.
    """
    module = import_module(f"auditor.rewrite.strategies.{strategy.value.replace('-', '_')}")
    found = getattr(module, "STRATEGY", None)
    if not isinstance(found, AtSites | AtInput):
        raise TypeError(f"{module.__name__} must declare STRATEGY, an AtSites or AtInput")
    return found


def ranked() -> list[Strategy]:
    """All strategies in the order in which plans list them, and a search tries them."""
    return sorted(Strategy, key=lambda strategy: declared(strategy).rank)
