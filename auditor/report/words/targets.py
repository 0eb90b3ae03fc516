"""The targets that a model was audited for, each in one line: also those on which it is the same."""

from __future__ import annotations

from auditor.facts.report import ModelReport
from auditor.facts.targets import TargetOutcome
from auditor.text import count_text, plain


def target_lines(model: ModelReport) -> list[str]:
    """One line per target; none where no target was asked for."""
    return [f"target {_line(target)}" for target in model.targets]


def _line(target: TargetOutcome) -> str:
    name = plain(target.asked)
    if not target.covered:
        return f"{name}: not known, its table is of {plain(target.version)}"
    kind = "run" if target.run else "sources and threads, not run"
    found = [
        (target.ignored, "ignored in part"),
        (target.differs, "computed differently"),
        (target.refused, "refused"),
    ]
    words = ", ".join(f"{count_text(count, 'node')} {what}" for count, what in found if count)
    unknown = f"; of {count_text(target.unknown, 'node')} nothing is known" if target.unknown else ""
    return f"{name} ({plain(target.version)}, {kind}): {words or 'no silent difference, nothing refused'}{unknown}"
