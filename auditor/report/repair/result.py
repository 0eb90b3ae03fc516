"""A repair as a JSON document, for callers of the Python interface; its members are those of ``fix``'s documents."""

from __future__ import annotations

from auditor.repair.result import Repaired
from auditor.report.repair.gains import gain_json
from auditor.report.repair.outcome import document, posix, refusal_of, rewrite_json
from auditor.report.repair.portable import portable_json
from auditor.report.repair.search import trials_json
from auditor.report.repair.trials import trials_json as tests_json


def repaired_json(done: Repaired) -> str:
    """What was written, every rewrite with its changes, what it gained, and the candidates of a search."""
    search = done.search
    return document(
        {
            "written": posix(done.path),
            "backup": posix(done.backup),
            "inlined": done.inlined,
            "rewrites": [rewrite_json(rewrite) for rewrite in done.rewrites],
            "gain": None if done.gain is None else gain_json(done.gain),
            "tests": tests_json(done.trials),
            "refused": refusal_of(done),
            "portable": None if done.lowered is None else portable_json(done.lowered),
            "best": None if search is None or search.best is None else search.best.candidate.name,
            "candidates": None if search is None else trials_json(search),
        }
    )
