"""Window averaging: two phases from a site to a merge, their features are averaged there, and one copy goes on.

Half of what phase averaging adds, for about the same gain; and since no output is touched, detectors with several
scales, maps, and recurrent or attention heads behind the merge can have it. Without a merge the window ends at the
outputs of the model, which is phase averaging.
"""

from __future__ import annotations

from auditor.rewrite.phases.average import PhaseAverage
from auditor.rewrite.strategy import AtSites

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
)
