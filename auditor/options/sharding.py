"""Which part of the images a command measures: the options of ``verify`` alone, which no settings file holds."""

from __future__ import annotations

from auditor.options.kinds import parsed, switch
from auditor.options.option import Group, option
from auditor.options.panels import Panel


def _shard(word: str) -> tuple[int, int]:
    number, slash, total = word.partition("/")
    if not slash or not 1 <= int(number) <= int(total):
        raise ValueError
    return int(number), int(total)


class Sharding(Group, table=None):
    """A part of a run."""

    shard: tuple[int, int] | None = option(
        parsed("I/N", _shard, "a part of all, such as 1/4", tuple),
        "Measure every Nth image only. Written to --output for `aliasaudit merge`, which makes the report.",
        Panel.MEASURING,
    )


class Merging(Group, table=None):
    """How parts of a run are put together."""

    partial: bool = option(
        switch(), "Merge the shards that there are. The report says which are missing, and exits with 3.", Panel.INPUT
    )
