"""Rewriting models so that they sample properly: plans, strategies, and graph surgery that touches nothing else."""

from __future__ import annotations

from auditor.rewrite.planning import plan, rewrite
from auditor.rewrite.result import Options, Plan, RewriteError, Rewritten, Strategy

__all__ = ["Options", "Plan", "RewriteError", "Rewritten", "Strategy", "plan", "rewrite"]
