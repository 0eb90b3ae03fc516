"""Every s-th sample of a map: a crop and a MaxPool over single samples, which no runtime rounds or reorders."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.rewrite.graph.blocks import Block


def decimate(
    block: Block,
    tensor: str,
    sizes: Sequence[int],
    starts: Sequence[int],
    steps: Sequence[int],
    counts: Sequence[int],
    output: str,
) -> None:
    """Add the nodes that keep ``counts`` samples per grid axis, from ``starts`` on in ``steps``, as ``output``."""
    ends = [start + (count - 1) * step + 1 for start, step, count in zip(starts, steps, counts, strict=True)]
    # What lies behind the last sample may stay where it makes no further one.
    cut = [
        index
        for index, (size, start, step, count) in enumerate(zip(sizes, starts, steps, counts, strict=True))
        if start or (size - 1) // step + 1 != count
    ]
    if cut:
        tensor = block.slice(tensor, [starts[i] for i in cut], [ends[i] for i in cut], [i + 2 for i in cut], "from")
    block.node("MaxPool", [tensor], "every", output, kernel_shape=[1] * len(sizes), strides=list(steps))
