"""The report of ``resize``: one comparison of kernels, and what the rules say about it."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.document import Shown
from auditor.facts.finding import Finding
from auditor.facts.report import Accepted, Problem, findings_words
from auditor.resizing.result import ResizeComparison

RESIZE_SCHEMA = "aliasaudit-resize/1"


@dataclass(frozen=True, slots=True, repr=False)
class ResizeReport(Shown):
    """One run of ``resize``. ``version`` is the tool's, ``path`` the model as the user called it.

    ``comparison`` is None where nothing could be measured, and ``problems`` say why. ``accepted`` are the findings that
    do not count; they are not among ``findings``.
    """

    version: str
    path: str
    comparison: ResizeComparison | None
    findings: tuple[Finding, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    problems: tuple[Problem, ...] = ()
    schema: str = RESIZE_SCHEMA

    def __repr__(self) -> str:
        return f"<ResizeReport: {self.comparison or 'nothing measured'}, {findings_words(self.findings)}>"
