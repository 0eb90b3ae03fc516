"""What changed between two audits, without running a model: sampling sites, subsampling per output, findings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction

from msgspec.structs import replace

from auditor.comparison.pairing import marked, pair_findings, pair_sites
from auditor.facts.comparison import Comparison, ComparisonVerdict, GridChange, Kept, KeptSite, OutputChange
from auditor.facts.finding import Finding, Severity
from auditor.onnxfile.graph import Model
from auditor.onnxfile.limits import Limits
from auditor.onnxfile.noderef import NodeRef
from auditor.sampling.result import Analysis, Head, Lattice, SourceAxis


def compare_sites(
    base: Model, before: Analysis, new: Model, after: Analysis, name: str, limits: Limits
) -> tuple[Comparison, tuple[tuple[NodeRef, NodeRef], ...]]:
    """What changed in the graphs, and the nodes of the sites that both have. ``name`` is what the base is called.

    Raises:
        ModelFileError: A model cannot be walked within the limits.
    """
    pairs = pair_sites(marked(base, before.sites, limits), marked(new, after.sites, limits))
    kept_before, kept_after = {pair.base for pair in pairs}, {pair.new for pair in pairs}
    both = [KeptSite(before.sites[pair.base], after.sites[pair.new]) for pair in pairs]
    comparison = Comparison(
        base=name,
        new_sites=tuple(site for index, site in enumerate(after.sites) if index not in kept_after),
        removed_sites=tuple(site for index, site in enumerate(before.sites) if index not in kept_before),
        kept_sites=len(pairs),
        changed_sites=tuple(site for site in both if site.changed),
        outputs=compare_outputs(before.heads, after.heads, (before.sources, after.sources)),
        before=before.subsampling,
        after=after.subsampling,
    )
    return comparison, tuple((before.sites[pair.base].node, after.sites[pair.new].node) for pair in pairs)


def compare_outputs(
    before: Sequence[Head],
    after: Sequence[Head],
    inputs: tuple[Sequence[SourceAxis], Sequence[SourceAxis]] = ((), ()),
) -> tuple[OutputChange, ...]:
    """The outputs of the new model, then those that are gone. ``inputs`` are the axes of both that lattices lead to.

    An output is the same by its name; what is left over on both sides by its position, where as many are left.
    """
    by_name = {head.output.raw: head for head in before}
    named = {head.output.raw for head in after}
    gone = [head for head in before if head.output.raw not in named]
    fresh = [head for head in after if head.output.raw not in by_name]
    renamed = dict(zip((head.output.raw for head in fresh), gone, strict=False)) if len(gone) == len(fresh) else {}
    changes = []
    for head in after:
        old = by_name.get(head.output.raw) or renamed.get(head.output.raw)
        changes.append(
            OutputChange(
                base=None if old is None else old.output,
                new=head.output,
                before=None if old is None else old.subsampling,
                after=head.subsampling,
                grid=None if old is None else compare_grids(_placed(old, inputs[0]), _placed(head, inputs[1])),
            )
        )
    lost = () if renamed else gone
    return (*changes, *(OutputChange(head.output, None, head.subsampling, None) for head in lost))


def _placed(head: Head, inputs: Sequence[SourceAxis]) -> list[tuple[Lattice, int]]:
    """The grid axes of an output, each with the size of the input axis that it covers."""
    return [(lattice, inputs[lattice.source].size) for lattice in head.lattice]


def compare_grids(before: Sequence[tuple[Lattice, int]], after: Sequence[tuple[Lattice, int]]) -> GridChange | None:
    """What became of an output's grid; None where the models do not have the same number of grid axes there.

    Grids of equal sizes are compared at both ends; of different sizes in the middle, since an output that was made
    coarser or finer with care still covers the same picture. Of inputs of different sizes the first places count, or
    the middles of output and input, whichever agree better: what keeps one of the two has not moved.
    """
    if not before or len(before) != len(after):
        return None
    pairs = [*zip(before, after, strict=True)]
    moved = [_moves(*old, *new) for old, new in pairs]
    return GridChange(
        shifts=tuple(shift for shift, _ in moved),
        detours=tuple(detour for _, detour in moved),
        steps=tuple((abs(old.stride), abs(new.stride)) for (old, _), (new, _) in pairs),
        fields=tuple((old.receptive_field, new.receptive_field) for (old, _), (new, _) in pairs),
    )


def _moves(old: Lattice, covered: int, new: Lattice, covers: int) -> tuple[Fraction, Fraction]:
    """How far the centres of one axis moved, and how far those of its deepest path did."""
    middle = new.centre(Fraction(new.size - 1, 2)) - old.centre(Fraction(old.size - 1, 2))
    if covered != covers:
        shift = min(new.offset - old.offset, middle - Fraction(covers - covered, 2), key=abs)
    elif old.size == new.size:
        ends = [new.centre(index) - old.centre(index) for index in (0, old.size - 1)]
        shift = max(ends, key=abs)
    else:
        shift = middle
    return shift, shift + new.deepest - old.deepest


def with_findings(
    comparison: Comparison,
    before: Sequence[Finding],
    after: Sequence[Finding],
    sites: Sequence[tuple[NodeRef, NodeRef]],
) -> Comparison:
    """The comparison with what became of the findings."""
    pairs = pair_findings(before, after, sites)
    kept_before, kept_after = {pair.base for pair in pairs}, {pair.new for pair in pairs}
    return replace(
        comparison,
        added=tuple(one for index, one in enumerate(after) if index not in kept_after),
        fixed=tuple(one for index, one in enumerate(before) if index not in kept_before),
        kept=tuple(Kept(before[pair.base], after[pair.new], pair.how) for pair in pairs),
    )


def graph_verdict(found: Comparison, against_base: Sequence[Finding], run: Collection[str]) -> ComparisonVerdict:
    """What the two graphs come to, without what a run showed.

    ``against_base`` are the findings of the rules that read the comparison, and ``run`` the codes of the rules that
    judge a run. A note alone makes nothing worse, and an output makes it worse where it moved or got coarser. Losses
    below an error beside gains leave it open: only a run tells which of them weighs more.
    """
    if found.same_model:
        return ComparisonVerdict.SAME_MODEL
    rose = [*found.added, *(one for one in against_base if one.node is not None)]
    rose += [kept.after for kept in found.kept if kept.worse]
    losses = {one.severity for one in rose if one.severity is not Severity.NOTE and one.rule not in run}
    moved = any(output.grid is not None and (output.grid.shift or output.grid.detour) for output in found.outputs)
    if moved or Severity.ERROR in losses or any(output.rose for output in found.outputs):
        return ComparisonVerdict.WORSE
    eased = [kept for kept in found.kept if kept.after.severity.rank < kept.before.severity.rank]
    gone = [one for one in [*found.fixed, *(kept.after for kept in eased)] if one.rule not in run]
    gains = bool(gone) or any(site.moved < 0 for site in found.changed_sites)
    if losses:
        return ComparisonVerdict.UNDECIDED if gains else ComparisonVerdict.WORSE
    return ComparisonVerdict.BETTER if gains else ComparisonVerdict.NO_DIFFERENCE_FOUND
