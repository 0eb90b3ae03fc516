"""The static sampling analysis: where a network's grids get coarser, by how much, and what folds there.

``analyse`` is imported on first use: rules read results without paying for the engine and numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditor.sampling.analysis import analyse
    from auditor.sampling.result import Analysis

__all__ = ["Analysis", "analyse"]


def __getattr__(name: str) -> Any:
    if name == "analyse":
        from auditor.sampling.analysis import analyse

        return analyse
    if name == "Analysis":
        from auditor.sampling.result import Analysis

        return Analysis
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
