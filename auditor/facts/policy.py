"""What waivers and budgets did to a report, as plain values."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class WaiverFact(Struct, frozen=True):
    """A waiver that a rule speaks about. ``number`` counts from 1 in the settings file; ``findings`` it would excuse.

    ``expires`` is an ISO date, empty where there is none; so is ``owner``.
    """

    number: int
    rule: str
    owner: str
    expires: str
    findings: int = 0


class Overrun(Struct, frozen=True):
    """A budget that a model exceeds. ``name`` is the key in the settings; ``ratcheted``: the baseline lowered it."""

    name: str
    limit: float
    found: float
    ratcheted: bool = False


class PolicyFacts(Struct, frozen=True):
    """What waivers, baseline and budgets say about one model once every finding is known.

    ``unused`` waivers matched nothing in any model of the run; they stand with the first model that they speak of.
    ``stale`` counts the baseline's entries that match no finding any more, by rule code. ``strict``: what has become
    pointless fails the run.
    """

    expired: tuple[WaiverFact, ...] = ()
    unused: tuple[WaiverFact, ...] = ()
    stale: Mapping[str, int] = {}
    over: tuple[Overrun, ...] = ()
    strict: bool = False
