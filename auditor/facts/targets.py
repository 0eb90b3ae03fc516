"""What came of the audit for deployment targets, per target: also of one about which there is nothing to find."""

from __future__ import annotations

from msgspec import Struct


class TargetOutcome(Struct, frozen=True):
    """One target, ``asked`` for in these words, as its table of ``version`` judges the nodes of a model.

    ``version`` was ``run``, or is what sources and threads were read of. The counts are nodes: what the target
    ``ignored`` of them, where it ``differs``, or what it ``refused``; of ``unknown`` ones the table says nothing.
    Findings that are accepted are counted, too. Not ``covered``: the table says nothing of the versions asked for.
    """

    asked: str
    version: str
    run: bool
    covered: bool
    ignored: int = 0
    differs: int = 0
    refused: int = 0
    unknown: int = 0
