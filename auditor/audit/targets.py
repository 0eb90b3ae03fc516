"""From what the tables of the targets say of a model to one outcome per target."""

from __future__ import annotations

from auditor.facts.targets import TargetOutcome
from auditor.targets.review import TargetReview
from auditor.targets.table import Effect


def target_outcomes(review: TargetReview) -> tuple[TargetOutcome, ...]:
    """One outcome per target, in the order in which they were asked for."""
    missing = {gap.asked for gap in review.uncovered if gap.all_of_them}

    def outcome(asked: str, version: str, run: bool) -> TargetOutcome:
        effects = [verdict.entry.effect for verdict in review.verdicts if verdict.asked == asked]
        return TargetOutcome(
            asked,
            version,
            run,
            asked not in missing,
            ignored=effects.count(Effect.IGNORED),
            differs=effects.count(Effect.DIFFERS),
            refused=effects.count(Effect.REFUSED),
            unknown=sum(len(forms.nodes) for forms in review.unknown if forms.asked == asked),
        )

    return tuple(
        outcome(target.text, target.table.measured or target.table.versions.text, bool(target.table.measured))
        for target in review.targets
    )
