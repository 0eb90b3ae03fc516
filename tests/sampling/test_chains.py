"""Random chains of layers: the composed lattice against the impulse response of the whole network."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sampling.impulse import audit, hold, quick
from tests.sampling.networks import Net

SIZE = 60
MARGIN = 12  # a window that padding cuts at a stride of 8 ends this close to the border
LAYERS = st.sampled_from(
    [
        "conv",
        "conv",
        "depthwise",
        "average",
        "slice",
        "pad",
        "to depth",
        "merge",
        "transpose",
        "resize",
        "shortcut",
        "im2col",
    ]
)


class Chain:
    """A network that grows by random layers; ``size`` is the height and width of ``x``, which has ``channels``."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.net = Net(1, 2, SIZE, SIZE)
        self.x, self.size, self.channels = "x", SIZE, 2
        self.finer = False

    def pick(self, low: int, high: int) -> int:
        found: int = self.draw(st.integers(low, high))
        return found

    def conv(self, x: str, channels: int, kernel: int, stride: int, pad: int, group: int = 1) -> str:
        weights = np.ones([channels, self.channels // group, kernel, kernel], np.float32)
        return self.net.conv(x, self.channels, channels, kernel, stride, pad=pad, group=group, weights=weights)

    def after(self, kernel: int, stride: int, pad: int) -> int:
        return (self.size + 2 * pad - kernel) // stride + 1

    def add(self, layer: str) -> None:
        net, size = self.net, self.size
        kernel, stride, pad = self.pick(1, 3), self.pick(1, 2), self.pick(0, 1)
        pad = min(pad, kernel - 1)
        if layer == "conv":
            self.x, self.channels = self.conv(self.x, 2, kernel, stride, pad), 2
            self.size = self.after(kernel, stride, pad)
        elif layer == "depthwise":
            self.x = self.conv(self.x, self.channels, kernel, stride, pad, self.channels)
            self.size = self.after(kernel, stride, pad)
        elif layer == "average":
            self.x, self.size = net.pool("AveragePool", self.x, kernel, stride, pad), self.after(kernel, stride, pad)
        elif layer == "slice":
            start = self.pick(0, 2)
            self.x = net.op("Slice", self.x, [start, start], [size, size], [2, 3], [stride, stride])
            self.size = (size - start - 1) // stride + 1
        elif layer == "pad":
            before, after = self.pick(-1, 2), self.pick(-1, 2)
            self.x = net.op("Pad", self.x, [0, 0, before, before, 0, 0, after, after])
            self.size = size + before + after
        elif layer == "to depth" and size % 2 == 0:
            deep = net.op("SpaceToDepth", self.x, blocksize=2)
            self.channels *= 4
            self.x, self.channels = self.conv(deep, 2, kernel, 1, 0), 2
            self.size = size // 2 - kernel + 1
        elif layer == "merge" and size % 2 == 0:
            cut = net.op("Reshape", self.x, [1, self.channels, size // 2, 2, size // 2, 2])
            tokens = net.op("Transpose", cut, perm=[0, 2, 4, 3, 5, 1])
            merged = net.op("Reshape", tokens, [1, (size // 2) ** 2, 4 * self.channels])
            mixed = net.op("MatMul", merged, np.ones([4 * self.channels, 2], np.float32))
            self.x, self.channels, self.size = net.op("Transpose", mixed, perm=[0, 2, 1]), 2, size // 2
            self.x = net.op("Reshape", self.x, [1, 2, self.size, self.size])
        elif layer == "transpose":
            last = net.op("Transpose", self.x, perm=[0, 2, 3, 1])
            mixed = net.op("MatMul", last, np.ones([self.channels, 2], np.float32))
            self.x, self.channels = net.op("Transpose", mixed, perm=[0, 3, 1, 2]), 2
        elif layer == "resize" and size % 2 == 0:
            scale = self.draw(st.sampled_from([0.5, 2.0])) if size <= SIZE // 2 else 0.5
            self.x = net.op("Resize", self.x, "", np.array([1, 1, scale, scale], np.float32), mode="linear")
            self.size = int(size * scale)
            self.finer |= scale > 1
        elif layer == "shortcut":
            self.x = net.op("Add", self.x, self.conv(self.x, self.channels, 3, 1, 1))
        elif layer == "im2col":
            count = self.after(kernel, stride, 0)
            for axis in (2, 4):
                rows = stride * np.arange(count)[:, None] + np.arange(kernel)[None, :]
                self.x = net.op("Gather", self.x, rows, axis=axis)
            self.x, self.size = net.op("ReduceSum", self.x, [3, 5], keepdims=0), count


@given(data=st.data())
@settings(quick, max_examples=80)
def test_the_lattice_of_a_whole_network_is_the_composition_of_its_layers(data: Any) -> None:
    chain = Chain(data.draw)
    for layer in data.draw(st.lists(LAYERS, min_size=2, max_size=6)):
        if chain.size >= 10:
            chain.add(layer)
    model = chain.net.model(chain.x)
    bound = None if chain.finer else False
    hold(model, [1, 2, SIZE, SIZE], {2: 2, 3: 3}, margin=MARGIN, tight=bound, output=chain.x)
    assert not audit(model).joins
