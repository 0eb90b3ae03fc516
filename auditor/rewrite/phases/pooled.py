"""Whether an output that is said to be pooled really is: each way back to the map passes something that ends it.

The analysis calls an output pooled where no grid is left of its axes. Attention, a product of two maps, leaves none
either, and yet what stands in one place of such an output may speak of one place of the picture.
"""

from __future__ import annotations

from math import prod

from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.sampling.traits import Family, traits_of

UNPOOLED = "an output still holds positions of the map, which no pooling ends, and they would move against the picture"

_LAST_OF_TOKENS = 3  # the least rank of a tensor with positions beside batch and channels


def holds_map(editor: GraphEditor, output: str) -> bool:
    """Whether there is a way from a map to the output that nothing ends."""
    known: dict[str, bool] = editor.remembered("maps", dict)
    if output not in known:
        known[output] = _holds_map(editor, output)
    return known[output]


def _holds_map(editor: GraphEditor, output: str) -> bool:
    waiting, seen = [output], {output}
    while waiting:
        tensor = waiting.pop()
        if any(editor.lattices(tensor) or ()):
            return True
        part = editor.producer(tensor)
        if part is None:
            continue
        for name in _passed_on(editor, part):
            if name and name not in seen and editor.is_dynamic(name):
                seen.add(name)
                waiting.append(name)
    return False


def _passed_on(editor: GraphEditor, part: EditNode) -> list[str]:
    """The inputs of a node whose positions its output may still have."""
    if _ends(editor, part):
        return []
    if part.op in ("Gather", "Reshape", "Expand", "Slice", "Resize", "Tile", "Where"):
        return part.inputs if part.op == "Where" else part.inputs[:1]
    return part.inputs


def _ends(editor: GraphEditor, part: EditNode) -> bool:
    """Whether what a node makes has no positions any more."""
    family = traits_of(part.domain, part.op).family
    given, result = editor.shape(part.inputs[0]) if part.inputs else None, editor.shape(part.outputs[0])
    if family is Family.GLOBAL_POOL or part.op in ("Shape", "Size"):
        return True
    if given is None or result is None:
        return False
    if family is Family.REDUCTION:
        return _pools(editor, part, given)
    if family in (Family.POOL, Family.CONVOLUTION):
        return prod(result[2:]) == 1 < prod(given[2:])
    if part.op in ("Gemm", "QGemm", "FusedGemm"):
        return True
    if part.op in ("MatMul", "FusedMatMul", "QLinearMatMul", "MatMulInteger"):
        # A row of weights takes all positions of a flattened map; one query takes those of all tokens.
        return len(given) < _LAST_OF_TOKENS or (len(result) >= _LAST_OF_TOKENS and result[-2] == 1)
    if part.op in ("Gather", "Slice"):
        return (prod(result) < prod(given) and any(size == 1 for size in result[1:-1])) or len(result) < len(given) > 2
    return False


def _pools(editor: GraphEditor, part: EditNode, given: tuple[int, ...]) -> bool:
    """Whether a reduction takes all axes of the grid together; the last axis alone are the channels of tokens."""
    lattices = editor.lattices(part.inputs[0])
    listed: object = part.attributes.get("axes", part.attributes.get("axis"))
    if listed is None and len(part.inputs) > 1 and part.inputs[1]:
        constant = editor.constant(part.inputs[1])
        listed = None if constant is None else inline_values(constant)
    if listed is None:
        return True
    axes = listed if isinstance(listed, tuple) else (listed,)
    gone = {int(axis) % max(len(given), 1) for axis in axes if isinstance(axis, (int, float))}
    grid = {axis for axis, lattice in enumerate(lattices or ()) if lattice is not None}
    if grid:
        return gone >= grid
    return bool(gone - {0, len(given) - 1}) or gone >= set(range(1, len(given)))
