"""The small pieces of graph that rewrites insert, built with onnx-graphsurgeon for the opset of the model.

Every function returns the name of the tensor that it makes. Nodes and constants wait in the :class:`Block` until it is
inserted as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.result import Padding, RewriteError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike, NDArray
    from onnx import TensorProto

_SLICE_INPUTS_SINCE = 10
_PAD_INPUTS_SINCE = 11
_CLIP_INPUTS_SINCE = 11
_SPLIT_COUNT_SINCE = 18


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what graphsurgeon prints off stdout, where reports go."""
    with redirect_stdout(StringIO()):
        yield


class Block:
    """Nodes that stand together and have names below one prefix, such as ``aliasaudit/conv1``."""

    def __init__(self, editor: GraphEditor, prefix: str) -> None:
        with _silent():
            import onnx_graphsurgeon as gs

        self._gs = gs
        self.editor = editor
        self._prefix = prefix
        self._graph = gs.Graph(opset=editor.opset)
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._tensors: list[TensorProto] = []

    def insert(self, anchor: EditNode, *, after: bool) -> list[EditNode]:
        """Put the nodes into the graph in front of or behind ``anchor``."""
        with _silent():
            made = self._gs.export_onnx(self._graph)
        tensors = [*self._tensors, *made.graph.initializer]
        return self.editor.add(made.graph.node, tensors, anchor, after=after, shapes=self._shapes)

    def constant(self, values: NDArray[np.generic], label: str) -> str:
        """Add a constant called ``<prefix>/<label>``, to be read by nodes of the source."""
        from onnx import numpy_helper

        name = self.editor.fresh(f"{self._prefix}/{label}")
        self._tensors.append(numpy_helper.from_array(values, name))
        return name

    def node(
        self, op: str, inputs: Sequence[Any], label: str, output: str | None = None, count: int = 1, **attributes: Any
    ) -> list[str]:
        """Add a node called ``<prefix>/<label>`` with ``count`` outputs. Inputs are tensor names or arrays."""
        gs = self._gs
        name = self.editor.fresh(f"{self._prefix}/{label}")
        names = [output] if output is not None else [name] if count == 1 else [f"{name}_{k}" for k in range(count)]
        values = [
            gs.Variable(value) if isinstance(value, str) else gs.Constant(f"{name}/constant_{place}", value)
            for place, value in enumerate(inputs)
        ]
        outputs = [gs.Variable(found) for found in names]
        self._graph.nodes.append(gs.Node(op, name, attrs=attributes, inputs=values, outputs=outputs))
        return names

    def shaped(self, tensor: str, shape: Sequence[int]) -> str:
        """Remember the shape of a new tensor."""
        self._shapes[tensor] = tuple(shape)
        return tensor

    def copy(self, part: EditNode, replaced: Mapping[int, str], output: str, label: str, **attributes: Any) -> str:
        """A copy of a node of the graph with other inputs, one output, and some other attributes (None: left out)."""
        gs = self._gs
        kept: dict[str, Any] = {key: value for key, value in part.attributes.items() if key not in attributes}
        kept.update({key: value for key, value in attributes.items() if value is not None})
        if any(not isinstance(value, (int, float, str, tuple, list)) for value in kept.values()):
            raise RewriteError("an attribute of a strided operator has an unexpected type")
        # An empty list says what a missing one says, and graphsurgeon cannot write it.
        kept = {key: list(v) if isinstance(v, tuple) else v for key, v in kept.items() if v != ()}
        inputs = [gs.Variable(replaced.get(place, name)) for place, name in enumerate(part.inputs)]
        name = self.editor.fresh(f"{self._prefix}/{label}")
        node = gs.Node(
            part.op, name, attrs=kept, inputs=inputs, outputs=[gs.Variable(output)], domain=part.domain or None
        )
        self._graph.nodes.append(node)
        return output

    def slice(
        self,
        tensor: str,
        starts: Sequence[int],
        ends: Sequence[int],
        axes: Sequence[int],
        label: str,
        output: str | None = None,
    ) -> str:
        """Slice-1 or Slice-10, without steps."""
        import numpy as np

        if self.editor.opset < _SLICE_INPUTS_SINCE:
            bounds_as_lists: dict[str, Any] = {"starts": list(starts), "ends": list(ends), "axes": list(axes)}
            return self.node("Slice", [tensor], label, output, **bounds_as_lists)[0]
        bounds = [np.array(values, np.int64) for values in (starts, ends, axes)]
        return self.node("Slice", [tensor, *bounds], label, output)[0]

    def pad(self, tensor: str, begin: Sequence[int], end: Sequence[int], padding: Padding, label: str = "pad") -> str:
        """Pad-2 or Pad-11; ``begin`` and ``end`` hold one number per tensor axis."""
        import numpy as np

        mode = "constant" if padding is Padding.ZERO else padding.value
        pads = [*begin, *end]
        if self.editor.opset < _PAD_INPUTS_SINCE:
            return self.node("Pad", [tensor], label, mode=mode, pads=pads)[0]
        return self.node("Pad", [tensor, np.array(pads, np.int64)], label, mode=mode)[0]

    def pad_with(self, tensor: str, begin: Sequence[int], end: Sequence[int], value: NDArray[np.generic]) -> str:
        """Pad-2 or Pad-11 with a number, as an array without axes of the tensor's type."""
        import numpy as np

        pads = [*begin, *end]
        if self.editor.opset < _PAD_INPUTS_SINCE:
            return self.node("Pad", [tensor], "border", mode="constant", pads=pads, value=float(value))[0]
        return self.node("Pad", [tensor, np.array(pads, np.int64), value], "border", mode="constant")[0]

    def clip(self, tensor: str, least: float, most: float, label: str) -> str:
        """Clip-6 or Clip-11 of single precision."""
        import numpy as np

        if self.editor.opset < _CLIP_INPUTS_SINCE:
            return self.node("Clip", [tensor], label, min=least, max=most)[0]
        return self.node("Clip", [tensor, np.array(least, np.float32), np.array(most, np.float32)], label)[0]

    def depthwise(
        self,
        tensor: str,
        kernel: NDArray[np.generic],
        channels: int,
        stride: Sequence[int],
        pads: Sequence[int],
        output: str | None = None,
    ) -> str:
        """A convolution of every channel with the same kernel."""
        import numpy as np

        weights = np.ascontiguousarray(np.broadcast_to(kernel, (channels, 1, *kernel.shape)))
        shape, strides, border = list(kernel.shape), list(stride), list(pads)
        return self.node(
            "Conv", [tensor, weights], "blur", output, group=channels, kernel_shape=shape, strides=strides, pads=border
        )[0]

    def mix(self, tensor: str, channels: int, rank: int, dtype: DTypeLike, output: str | None) -> tuple[str, str, str]:
        """A 1x1 convolution that does nothing yet; returns its output, its weight and its bias."""
        import numpy as np

        weight = self.constant(np.eye(channels, dtype=dtype).reshape(channels, channels, *(1,) * rank), "mix/weight")
        bias = self.constant(np.zeros(channels, dtype), "mix/bias")
        (made,) = self.node("Conv", [tensor, weight, bias], "mix", output, kernel_shape=[1] * rank)
        return made, weight, bias

    def concat(self, tensors: Sequence[str], label: str, output: str | None = None, axis: int = 0) -> str:
        """Tensors side by side, on the batch axis unless another one is given."""
        return self.node("Concat", list(tensors), label, output, axis=axis)[0]

    def split(self, tensor: str, parts: int) -> list[str]:
        """Equal parts of the batch axis."""
        attributes: dict[str, Any] = {"axis": 0}
        if self.editor.opset >= _SPLIT_COUNT_SINCE:
            attributes["num_outputs"] = parts
        return self.node("Split", [tensor], "split", None, parts, **attributes)

    def mean(self, tensors: Sequence[str], dtype: DTypeLike, output: str) -> str:
        """The mean of tensors of one shape and type, as sums and a product.

        Runtimes compute a Mean of several inputs wrongly or not at all, and these the same everywhere.
        """
        import numpy as np

        total = tensors[0]
        for tensor in tensors[1:]:
            total = self.node("Add", [total, tensor], "sum")[0]
        return self.node("Mul", [total, np.array(1 / len(tensors), dtype)], "mean", output)[0]
