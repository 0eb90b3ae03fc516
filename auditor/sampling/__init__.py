"""The static sampling analysis: where a network's grids get coarser, by how much, and what folds there."""

from __future__ import annotations

from auditor.sampling.analysis import analyse
from auditor.sampling.result import Analysis

__all__ = ["Analysis", "analyse"]
