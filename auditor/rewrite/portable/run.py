"""Lowers a model: each node that a target computes differently gets the first portable form that applies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from auditor._version import __version__
from auditor.onnxfile.graph import Model
from auditor.rewrite.graph.marks import IN_A_FUNCTION, IN_A_SUB_GRAPH
from auditor.rewrite.graph.save import Admit, anything, save
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type
from auditor.rewrite.portable.lowering import NotLoweredError, Place, Way
from auditor.rewrite.portable.prices import MOST
from auditor.rewrite.portable.result import LeftNode, Lowered, LoweredNode
from auditor.rewrite.portable.table import lowerings
from auditor.sampling.observed import ObservedNode
from auditor.sampling.result import Analysis
from auditor.targets.review import Fault, faults
from auditor.targets.table import RequestedTarget

UNWRITTEN = "no portable form of it is written yet"


def lower(
    model: Model,
    analysis: Analysis,
    nodes: Sequence[ObservedNode],
    targets: Sequence[RequestedTarget],
    target: Path | None = None,
    *,
    most: float = MOST,
    in_place: bool = False,
    admit: Admit = anything,
) -> Lowered:
    """Lower the nodes that some of the ``targets`` computes differently, and write the model to ``target``.

    ``nodes`` are those that the analysis observed. None as ``target`` is a dry run. A portable form that is predicted
    to take more than ``most`` times as long as the node is refused. Nothing is written where nothing was lowered.

    Raises:
        RewriteError: the result cannot be written.
        ModelFileError: the source has changed since it was read.
    """
    editor = GraphEditor(model, analysis)
    editor.note = "portable"
    lowered: list[LoweredNode] = []
    ways: list[Way] = []
    left: list[LeftNode] = []
    for node in nodes:
        found = faults(node, targets)
        if not found:
            continue
        concerned = tuple(dict.fromkeys(fault.target.name for fault in found))
        try:
            way = _way(editor, node, found, targets, most)
        except NotLoweredError as refusal:
            form = found[0].form
            left.append(LeftNode(node.ref, form.words, concerned, str(refusal), form.portable))
            continue
        ways.append(way)
        lowered.append(LoweredNode(node.ref, found[0].form.words, concerned, way.words, way.ratio))
    # All are planned on the graph as it is: a node that was lowered says less about types and sizes behind it.
    for way in ways:
        way.write()
    backup = None
    names = tuple(target.text for target in targets)
    if target is not None and lowered:
        provenance: dict[str, object] = {
            "tool": f"aliasaudit {__version__}",
            "portable": list(names),
            "nodes": [one.node.name.raw for one in lowered],
        }
        backup = save(editor, target, provenance, in_place=in_place, admit=admit)
    path = target if lowered else None
    return Lowered(path, names, tuple(lowered), tuple(left), editor.changes(), backup)


def _way(
    editor: GraphEditor, node: ObservedNode, found: Sequence[Fault], targets: Sequence[RequestedTarget], most: float
) -> Way:
    """The first lowering that applies and takes the faults away, of equals the cheapest.

    Raises:
        NotLoweredError: none does, or each costs too much; with all reasons.
    """
    forms = {fault.form.name for fault in found}
    candidates = [one for one in lowerings() if node.op in one.operators and not forms.isdisjoint(one.forms)]
    if not candidates:
        raise NotLoweredError(UNWRITTEN)
    part = editor.at(node.ref)
    if part is None:
        raise NotLoweredError(IN_A_FUNCTION if editor.model.functions else IN_A_SUB_GRAPH)
    place = Place(editor, part, node, element_type(editor, part.inputs[0]))
    reasons: list[str] = []
    for _, equals in groupby(candidates, key=lambda lowering: lowering.rank):
        ways: list[Way] = []
        for lowering in equals:
            try:
                way = lowering.way(place)
            except NotLoweredError as refusal:
                reasons.append(str(refusal))
                continue
            if way.becomes is None or not faults(way.becomes, targets):
                ways.append(way)
        cheapest = min(ways, key=lambda way: way.ratio, default=None)
        if cheapest is not None and cheapest.ratio <= most:
            return cheapest
        if cheapest is not None:
            reasons.append(
                f"{cheapest.words} would take {cheapest.ratio:.2g} times as long (predicted);"
                f" --max-cost allows more than {most:g}"
            )
    raise NotLoweredError("; ".join(dict.fromkeys(reasons)) or UNWRITTEN)
