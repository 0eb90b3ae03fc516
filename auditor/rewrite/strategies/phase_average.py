"""Phase averaging (polyphase mean): a site keeps several of its phases on the batch axis, and the heads average them.

The network behind sees every phase as one more picture, so that each is the original network on a shifted grid, with
the original weights; the cost is that of the tail times the number of phases. Branches that sample the same grid and
meet again (residual shortcuts, the branches of an Inception block) are shifted together, and so are skip connections
from finer grids, by the same number of input pixels.

The mean is taken of the model's outputs as they are: of probabilities, where the model ends in a softmax. Where the
batch axis is not free, phases can stand between each other instead (:mod:`auditor.rewrite.phases.dilation`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor.rewrite.graph.cost import Cost, tally
from auditor.rewrite.graph.marks import common_refusal
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.windows import WindowError
from auditor.rewrite.phases.averaging import check_heads, edit_tail, offsets
from auditor.rewrite.phases.dilation import Dilation
from auditor.rewrite.phases.groups import Behind, together
from auditor.rewrite.phases.realign import Shift, samples_of, shift_on
from auditor.rewrite.phases.sites import Offset, check_site, keep_phases, part_of, strides_of
from auditor.rewrite.phases.tail import Tail, tail_behind
from auditor.rewrite.phases.tail_operators import TailError
from auditor.rewrite.result import Lowering, Options, Phases, Step, Strategy
from auditor.rewrite.strategy import Applied, AtSites, Candidate, Survey
from auditor.sampling.result import Site

_EARLIER = ("one site", "two sites", "three sites")


@dataclass(frozen=True, slots=True)
class _Group:
    """The sites that are shifted together, their phases, what stands behind them, and how far each phase is shifted."""

    sites: tuple[Site, ...]
    phases: tuple[Offset, ...]
    tail: Tail
    shifts: tuple[Shift, ...]


class PhaseAverage:
    """The strategy ``phase-average``, on the batch axis or as :class:`Dilation`."""

    def refusal(self, editor: GraphEditor, site: Site, options: Options) -> str | None:
        if options.lowering is Lowering.DILATION:
            return _DILATION.refusal(editor, site, options)
        reason = _BATCH.refusal(editor, site, options)
        if reason is None or options.lowering is Lowering.BATCH or options.phases is not Phases.ALL:
            return reason
        dilated = _DILATION.refusal(editor, site, options)
        return None if dilated is None else f"{reason}; as dilation: {dilated}"

    def cost(self, editor: GraphEditor, site: Site, options: Options) -> Cost:
        return _lowering(editor, site, options).cost(editor, site, options)

    def rewrite(self, editor: GraphEditor, site: Site, options: Options) -> tuple[Site, ...]:
        return _lowering(editor, site, options).rewrite(editor, site, options)


class OnBatchAxis:
    """The lowering ``batch``."""

    def refusal(self, editor: GraphEditor, site: Site, options: Options) -> str | None:
        try:
            group = _group(editor, site, options.phases)
            # Of all sites of a group the same is true: it is found out once.
            refusals: dict[tuple[Phases, int], str | None] = editor.remembered("refusals", dict)
            key = options.phases, group.sites[0].node.order
            if key not in refusals:
                refusals[key] = _refusal(editor, group, options.phases)
        except TailError as error:
            return str(error)
        return refusals[key]

    def cost(self, editor: GraphEditor, site: Site, options: Options) -> Cost:
        group = _group(editor, site, options.phases)
        costs: dict[tuple[Phases, int], Cost] = editor.remembered("costs", dict)
        key = options.phases, group.sites[0].node.order
        if key not in costs:
            own = tally(editor, [part_of(editor, member) for member in group.sites])
            heavy, count = (own + group.tail.work).total, len(group.phases)
            costs[key] = Cost(None if heavy is None else (count - 1) * heavy, count * group.tail.elements)
        return costs[key]

    def rewrite(self, editor: GraphEditor, site: Site, options: Options) -> tuple[Site, ...]:
        group = _group(editor, site, options.phases)
        editor.note = f"phase-average {options.phases.value} {len(group.phases)}"
        edit_tail(editor, group.tail, group.shifts, site.node.name.raw)
        for member in group.sites:
            keep_phases(editor, member, group.phases)
        return group.sites


_BATCH: Applied = OnBatchAxis()
_DILATION: Applied = Dilation()


def _lowering(editor: GraphEditor, site: Site, options: Options) -> Applied:
    """The lowering that applies."""
    if options.lowering is Lowering.AUTO:
        return _DILATION if _BATCH.refusal(editor, site, options) is not None else _BATCH
    return _BATCH if options.lowering is Lowering.BATCH else _DILATION


def _refusal(editor: GraphEditor, group: _Group, phases: Phases) -> str | None:
    try:
        check_heads(editor, group.tail, group.shifts)
        for member in group.sites:
            check_site(editor, member, offsets(strides_of(editor, member), phases))
    except (TailError, WindowError) as error:
        return str(error)
    return None


def _group(editor: GraphEditor, site: Site, phases: Phases) -> _Group:
    """The site with those on other branches, and what stands behind them. Raises TailError."""
    known: dict[tuple[Phases, int], _Group] = editor.remembered("groups", dict)
    found = known.get((phases, site.node.order))
    if found is None:
        found = _found(editor, site, phases)
        known.update(((phases, member.node.order), found) for member in found.sites)
    return found


def _found(editor: GraphEditor, site: Site, phases: Phases) -> _Group:
    common = common_refusal(editor, site, blurred=True)
    if common is not None:
        raise TailError(common)
    strides = strides_of(editor, site)
    chosen = tuple(offsets(strides, phases))
    picture, axes = part_of(editor, site).inputs[0], range(2, 2 + len(strides))
    shifts = tuple(shift_on(editor, picture, axes, move) for move in chosen)

    def behind(outputs: Sequence[str]) -> Behind:
        tail = tail_behind(editor, outputs)
        _, places = editor.order()
        met = [name for name in tail.entering if editor.is_dynamic(name)]
        foreign = [name for name in met if any(samples_of(editor, name, shift) is None for shift in shifts)]
        return Behind(foreign, lambda part: tail.reads(part, places[part]))

    sites = together(editor, site, behind)
    tail = tail_behind(editor, [part_of(editor, member).outputs[0] for member in sites])
    return _Group(sites, chosen, tail, shifts)


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
    reads=("phases", "lowering"),
    protects=True,
    notice=(
        "phase averaging keeps every weight but changes the function: the outputs are the means over shifted grids. "
        "SqueezeNet on 400 photographs gained 2.1 points of consistency from the diagonal phases of its last site, and "
        "no accuracy; measure yours with `aliasaudit verify`"
    ),
    candidates=_candidates,
)
