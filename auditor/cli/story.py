"""The story that ``aliasaudit demo`` tells: check, measure, repair and compare the built-in example, in short forms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.api import fix
from auditor.audit.run import Examined, Measure, ModelFile, Outcome, RuleSet, examine, judge
from auditor.comparison.run import compare
from auditor.demo.files import FIXED, MODEL, PICTURES
from auditor.facts.rule import Need
from auditor.policy.settings import Settings
from auditor.report.words.story import audit_lines, compared_lines, measured_lines
from auditor.text import plain
from auditor.verify.result import Verification

CHECK = f"aliasaudit check {MODEL}"
VERIFY = f"aliasaudit verify --images {PICTURES} {MODEL}"
FIX = f"aliasaudit fix --strategy phase-average {MODEL} -o {FIXED}"
COMPARE = f"aliasaudit compare --verify --images {PICTURES} {MODEL} {FIXED}"


@dataclass(frozen=True, slots=True)
class Story:
    """The example in ``folder``, and what audits it. ``tell`` is called with each piece of text once it is known."""

    folder: Path
    rules: RuleSet
    settings: Settings
    tell: Callable[[str], None]

    def audited(self, debug: bool) -> tuple[Examined, Outcome]:
        """Audit the network."""
        self._command(1, "check", CHECK)
        examined = examine(ModelFile(self.folder / MODEL, MODEL), self.settings)
        outcome = judge(examined, self.rules, self.settings, debug)
        self._lines(() if outcome.report is None else audit_lines(outcome.report))
        return examined, outcome

    def compared(self, base: Examined, measure: Measure) -> Outcome:
        """Measure the network, repair it, and compare the two.

        Raises:
            VerifyError: A model could not be measured.
            RewriteError: The repaired model cannot be written.
        """
        self._command(2, "verify", VERIFY)
        base, before = _measured(base, measure)
        self._lines(measured_lines(before))
        self._command(3, "fix", FIX)
        repaired = fix(self.folder / MODEL, self.folder / FIXED, strategy="phase-average", settings=self.settings)
        self._lines(f"rewrote {plain(site.node.name)}: averages two grids, one shifted" for site in repaired.sites)
        self._command(4, "compare", COMPARE)
        new, after = _measured(examine(ModelFile(self.folder / FIXED, FIXED), self.settings), measure)
        outcome = compare(base, new, self.rules, self.settings)
        comparison = None if outcome.report is None else outcome.report.comparison
        self._lines(() if comparison is None else compared_lines(comparison, before, after))
        return outcome

    def _command(self, number: int, name: str, command: str) -> None:
        self.tell(f"{number}/4 {name}\n     $ {command}\n\n")

    def _lines(self, lines: Iterable[str]) -> None:
        self.tell("".join(f"     {line}\n" for line in lines) + "\n")


def _measured(seen: Examined, measure: Measure) -> tuple[Examined, Verification]:
    found = measure(seen.file, seen.model, seen.analysis)
    if found.incomplete:
        raise KeyboardInterrupt  # half a measurement is nothing to compare
    return replace(seen, verification=found, given=seen.given | {Need.MEASUREMENT}), found
