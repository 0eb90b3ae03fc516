"""The names that rewrites leave on their nodes, and what they tell a second run."""

from __future__ import annotations

from auditor.rewrite.graph.parts import PREFIX, EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.sampling.result import Site
from auditor.sampling.rewritable import INTEGER_OPERATORS

IN_A_FUNCTION = "it stands in a local function, whose nodes are not edited: give --inline"
IN_A_SUB_GRAPH = "it stands in a sub-graph, whose nodes are not edited"
OWN = "an earlier run of this program rewrote it"
INTEGER = "it computes on integers: rewrite the model before it is quantised"
UNTRACKED = "the size of its input is not known"
FRONT = "/front/"
PHASES = "/phases"
BRANCH = "/branch"
WINDOW = "/window"
DILATED = "/dilated"
MERGED = "/merged/"
BLURRED = "blur"


def has_phases(part: EditNode) -> bool:
    """Whether phases of a site begin at a node that an earlier rewrite made or changed."""
    if part.own:
        return part.name.endswith(PHASES) or is_branch(part)
    return any(name.startswith(PREFIX) and DILATED in name for name in part.outputs)


def common_refusal(editor: GraphEditor, site: Site, *, blurred: bool = False) -> str | None:
    """Reasons that hold for every strategy; ``blurred``: for one that may go on where an earlier run put a blur."""
    if site.labels:
        return site.reason
    part = editor.part(site)
    if part is None:
        return IN_A_FUNCTION if editor.model.functions else IN_A_SUB_GRAPH
    if (
        _has_phases_behind(editor, part)
        or _has_branch(editor, part)
        or (_made_here(editor, part) and not (blurred and _blurs(part)))
    ):
        return OWN
    if part.op.startswith(INTEGER_OPERATORS):
        return INTEGER
    if part.inputs and editor.shape(part.inputs[0]) is None:
        return UNTRACKED
    return None


def _made_here(editor: GraphEditor, part: EditNode) -> bool:
    """Whether an earlier rewrite made the node, or put a blur into its weights or in front of it."""
    producer = editor.producer(part.inputs[0]) if part.inputs else None
    in_front = producer is not None and producer.own and FRONT in producer.name
    return part.name.startswith(PREFIX) or _merged(part) or in_front


def _blurs(part: EditNode) -> bool:
    """Whether a node is a blur, or a convolution with one in its weights."""
    return _merged(part) or part.name.rpartition("/")[2].startswith(BLURRED)


def _merged(part: EditNode) -> bool:
    return any(name.startswith(PREFIX) and MERGED in name for name in part.inputs[1:2])


def _has_phases_behind(editor: GraphEditor, part: EditNode) -> bool:
    readers = [consumer for tensor in part.outputs for consumer in editor.consumers(tensor)]
    return any(reader.own and reader.name.endswith(PHASES) for reader in readers)


def is_branch(part: EditNode) -> bool:
    """Whether a node is a copy in a second branch."""
    return part.own and without_number(part.name).endswith(BRANCH)


def without_number(name: str) -> str:
    """The name of a copy without the number that tells it from others."""
    return name.rstrip("0123456789").rstrip("_")


def _has_branch(editor: GraphEditor, part: EditNode) -> bool:
    """Whether a second branch has a copy of the node."""
    copies = editor.remembered("branches", lambda: [other.name for other in editor.parts() if is_branch(other)])
    stem = f"{branch_stem(part)}{BRANCH}"
    return any(without_number(name) == stem for name in copies)


def branch_stem(part: EditNode) -> str:
    """The first part of the names of a node's copies in other branches."""
    label = part.name or next((output for output in part.outputs if output), "")
    return f"{PREFIX}{label[:200]}"
