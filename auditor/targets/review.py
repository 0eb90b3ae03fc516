"""What the targets of a run make of the nodes of one model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from auditor.onnxfile.noderef import NodeRef
from auditor.sampling.observed import ObservedNode
from auditor.targets.forms import forms_of
from auditor.targets.forms.form import Form
from auditor.targets.table import Effect, RequestedTarget, TableEntry, TargetTable
from auditor.targets.versions import version_range

# A refusal says all; other values say more than an attribute that is left out.
_WEIGHT = {Effect.REFUSED: 0, Effect.DIFFERS: 1, Effect.IGNORED: 2}


@dataclass(frozen=True, slots=True)
class TargetVerdict:
    """What one target makes of one node. ``words`` say what the node does, ``also`` what else differs there."""

    target: str
    asked: str
    title: str
    measured: str
    node: NodeRef
    entry: TableEntry
    words: str
    portable: str
    also: tuple[str, ...] = ()

    @property
    def was_run(self) -> bool:
        """Whether the entry is of the version that was measured."""
        return bool(self.measured) and self.entry.versions.meets(version_range(f"=={self.measured}"))


@dataclass(frozen=True, slots=True)
class UnknownForms:
    """Forms of which the table of a target says nothing, and the nodes that have them, in graph order."""

    target: str
    asked: str
    title: str
    measured: str
    forms: tuple[str, ...]
    nodes: tuple[NodeRef, ...]


@dataclass(frozen=True, slots=True)
class UncoveredVersions:
    """A target of which versions were asked for that its table says nothing about. ``known`` is what it covers."""

    target: str
    asked: str
    title: str
    known: str
    all_of_them: bool


@dataclass(frozen=True, slots=True)
class TargetReview:
    """All of it for one model, by target as asked for, then in graph order. ``targets`` are all that were asked for."""

    targets: tuple[RequestedTarget, ...]
    verdicts: tuple[TargetVerdict, ...]
    unknown: tuple[UnknownForms, ...]
    uncovered: tuple[UncoveredVersions, ...]


def review(nodes: Sequence[ObservedNode], targets: Sequence[RequestedTarget]) -> TargetReview:
    """What the targets make of the nodes."""
    known = [(node, forms_of(node)) for node in nodes]
    known = [(node, forms) for node, forms in known if forms or node.op in _ALWAYS]
    verdicts: list[TargetVerdict] = []
    unknown: list[UnknownForms] = []
    uncovered: list[UncoveredVersions] = []
    for target in targets:
        gap = _gap(target)
        uncovered += [gap] if gap is not None else []
        if gap is not None and gap.all_of_them:
            continue
        strange: dict[str, list[NodeRef]] = {}
        for node, forms in known:
            verdict = _verdict(target, node, forms)
            verdicts += [verdict] if verdict is not None else []
            for words in _unknown(target, node, forms) if verdict is None else ():
                strange.setdefault(words, []).append(node.ref)
        if strange:
            table = target.table
            refs = {ref.order: ref for listed in strange.values() for ref in listed}
            in_order = tuple(ref for _, ref in sorted(refs.items()))
            unknown.append(UnknownForms(table.name, target.text, table.title, table.measured, tuple(strange), in_order))
    return TargetReview(tuple(targets), tuple(verdicts), tuple(unknown), tuple(uncovered))


_ALWAYS = frozenset({"Resize", "Upsample", "AveragePool", "MaxPool", "LpPool", "GridSample"})
"""Operators that sample in any form, so that one without a name is not known rather than the same."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What the table of one target says against one form of a node."""

    target: TargetTable
    entry: TableEntry
    form: Form


def faults(node: ObservedNode, targets: Sequence[RequestedTarget]) -> tuple[Fault, ...]:
    """All that the tables of the targets say against a node, by target, the heaviest first."""
    holding = {form.name: form for form in forms_of(node)}
    return tuple(
        Fault(target.table, entry, holding[entry.form]) for target in targets for entry in _entries(target, holding)
    )


def _gap(target: RequestedTarget) -> UncoveredVersions | None:
    """What was asked for and is not in the table: versions before it, or all of them."""
    table, asked = target.table, target.versions
    missing = not asked.meets(table.versions)
    if not missing and not (asked.is_bounded_below and asked.begins_before(table.versions)):
        return None
    known = table.measured or table.versions.text
    return UncoveredVersions(table.name, target.text, table.title, known, missing)


def _verdict(target: RequestedTarget, node: ObservedNode, forms: Sequence[Form]) -> TargetVerdict | None:
    """The heaviest of what the table says of the forms of a node."""
    table = target.table
    holding = {form.name: form for form in forms}
    entries = _entries(target, holding)
    if not entries:
        return None
    first, *others = entries
    form = holding[first.form]
    also = () if first.effect is Effect.REFUSED else tuple(f"{holding[one.form].words}: {one.does}" for one in others)
    return TargetVerdict(
        table.name, target.text, table.title, table.measured, node.ref, first, form.words, form.portable, also
    )


def _entries(target: RequestedTarget, forms: Collection[str]) -> list[TableEntry]:
    """The entries about these forms that hold in the versions asked for, the heaviest first."""
    entries = [one for one in target.table.entries if one.form in forms and _applies(one, target)]
    return sorted(entries, key=lambda one: _WEIGHT[one.effect])


def _applies(entry: TableEntry, target: RequestedTarget) -> bool:
    """Whether an entry holds in a version that was asked for; without any that is the newest one of the table."""
    if not target.versions.text:
        return entry.versions.reaches(target.table.versions)
    return entry.versions.meets(target.versions)


def _unknown(target: RequestedTarget, node: ObservedNode, forms: Sequence[Form]) -> list[str]:
    """The forms of a node of which the table says nothing."""
    table = target.table
    if not forms:
        return [f"another form of {node.op}"]
    told = table.same | {one.form for one in table.entries}
    return [form.words for form in forms if not form.refines and form.name not in told]
