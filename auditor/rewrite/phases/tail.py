"""What stands behind a site, and whether it treats every picture of a batch alone, so that phases can be its batch.

Each tensor behind the site is followed with axis 0 as its batch axis. Operators that are not known to keep the batch
axis apart end in a refusal, as do constants that fix its size; a Reshape with a constant ``[1, ...]`` is patched to
``[0, ...]``, which copies the size, and a Resize to constant sizes takes that of the batch from its input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.parts import Part
from auditor.rewrite.graph.surgery import Surgeon

UNKNOWN = "an operator behind it is not known to treat every picture of a batch alone"
MIXES = "an operator behind it works across the batch axis, which the phases would occupy"
FIXED = "a Reshape behind it folds the batch axis into others"
SHAPES = "the size of a tensor behind it is not known"
FOREIGN = "an operator behind it combines its map with a constant for a fixed batch"

_RESHAPE_INPUT_SINCE = 5


class TailError(Exception):
    """The batch axis is not free; the message is the reason of a refusal."""


@dataclass(frozen=True, slots=True)
class Tail:
    """``tensors`` carry the batch, ``entering`` are variable tensors from elsewhere that meet them, with their readers.

    ``reshapes`` are the nodes whose constant shape fixes the batch, with the shape to take instead; ``resizes`` those
    of whose constant sizes the first one does.
    """

    parts: tuple[Part, ...]
    tensors: frozenset[str]
    entering: Mapping[str, tuple[Part, ...]]
    reshapes: tuple[tuple[Part, tuple[int, ...]], ...]
    resizes: tuple[tuple[Part, tuple[int, ...]], ...]


def words(text: str) -> frozenset[str]:
    """The words of a text, such as the names of operators."""
    return frozenset(text.split())


_SAMPLE_BY_SAMPLE = words(
    """
    Abs Acos Acosh Asin Asinh Atan Atanh AveragePool BatchNormalization BitwiseNot Cast Ceil Celu Clip Conv ConvInteger
    ConvTranspose Cos Cosh DepthToSpace DequantizeLinear Dropout Elu Erf Exp Floor FusedConv Gelu GlobalAveragePool
    GlobalLpPool GlobalMaxPool GroupNormalization HardSigmoid HardSwish Identity ImageScaler InstanceNormalization IsInf
    IsNaN LRN LeakyRelu Log LpPool MaxPool Mish Neg Not QLinearConv QuantizeLinear Reciprocal Relu Round Selu Shrink
    Sigmoid Sign Sin Sinh Softplus Softsign SpaceToDepth Sqrt Swish Tan Tanh ThresholdedRelu
    """
)
ELEMENTWISE = words(
    """
    Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or
    PRelu Pow Sub Sum Where Xor
    """
)
ALONG_AXIS = {
    "Softmax": 1,
    "LogSoftmax": 1,
    "Hardmax": 1,
    "ArgMax": 0,
    "ArgMin": 0,
    "Split": 0,
    "TopK": -1,
    "LayerNormalization": -1,
    "LpNormalization": -1,
    "CumSum": 0,
    "Flatten": 1,
}
_OF_SHAPES = words("Add Cast Concat Div Floor Gather Identity Mul Reshape Slice Squeeze Sub Unsqueeze")
_OF_SIZES = words("Expand ConstantOfShape")


class _Trace:
    """Follows the batch axis through the nodes in order."""

    def __init__(self, surgeon: Surgeon, starts: Iterable[str]) -> None:
        self.surgeon = surgeon
        self.batch = set(starts)
        self.shapes: set[str] = set()
        self.parts: list[Part] = []
        self.entering: dict[str, list[Part]] = {}
        self.reshapes: list[tuple[Part, tuple[int, ...]]] = []
        self.resizes: list[tuple[Part, tuple[int, ...]]] = []

    def visit(self, part: Part) -> None:
        inside = [name for name in part.inputs if name in self.batch]
        sizes = [name for name in part.inputs if name in self.shapes]
        if not inside and not sizes:
            return
        if not part.domain and self._reads_no_batch(part):
            return
        self.parts.append(part)
        if part.own and inside:
            self.batch.update(name for name in part.outputs if name)
            return
        if part.domain not in ("", "com.microsoft") or any(
            self.surgeon.is_captured(name) for name in (*inside, *part.outputs) if name
        ):
            raise TailError(UNKNOWN)
        if not inside:
            self._of_shapes(part)
        elif part.op == "Shape":
            self.shapes.update(part.outputs)
        else:
            self._of_batch(part)
            self.batch.update(name for name in part.outputs if name)

    def _reads_no_batch(self, part: Part) -> bool:
        """Whether a node reads nothing that depends on the size of the batch: the type of a map, or its rank."""
        if part.op == "CastLike":
            return part.inputs[0] not in self.batch
        return part.op in ("Shape", "Size") and part.inputs[0] in self.shapes

    def _of_shapes(self, part: Part) -> None:
        if part.op in _OF_SHAPES:
            self.shapes.update(part.outputs)
        elif part.op in _OF_SIZES and (part.inputs[0] in self.shapes or not self._is_variable(part.inputs[0])):
            self.batch.update(part.outputs)
        else:
            raise TailError(UNKNOWN)

    def _of_batch(self, part: Part) -> None:
        if part.op in _SAMPLE_BY_SAMPLE:
            self._alone(part)
        elif part.op in ELEMENTWISE:
            self._elementwise(part)
        elif part.op in ALONG_AXIS:
            self._alone(part)
            self._not_first(self._axis(part, ALONG_AXIS[part.op]), part)
        elif part.op.startswith("Reduce"):
            self._axes(part)
        elif part.op in _HANDLERS:
            _HANDLERS[part.op](self, part)
        else:
            raise TailError(UNKNOWN)

    def _alone(self, part: Part) -> None:
        """The batch comes in by the first input only; what else is read is the same for all pictures."""
        if part.inputs[0] not in self.batch or any(name in self.batch for name in part.inputs[1:]):
            raise TailError(UNKNOWN)

    def _elementwise(self, part: Part) -> None:
        rank = max(len(self._shape(name)) for name in part.inputs if name in self.batch)
        size = self._size(next(name for name in part.inputs if name in self.batch))
        for name in part.inputs:
            shape = self._shape(name) if name else ()
            if name in self.batch:
                if len(shape) != rank:
                    raise TailError(MIXES)
            elif len(shape) > rank:
                raise TailError(MIXES)
            elif self._is_variable(name):
                if len(shape) == rank and shape[0] == size:
                    self._enters(name, part)
            elif len(shape) == rank and shape[0] != 1:
                raise TailError(FOREIGN)

    def cast_like(self, part: Part) -> None:
        """The second input gives its type alone."""

    def concat(self, part: Part) -> None:
        self._not_first(self._axis(part, 1), part)
        for name in part.inputs:
            if name not in self.batch:
                if not self._is_variable(name):
                    raise TailError(FOREIGN)
                self._enters(name, part)

    def transpose(self, part: Part) -> None:
        order = part.attributes.get("perm")
        if not isinstance(order, tuple) or not order or order[0] != 0:
            raise TailError(MIXES)

    def gather(self, part: Part) -> None:
        self._alone(part)
        self._not_first(self._axis(part, 0), part)

    def slice(self, part: Part) -> None:
        self._alone(part)
        if "starts" in part.attributes:
            starts = part.attributes["starts"]
            axes = part.attributes.get("axes") or tuple(range(len(starts) if isinstance(starts, tuple) else 0))
        elif len(part.inputs) > 3 and part.inputs[3]:
            axes = self._values(part.inputs[3])
        else:
            axes = (0,)
        if not isinstance(axes, tuple) or any(self._first(axis, part.inputs[0]) for axis in axes):
            raise TailError(MIXES)

    def pad(self, part: Part) -> None:
        self._alone(part)
        if len(part.inputs) > 3 and part.inputs[3]:
            axes = self._values(part.inputs[3])
            if any(self._first(axis, part.inputs[0]) for axis in axes):
                raise TailError(MIXES)
            return
        pads = part.attributes.get("pads", part.attributes.get("paddings"))
        values = pads if isinstance(pads, tuple) else self._values(part.inputs[1]) if len(part.inputs) > 1 else ()
        if not values or values[0] or values[len(values) // 2]:
            raise TailError(MIXES)

    def resize(self, part: Part) -> None:
        if part.inputs[0] not in self.batch:
            raise TailError(UNKNOWN)
        if self._shape(part.outputs[0])[:1] != self._shape(part.inputs[0])[:1]:
            raise TailError(MIXES)
        if len(part.inputs) < 4 or not part.inputs[3] or part.inputs[3] in self.shapes:
            return
        axes = part.attributes.get("axes")
        if not axes:
            sizes = tuple(int(size) for size in self._values(part.inputs[3]))
            self.resizes.append((part, sizes))
        elif not isinstance(axes, tuple) or any(self._first(axis, part.inputs[0]) for axis in axes):
            raise TailError(FOREIGN)

    def expand(self, part: Part) -> None:
        """A 1 in the place of the batch leaves its size."""
        if part.inputs[0] not in self.batch:
            raise TailError(UNKNOWN)
        if part.inputs[1] in self.shapes:
            return
        shape, rank = self._values(part.inputs[1]), len(self._shape(part.inputs[0]))
        if len(shape) > rank:
            raise TailError(MIXES)
        if len(shape) == rank and shape[0] != 1:
            raise TailError(FOREIGN)

    def squeeze(self, part: Part) -> None:
        axes = self._listed(part)
        if not axes or any(self._first(axis, part.inputs[0]) for axis in axes):
            raise TailError(MIXES)

    def unsqueeze(self, part: Part) -> None:
        axes = self._listed(part)
        if not axes or any(self._first(axis, part.outputs[0]) for axis in axes):
            raise TailError(MIXES)

    def reshape(self, part: Part) -> None:
        if part.inputs[0] not in self.batch:
            raise TailError(UNKNOWN)
        size = self._size(part.inputs[0])
        if self._shape(part.outputs[0])[:1] != (size,):
            raise TailError(FIXED)
        if len(part.inputs) > 1 and part.inputs[1] in self.shapes:
            return
        old = part.attributes.get("shape") if self.surgeon.opset < _RESHAPE_INPUT_SINCE else None
        wanted = old if isinstance(old, tuple) else self._values(part.inputs[1]) if len(part.inputs) > 1 else ()
        shape = tuple(int(value) for value in wanted if isinstance(value, (int, float)))
        if not shape or (part.attributes.get("allowzero") and 0 in shape):
            raise TailError(FIXED)
        if shape[0] > 0:
            if part.attributes.get("allowzero"):
                raise TailError(FIXED)
            self.reshapes.append((part, (0, *shape[1:])))

    def gemm(self, part: Part) -> None:
        self._alone(part)
        if part.attributes.get("transA"):
            raise TailError(MIXES)
        added = self._shape(part.inputs[2]) if len(part.inputs) > 2 and part.inputs[2] else ()
        if len(added) > 1 and added[0] != 1:
            raise TailError(FOREIGN)

    def matmul(self, part: Part) -> None:
        left, right = (self._shape(name) for name in part.inputs[:2])
        both = all(name in self.batch for name in part.inputs)
        if both and len(left) == len(right) >= 3:
            return
        if part.inputs[0] in self.batch and part.inputs[1] not in self.batch and len(left) >= 2:
            if len(right) <= 2 or len(right) < len(left):
                return
            if not self._is_variable(part.inputs[1]):
                raise TailError(FOREIGN)
        if len(left) == len(right) >= 3 and left[0] == right[0]:
            (other,) = (name for name in part.inputs[:2] if name not in self.batch)
            if not self._is_variable(other):
                raise TailError(FOREIGN)
            self._enters(other, part)
            return
        raise TailError(UNKNOWN)

    def _axes(self, part: Part) -> None:
        if part.inputs[0] not in self.batch:
            raise TailError(UNKNOWN)
        axes = self._listed(part)
        if not axes or any(self._first(axis, part.inputs[0]) for axis in axes):
            raise TailError(MIXES)

    def _listed(self, part: Part) -> tuple[int | float, ...]:
        """The axes of a node, as an attribute or as a constant."""
        axes = part.attributes.get("axes")
        if isinstance(axes, tuple):
            return tuple(axis for axis in axes if isinstance(axis, int))
        return self._values(part.inputs[1]) if len(part.inputs) > 1 and part.inputs[1] else ()

    def _axis(self, part: Part, default: int) -> int:
        if part.op in ("Softmax", "LogSoftmax", "Hardmax") and self.surgeon.opset >= 13:
            default = -1
        axis = part.attributes.get("axis", default)
        return axis if isinstance(axis, int) else default

    def _not_first(self, axis: int, part: Part) -> None:
        if self._first(axis, next(name for name in part.inputs if name in self.batch)):
            raise TailError(MIXES)

    def _first(self, axis: object, tensor: str) -> bool:
        return not isinstance(axis, int) or axis % max(len(self._shape(tensor)), 1) == 0

    def _values(self, tensor: str) -> tuple[int | float, ...]:
        constant = self.surgeon.constant(tensor)
        values = None if constant is None else inline_values(constant)
        if values is None:
            raise TailError(UNKNOWN)
        return values

    def _shape(self, tensor: str) -> tuple[int, ...]:
        constant = self.surgeon.constant(tensor)
        shape = constant.dims if constant is not None else self.surgeon.shape(tensor)
        if shape is None:
            raise TailError(SHAPES)
        return shape

    def _size(self, tensor: str) -> int:
        shape = self._shape(tensor)
        if not shape:
            raise TailError(MIXES)
        return shape[0]

    def _is_variable(self, tensor: str) -> bool:
        return bool(tensor) and self.surgeon.is_dynamic(tensor)

    def _enters(self, tensor: str, part: Part) -> None:
        readers = self.entering.setdefault(tensor, [])
        if part not in readers:
            readers.append(part)


_HANDLERS: Mapping[str, Callable[[_Trace, Part], None]] = {
    "CastLike": _Trace.cast_like,
    "Concat": _Trace.concat,
    "Expand": _Trace.expand,
    "Gather": _Trace.gather,
    "Gemm": _Trace.gemm,
    "MatMul": _Trace.matmul,
    "Pad": _Trace.pad,
    "Reshape": _Trace.reshape,
    "Resize": _Trace.resize,
    "Slice": _Trace.slice,
    "Squeeze": _Trace.squeeze,
    "Transpose": _Trace.transpose,
    "Unsqueeze": _Trace.unsqueeze,
    "Upsample": _Trace.resize,
}


def tail_behind(surgeon: Surgeon, starts: Sequence[str]) -> Tail:
    """Everything behind the tensors ``starts``, whose axis 0 is the batch. Raises TailError where it is not free."""
    trace = _Trace(surgeon, starts)
    for part in surgeon.parts():
        trace.visit(part)
    return Tail(
        tuple(trace.parts),
        frozenset(trace.batch),
        {tensor: tuple(readers) for tensor, readers in trace.entering.items()},
        tuple(trace.reshapes),
        tuple(trace.resizes),
    )
