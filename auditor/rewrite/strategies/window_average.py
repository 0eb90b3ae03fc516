"""Window averaging: two phases from a site to a merge, their features are averaged there, and one copy goes on.

Half of what phase averaging adds, for about the same gain; and since no output is touched, detectors with several
scales, maps, and recurrent or attention heads behind the merge can have it. Without a merge the window ends at the
outputs of the model, which is phase averaging.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from auditor.rewrite.phases.average import PhaseAverage
from auditor.rewrite.result import Merge, Options, Step, Strategy, WindowStart
from auditor.rewrite.strategy import AtSites, Candidate, Survey

NEAR, FAR = 1.12, 1.3
"""How much a short and a long window of a search may cost."""
FEW, MANY = 3, 8
"""From how many starts they are tried: beside other rewrites, and where they are all that is tried."""
_Start: TypeAlias = tuple[WindowStart, Sequence[Merge]]
_LATE = 100  # behind candidates of other strategies that cost the same


def _candidates(survey: Survey) -> Iterator[Candidate]:
    """From each start the window that ends as late as a long one may, and a short one where windows alone are tried.

    Early starts help against small shifts and late ones against large shifts, and no static number says which; so few
    starts are measured, at both ends of the network. A pair of them is tried once the best are known.
    """
    alone = survey.most_starts == MANY
    starts = [window for window in survey.windows() if window.merges]
    lengths = [(window, _lengths(window.merges, survey.most_cost, alone=alone)) for window in _distinct(starts)]
    for window, merges in _ends([pair for pair in lengths if pair[1]], survey.most_starts):
        where = "the input" if window.site is None else f"site {_number(survey, window)}"
        for merge in merges:
            options = Options(merges=(merge.node.raw,))
            if window.site is None:
                step = Step(Strategy.INPUT_AVERAGE, options)
            else:
                step = Step(Strategy.WINDOW_AVERAGE, options, (window.site.node.name.raw,))
            yield Candidate(f"window from {where}, x{merge.flops:.3g}", (step,), merge.flops, place=_LATE)


def _number(survey: Survey, window: WindowStart) -> str:
    """Where a start stands among all sites."""
    sites = survey.analysis.sites
    return f"{next(number for number, site in enumerate(sites, 1) if site is window.site)} of {len(sites)}"


def _distinct(windows: Sequence[WindowStart]) -> list[WindowStart]:
    """Without the sites of other branches, which are shifted together with the first."""
    kept: dict[object, WindowStart] = {}
    for window in windows:
        grid = None if window.site is None else (window.site.cumulative, window.merges[-1])
        kept.setdefault(grid, window)
    return list(kept.values())


def _ends(starts: list[_Start], most: int) -> list[_Start]:
    """At most so many of them: the first ones, and the last."""
    return starts if len(starts) <= most else [*starts[: most - 1], starts[-1]]


def _lengths(merges: Sequence[Merge], most_cost: float, *, alone: bool) -> list[Merge]:
    """The last merge that costs as much as a long window may; where windows are tried ``alone``, a short one too."""
    known = [merge for merge in merges if merge.flops is not None and merge.flops <= most_cost]
    within = [[merge for merge in known if (merge.flops or 0) <= most] for most in ((NEAR, FAR) if alone else (FAR,))]
    found = list(dict.fromkeys(one[-1] for one in within if one))
    return found or (known[:1] if alone else [])


STRATEGY = AtSites(
    rank=6,
    applied=PhaseAverage(),
    last_only=True,
    reads=("phases", "lowering", "merges"),
    protects=True,
    planned=False,
    notice=(
        "window averaging keeps every weight but changes the function: features are means over shifted grids, and what "
        "stands behind the merge sees the picture half a step of the site further on, so that boxes and maps move by "
        "as much; measure the result with `aliasaudit verify`"
    ),
    candidates=_candidates,
)
