"""An estimate of the memory that one tile takes: the weights, and the most activations that are alive at once.

Shapes and the order of the nodes decide it. A runtime adds its own: buffers of convolutions, an arena that grows in
steps, copies in another layout.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from auditor.onnxfile.dtypes import ENCODINGS, DataType
from auditor.onnxfile.graph import Model
from auditor.tiling.links import Key, Link

_HALVES = frozenset({DataType.FLOAT16, DataType.BFLOAT16})


def weight_bytes(model: Model) -> int:
    """The bytes of the weights: those of all initializers, or of the file where they stand in its nodes."""
    stored = sum(
        tensor.elements * (ENCODINGS[tensor.dtype].bits if tensor.dtype in ENCODINGS else 32) // 8
        for tensor in model.graph.initializers.values()
    )
    return max(stored, model.file_bytes)


def element_bytes(model: Model) -> int:
    """The width of an activation: two bytes where most weights are half precision, else four."""
    sizes = {True: 0, False: 0}
    for tensor in model.graph.initializers.values():
        sizes[tensor.dtype in _HALVES] += tensor.elements
    return 2 if sizes[True] > sizes[False] else 4


def peak_elements(links: Sequence[Link], inputs: Sequence[tuple[Key, int]], outputs: Collection[Key]) -> int:
    """The most elements that are alive at once when the nodes run in this order.

    The caller keeps the inputs. No node takes over the buffer of an operand, since a runtime does not where sizes are
    open, and one tensor may be there twice, in the layout of the convolutions.
    """
    last: dict[Key, int] = {}
    for index, link in enumerate(links):
        for read in link.reads:
            last[read.tensor] = index
    last |= dict.fromkeys((key for key, _ in inputs), len(links)) | dict.fromkeys(outputs, len(links))
    aliases = _aliases(links, last)
    alive = dict(inputs)
    most = total = sum(alive.values())
    for index, link in enumerate(links):
        if link.output not in aliases:
            alive[link.output] = link.elements
            total += link.elements
        most = max(most, total)
        for key in {read.tensor for read in link.reads} | {link.output}:
            if last.get(key, index) <= index and key in alive:
                total -= alive.pop(key)
    return most + max((link.elements for link in links), default=0)


def _aliases(links: Sequence[Link], last: dict[Key, int]) -> frozenset[Key]:
    """The outputs that are their operand under another name, which lives as long as they do."""
    found = set()
    for link in reversed(links):
        if link.alias and link.reads:
            found.add(link.output)
            for read in link.reads:
                last[read.tensor] = max(last.get(read.tensor, 0), last.get(link.output, 0))
    return frozenset(found)
