"""Phase averaging (polyphase mean): a site keeps several of its phases, and the heads average them.

It is window averaging (:mod:`auditor.rewrite.strategies.window_average`) that ends at the outputs of the model: the
mean is taken of these as they are, of probabilities where the model ends in a softmax. The phases stand on the batch
axis, on branches of their own, or between each other (:mod:`auditor.rewrite.phases.dilation`).
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.rewrite.phases.average import PhaseAverage
from auditor.rewrite.result import Step, Strategy
from auditor.rewrite.strategy import AtSites, Candidate, Survey

_EARLIER = ("one site", "two sites", "three sites")


def _candidates(survey: Survey) -> Iterator[Candidate]:
    """Further in front only where that is predicted to stay within the cost: it grows with what stands behind."""
    average = Step(Strategy.PHASE_AVERAGE)
    last = survey.cost(average)
    yield Candidate("phase-average at the last site", (average,), last)
    groups = survey.last_groups(Strategy.PHASE_AVERAGE)
    names = [group[0].node.name.raw for group in groups]
    for place, words in zip(range(1, len(names)), _EARLIER, strict=False):
        single = Step(Strategy.PHASE_AVERAGE, sites=(names[place],))
        earlier = survey.cost(single)
        if place == 1 or (earlier is not None and earlier <= survey.most_cost):
            yield Candidate(f"phase-average {words} earlier", (single,), earlier, place=2 + place)
        if place == 1:
            both = Step(Strategy.PHASE_AVERAGE, sites=(names[1], names[0]))
            # What stands behind both runs for two phases of two: the last site adds twice what it adds alone.
            cost = None if last is None or earlier is None else earlier + 2 * (last - 1)
            yield Candidate("phase-average at the last two sites", (both,), cost, place=3)


STRATEGY = AtSites(
    rank=2,
    applied=PhaseAverage(),
    last_only=True,
    reads=("phases", "lowering", "merges"),
    protects=True,
    notice=(
        "phase averaging keeps every weight but changes the function: the outputs are the means over shifted grids. "
        "SqueezeNet on 400 photographs gained 2.1 points of consistency from the diagonal phases of its last site, and "
        "no accuracy; measure yours with `aliasaudit verify`"
    ),
    candidates=_candidates,
)
