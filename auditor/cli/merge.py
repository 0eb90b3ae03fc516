"""``aliasaudit merge``: the report of a measurement from the shards that several machines measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from auditor.cli.flags import flags
from auditor.cli.options import settings_from
from auditor.options.flatten import Only
from auditor.options.general import Output, Policy, Selection, Sources
from auditor.options.sharding import Merging
from auditor.options.thresholds import Thresholds


@flags
def merge(
    context: typer.Context,  # noqa: ARG001 - says whether to show tracebacks
    shards: Annotated[list[str], typer.Argument(metavar="SHARD...", help="What `verify --shard` wrote, all parts.")],
    selection: Annotated[Selection, Only("select", "ignore")],
    merging: Merging,
    thresholds: Annotated[Thresholds, Only("minimum", "min_images", "inconclusive")],
    policy: Annotated[Policy, Only("fail_on")],
    output: Annotated[Output, Only(without=("statistics", "show_waived"))],
    sources: Annotated[Sources, Only("config", "isolated")],
) -> None:
    """Make the report of a measurement from all of its shards: the same bytes as `verify` without --shard.

    Nothing is run, and no image is read; the models must lie where the shards found them. Shards that are missing,
    given twice, not whole, or made with other options, images, models or versions are refused by name.

    Exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage, settings or internal error, 3 the shards are no
    whole run, or what they measured failed.
    """
    from auditor.cli.auditing import run
    from auditor.cli.sharding import Shards
    from auditor.cli.verify import MEASURED_RULES
    from auditor.policy.settings import DEFAULT, Selector
    from auditor.policy.thresholds import thresholds as read_thresholds

    settings = settings_from(sources, selection, policy, output, thresholds)
    if settings.select is None:
        settings = replace(settings, select=tuple(Selector(text, DEFAULT) for text in MEASURED_RULES))
    found, held = Shards(shards), read_thresholds(settings.compare)
    raise typer.Exit(run(found.models(), found.problems, settings, output, found.measure(held, merging.partial)))
