"""Phases of a site that are averaged: at the outputs of the model, or further in front where a merge is named.

The network behind sees every phase as one more picture, so that each is the original network on a shifted grid, with
the original weights; the cost is that of the part up to the merge times the number of phases. Branches that sample the
same grid and meet again (residual shortcuts, the branches of an Inception block) are shifted together, and so are skip
connections from finer grids, by the same number of input pixels.

At an output every phase is first put back in its place. At a merge they are averaged index by index: on two phases of
the diagonal the centre of everything behind moves by half of the distance between them (half a sample of what the site
reads, at a stride of 2), on all scales alike, since all that depends on the window is merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.rewrite.graph.cost import Cost, tally
from auditor.rewrite.graph.marks import common_refusal
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.windows import WindowError
from auditor.rewrite.phases.averaging import average_tail, check_heads, enter_tail, offsets
from auditor.rewrite.phases.branch import add_branches, branch_tail
from auditor.rewrite.phases.dilation import Dilation
from auditor.rewrite.phases.groups import Behind, together
from auditor.rewrite.phases.realign import Shift, samples_of, shift_on
from auditor.rewrite.phases.region import check_merge, region_behind
from auditor.rewrite.phases.sites import Offset, add_phases, check_site, keep_phases, part_of, strides_of
from auditor.rewrite.phases.tail import Tail, merged_tail, tail_behind
from auditor.rewrite.phases.tail_operators import TailError
from auditor.rewrite.result import Lowering, Options, Phases
from auditor.rewrite.strategy import Applied
from auditor.sampling.result import Site

NO_MERGE = "dilation averages where the map is pooled: leave --merge out, or give another --lowering"


@dataclass(frozen=True, slots=True)
class _Group:
    """The sites that are shifted together, their phases, what stands behind them, and how far each phase is shifted."""

    sites: tuple[Site, ...]
    phases: tuple[Offset, ...]
    tail: Tail
    shifts: tuple[Shift, ...]


class PhaseAverage:
    """The strategies ``phase-average`` and ``window-average``, in the first lowering that applies."""

    def refusal(self, editor: GraphEditor, site: Site, options: Options) -> str | None:
        reasons: dict[str, str] = {}
        for words, lowering in _ways(options):
            reason = lowering.refusal(editor, site, options)
            if reason is None:
                return None
            reasons.setdefault(reason, words)
        return "; ".join(f"{words}{reason}" for reason, words in reasons.items())

    def cost(self, editor: GraphEditor, site: Site, options: Options) -> Cost:
        return _lowering(editor, site, options).cost(editor, site, options)

    def rewrite(self, editor: GraphEditor, site: Site, options: Options) -> tuple[Site, ...]:
        return _lowering(editor, site, options).rewrite(editor, site, options)


@dataclass(frozen=True, slots=True)
class Copies:
    """The lowering ``batch``, or ``branch``."""

    branch: bool

    def refusal(self, editor: GraphEditor, site: Site, options: Options) -> str | None:
        try:
            group = self._group(editor, site, options)
            # Of all sites of a group the same is true: it is found out once.
            refusals: dict[object, str | None] = editor.remembered("refusals", dict)
            key = self._key(group.sites[0], options)
            if key not in refusals:
                refusals[key] = self._refusal(editor, group, options)
        except TailError as error:
            return str(error)
        return refusals[key]

    def cost(self, editor: GraphEditor, site: Site, options: Options) -> Cost:
        group = self._group(editor, site, options)
        costs: dict[object, Cost] = editor.remembered("costs", dict)
        key = self._key(group.sites[0], options)
        if key not in costs:
            own = tally(editor, [part_of(editor, member) for member in group.sites])
            heavy, count = (own + group.tail.work).total, len(group.phases)
            elements = group.tail.elements if self.branch else count * group.tail.elements
            costs[key] = Cost(None if heavy is None else (count - 1) * heavy, elements)
        return costs[key]

    def rewrite(self, editor: GraphEditor, site: Site, options: Options) -> tuple[Site, ...]:
        group = self._group(editor, site, options)
        name = "window-average" if options.merges else "phase-average"
        editor.note = f"{name} {options.phases.value} {len(group.phases)}"
        label = site.node.name.raw
        if self.branch:
            starts: list[dict[str, str]] = [{} for _ in group.phases[1:]]
            for member in group.sites:
                output = part_of(editor, member).outputs[0]
                for names, made in zip(starts, add_phases(editor, member, group.phases), strict=True):
                    names[output] = made
            copies = add_branches(editor, group.tail, starts, group.shifts, label)
            average_tail(editor, group.tail, group.shifts, label, group.tail.parts, copies)
            return group.sites
        inside = enter_tail(editor, group.tail, group.shifts, label)
        for member in group.sites:
            keep_phases(editor, member, group.phases)
        average_tail(editor, group.tail, group.shifts, label, inside)
        return group.sites

    def _key(self, site: Site, options: Options) -> tuple[object, ...]:
        return self.branch, options.phases, options.merges, site.node.order

    def _refusal(self, editor: GraphEditor, group: _Group, options: Options) -> str | None:
        try:
            if options.merges:
                starts = _starts(editor, group.sites)
                check_merge(editor, region_behind(editor, starts, options.merge), group.tail.ends, group.shifts)
            if group.tail.outputs or not options.merges:
                check_heads(editor, group.tail, group.shifts)
            for member in group.sites:
                check_site(editor, member, offsets(strides_of(editor, member), options.phases))
        except (TailError, WindowError) as error:
            return str(error)
        return None

    def _group(self, editor: GraphEditor, site: Site, options: Options) -> _Group:
        """The site with those on other branches, and what stands behind them. Raises TailError."""
        known: dict[object, _Group] = editor.remembered("groups", dict)
        found = known.get(self._key(site, options))
        if found is None:
            found = self._found(editor, site, options)
            known.update((self._key(member, options), found) for member in found.sites)
        return found

    def _found(self, editor: GraphEditor, site: Site, options: Options) -> _Group:
        common = common_refusal(editor, site, blurred=True)
        if common is not None:
            raise TailError(common)
        strides = strides_of(editor, site)
        chosen = tuple(offsets(strides, options.phases))
        picture, axes = part_of(editor, site).inputs[0], range(2, 2 + len(strides))
        shifts = tuple(shift_on(editor, picture, axes, move) for move in chosen)

        def behind(outputs: Sequence[str]) -> Behind:
            tail = self._tail(editor, outputs, options)
            _, places = editor.order()
            met = [name for name in tail.entering if editor.is_dynamic(name)]
            foreign = [name for name in met if any(samples_of(editor, name, shift) is None for shift in shifts)]
            return Behind(foreign, lambda part: tail.reads(part, places[part]))

        sites = together(editor, site, behind)
        return _Group(sites, chosen, self._tail(editor, _starts(editor, sites), options), shifts)

    def _tail(self, editor: GraphEditor, starts: Sequence[str], options: Options) -> Tail:
        if self.branch:
            return branch_tail(editor, starts, region_behind(editor, starts, options.merge))
        if options.merges:
            return merged_tail(editor, starts, region_behind(editor, starts, options.merge))
        return tail_behind(editor, starts)


_BATCH: Applied = Copies(branch=False)
_BRANCH: Applied = Copies(branch=True)
_DILATION: Applied = Dilation()


def _starts(editor: GraphEditor, sites: Sequence[Site]) -> list[str]:
    return [part_of(editor, member).outputs[0] for member in sites]


def _ways(options: Options) -> tuple[tuple[str, Applied], ...]:
    """The lowerings that may apply, in their order, with the words that go before why they do not."""
    if options.lowering is Lowering.DILATION:
        return (("", _NoMerge()),) if options.merges else (("", _DILATION),)
    if options.lowering is not Lowering.AUTO:
        return (("", _BATCH if options.lowering is Lowering.BATCH else _BRANCH),)
    branch = ("as a branch: ", _BRANCH)
    if options.phases is Phases.ALL and not options.merges:
        return ("", _BATCH), ("as dilation: ", _DILATION), branch
    return ("", _BATCH), branch


def _lowering(editor: GraphEditor, site: Site, options: Options) -> Applied:
    """The lowering that applies."""
    ways = [lowering for _, lowering in _ways(options)]
    return next((way for way in ways[:-1] if way.refusal(editor, site, options) is None), ways[-1])


class _NoMerge(Dilation):
    """Dilation where a merge is named."""

    def refusal(self, editor: GraphEditor, site: Site, options: Options) -> str | None:  # noqa: ARG002 - the protocol's
        return NO_MERGE
