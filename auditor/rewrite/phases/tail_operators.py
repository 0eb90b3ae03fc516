"""Whether single operators treat every picture of a batch alone, and what it takes where they name its size.

Each tensor behind a site is followed with axis 0 as its batch axis. Operators that are not known to keep the batch axis
apart end in a refusal. A Reshape or an Expand to a constant ``[1, ...]`` is patched to copy the size of the batch, one
to a shape that is computed from other tensors takes it from what it reshapes, and so does a Resize to constant sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.parts import EditNode, called
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.phases.operands import FIXED, FOREIGN, MIXES, UNKNOWN, AtNodeError, Operands, Patch, Sized
from auditor.sampling.traits import DOMAINS, Family, traits_of

_RESHAPE_INPUT_SINCE = 5


class TailError(Exception):
    """The batch axis is not free; the message is the reason of a refusal."""


_OF_SHAPES = frozenset(
    {
        "Add",
        "Cast",
        "Concat",
        "Div",
        "Equal",
        "Floor",
        "Gather",
        "Identity",
        "Mul",
        "Reshape",
        "Slice",
        "Squeeze",
        "Sub",
    }
    | {"Sub", "Unsqueeze", "Where"}
)
_OF_SIZES = frozenset({"Expand", "ConstantOfShape"})


class BatchTrace(Operands):
    """Follows the batch axis through nodes in graph order, from the tensors ``starts`` on.

    ``shapes`` are tensors that hold the size of the batch, ``parts`` the nodes that read what is followed, and
    ``sized`` those that name the size.
    """

    def __init__(self, editor: GraphEditor, starts: Iterable[str]) -> None:
        super().__init__(editor, starts)
        self.shapes: set[str] = set()
        self.parts: list[EditNode] = []
        self.sized: list[Sized] = []
        self._mixed: set[str] = set()
        self._neutral: set[str] = set()

    def visit(self, part: EditNode) -> list[str]:
        """Follow the batch through a node. Returns the tensors that are followed from it on.

        Raises:
            TailError: it does not keep the batch apart, or it is not known to.
        """
        try:
            return self._visit(part)
        except AtNodeError as error:
            raise TailError(f"{called(part)} behind it {error}") from error

    def _visit(self, part: EditNode) -> list[str]:
        inside = [name for name in part.inputs if name in self.batch]
        outputs = [name for name in part.outputs if name]
        if not part.domain and self._is_neutral(part, inside):
            self._neutral.update(outputs)
            return outputs
        if not inside and not any(name in self.shapes for name in part.inputs):
            return []
        self.parts.append(part)
        if part.own and inside:
            self.batch.update(outputs)
            return outputs
        if part.domain not in DOMAINS or any(map(self.editor.is_captured, (*inside, *outputs))):
            raise AtNodeError(UNKNOWN)
        if not inside:
            self._of_shapes(part)
        elif part.op == "Shape":
            self.shapes.update(outputs)
        else:
            self._of_batch(part)
            self.batch.update(outputs)
        return outputs

    def _is_neutral(self, part: EditNode, inside: list[str]) -> bool:
        """Whether a node reads nothing that depends on the size of the batch: the type of a map, or its rank."""
        if inside:
            return part.op == "CastLike" and part.inputs[0] not in self.batch
        if part.op in ("Shape", "Size") and part.inputs[0] in self.shapes:
            return True
        known = [name in self._neutral for name in part.inputs if name in self._neutral or self.is_variable(name)]
        return bool(known) and all(known)

    def follows(self, tensor: str) -> bool:
        """Whether a tensor depends on what is followed."""
        return tensor in self.batch or tensor in self.shapes or tensor in self._neutral

    def _of_shapes(self, part: EditNode) -> None:
        if part.op in _OF_SHAPES:
            self.shapes.update(part.outputs)
            # Sizes beside those of the batch may name its size, too, and would not grow with it.
            elsewhere = {name for name in part.inputs if self.is_variable(name)} - self.shapes - self._neutral
            if elsewhere or not self._mixed.isdisjoint(part.inputs):
                self._mixed.update(part.outputs)
        elif part.op in _OF_SIZES and (part.inputs[0] in self.shapes or not self.is_variable(part.inputs[0])):
            if not self._mixed.isdisjoint(part.inputs):
                raise AtNodeError(UNKNOWN)
            self.batch.update(part.outputs)
        else:
            raise AtNodeError(UNKNOWN)

    def _of_batch(self, part: EditNode) -> None:
        traits = traits_of(part.domain, part.op)
        if part.op in _HANDLERS:
            _HANDLERS[part.op](self, part)
        elif traits.family is Family.PAIR:
            self.elementwise(part)
        elif traits.by_picture:
            self.alone(part)
        elif traits.family is Family.REDUCTION and traits.axis is None:
            self._axes(part)
        elif traits.axis is not None:
            self.alone(part)
            self.not_first(self.axis(part, traits.axis), part)
        else:
            raise AtNodeError(UNKNOWN)

    def elementwise(self, part: EditNode) -> None:
        inside = [name for name in part.inputs if name in self.batch]
        rank = max(len(self.shape(name)) for name in inside)
        size = self.size(inside[0])
        for name in part.inputs:
            shape = self.shape(name) if name else ()
            if name in self.batch:
                if len(shape) != rank:
                    raise AtNodeError(MIXES)
            elif len(shape) > rank:
                raise AtNodeError(MIXES)
            elif len(shape) == rank and (shape[0] != 1 or self.is_variable(name)):
                if shape[0] == size:
                    self.enters(name, part)
                elif not self.is_variable(name):
                    raise AtNodeError(FOREIGN)

    def normalised(self, part: EditNode) -> None:
        """A sum of two maps with constants along the channels, normalised along the last axis."""
        maps = part.inputs[:2]
        if any(name in self.batch for name in part.inputs[2:]) or len(self.shape(maps[0])) < 2:
            raise AtNodeError(UNKNOWN)
        for name in maps:
            if name and name not in self.batch:
                if len(self.shape(name)) != len(self.shape(part.outputs[0])):
                    raise AtNodeError(UNKNOWN)
                self.enters(name, part)

    def cast_like(self, part: EditNode) -> None:
        """The second input gives its type alone."""

    def concat(self, part: EditNode) -> None:
        self.not_first(self.axis(part, 1), part)
        size = self.size(next(name for name in part.inputs if name in self.batch))
        for name in part.inputs:
            if name not in self.batch:
                if self.shape(name)[:1] != (size,):
                    raise AtNodeError(FOREIGN)
                self.enters(name, part)

    def transpose(self, part: EditNode) -> None:
        order = part.attributes.get("perm")
        if not isinstance(order, tuple) or not order or order[0] != 0:
            raise AtNodeError(MIXES)

    def gather(self, part: EditNode) -> None:
        self.alone(part)
        self.not_first(self.axis(part, 0), part)

    def slice(self, part: EditNode) -> None:
        self.alone(part)
        axes: object
        if "starts" in part.attributes:
            starts = part.attributes["starts"]
            axes = part.attributes.get("axes") or tuple(range(len(starts) if isinstance(starts, tuple) else 0))
        elif len(part.inputs) > 3 and part.inputs[3]:
            axes = self.values(part.inputs[3])
        else:
            axes = (0,)
        if not isinstance(axes, tuple) or any(self.first(axis, part.inputs[0]) for axis in axes):
            raise AtNodeError(MIXES)

    def pad(self, part: EditNode) -> None:
        self.alone(part)
        if len(part.inputs) > 3 and part.inputs[3]:
            axes = self.values(part.inputs[3])
            if any(self.first(axis, part.inputs[0]) for axis in axes):
                raise AtNodeError(MIXES)
            return
        pads = part.attributes.get("pads", part.attributes.get("paddings"))
        values = pads if isinstance(pads, tuple) else self.values(part.inputs[1]) if len(part.inputs) > 1 else ()
        if not values or values[0] or values[len(values) // 2]:
            raise AtNodeError(MIXES)

    def tile(self, part: EditNode) -> None:
        self.alone(part)
        repeats = self.values(part.inputs[1]) if len(part.inputs) > 1 else ()
        if not repeats or repeats[0] != 1 or len(repeats) != len(self.shape(part.inputs[0])):
            raise AtNodeError(MIXES)

    def cumulative(self, part: EditNode) -> None:
        self.alone(part)
        axes = self.values(part.inputs[1])
        if not axes or self.first(axes[0], part.inputs[0]):
            raise AtNodeError(MIXES)

    def triangle(self, part: EditNode) -> None:
        self.alone(part)
        if len(self.shape(part.inputs[0])) < 3:
            raise AtNodeError(MIXES)

    def resize(self, part: EditNode) -> None:
        if part.inputs[0] not in self.batch:
            raise AtNodeError(UNKNOWN)
        if self.shape(part.outputs[0])[:1] != self.shape(part.inputs[0])[:1]:
            raise AtNodeError(MIXES)
        if len(part.inputs) < 4 or not part.inputs[3]:
            return
        sizes = part.inputs[3]
        axes = part.attributes.get("axes")
        if axes:
            if not isinstance(axes, tuple) or any(self.first(axis, part.inputs[0]) for axis in axes):
                raise AtNodeError(FOREIGN)
        else:
            self._named(part, 3, sizes, Patch.FIRST)

    def _named(self, part: EditNode, place: int, sizes: str, patch: Patch) -> None:
        """Sizes of all axes, the batch first: computed ones that the phases do not change are computed anew."""
        constant = self.editor.constant(sizes)
        values = None if constant is None else inline_values(constant)
        if values is not None:
            self.sized.append(Sized(part, place, patch, tuple(int(value) for value in values)))
        elif sizes in self._mixed or sizes not in self.shapes:
            self.sized.append(Sized(part, place, Patch.COMPUTED))

    def expand(self, part: EditNode) -> None:
        """A 1 in the place of the batch leaves its size."""
        if part.inputs[0] not in self.batch:
            raise AtNodeError(UNKNOWN)
        sizes, given = part.inputs[1], self.shape(part.inputs[0])
        if self.shape(part.outputs[0])[:1] != given[:1] or len(self.shape(part.outputs[0])) != len(given):
            raise AtNodeError(MIXES)
        constant = self.editor.constant(sizes)
        values = None if constant is None else inline_values(constant)
        if values is None:
            self._named(part, 1, sizes, Patch.COMPUTED)
        elif len(values) == len(given) and values[0] != 1:
            self.sized.append(Sized(part, 1, Patch.CONSTANT, (1, *map(int, values[1:]))))

    def squeeze(self, part: EditNode) -> None:
        axes = self.listed(part)
        if not axes or any(self.first(axis, part.inputs[0]) for axis in axes):
            raise AtNodeError(MIXES)

    def unsqueeze(self, part: EditNode) -> None:
        axes = self.listed(part)
        if not axes or any(self.first(axis, part.outputs[0]) for axis in axes):
            raise AtNodeError(MIXES)

    def reshape(self, part: EditNode) -> None:
        if part.inputs[0] not in self.batch:
            raise AtNodeError(UNKNOWN)
        size = self.size(part.inputs[0])
        if self.shape(part.outputs[0])[:1] != (size,):
            raise AtNodeError(FIXED)
        old = part.attributes.get("shape") if self.editor.opset < _RESHAPE_INPUT_SINCE else None
        wanted: tuple[object, ...] | None = old if isinstance(old, tuple) else ()
        if not isinstance(old, tuple) and len(part.inputs) > 1:
            constant = self.editor.constant(part.inputs[1])
            wanted = None if constant is None else inline_values(constant)
        if wanted is None:
            self._named(part, 1, part.inputs[1], Patch.COMPUTED)
            return
        shape = tuple(int(value) for value in wanted if isinstance(value, (int, float)))
        if not shape or (part.attributes.get("allowzero") and 0 in shape):
            raise AtNodeError(FIXED)
        if shape[0] > 0:
            self.sized.append(Sized(part, 1, Patch.CONSTANT, (0, *shape[1:])))

    def gemm(self, part: EditNode) -> None:
        self.alone(part)
        if part.attributes.get("transA"):
            raise AtNodeError(MIXES)
        added = self.shape(part.inputs[2]) if len(part.inputs) > 2 and part.inputs[2] else ()
        if len(added) > 1 and added[0] != 1:
            raise AtNodeError(FOREIGN)

    def matmul(self, part: EditNode) -> None:
        left, right = (self.shape(name) for name in part.inputs[:2])
        both = all(name in self.batch for name in part.inputs[:2])
        if both and len(left) == len(right) >= 3:
            return
        broadcast = (
            len(right) <= 2 or len(right) < len(left) or (right[0] == 1 and not self.is_variable(part.inputs[1]))
        )
        if part.inputs[0] in self.batch and part.inputs[1] not in self.batch and len(left) >= 2 and broadcast:
            return
        if len(left) == len(right) >= 3 and left[0] == right[0]:
            (other,) = (name for name in part.inputs[:2] if name not in self.batch)
            self.enters(other, part)
            return
        raise AtNodeError(UNKNOWN)

    def einsum(self, part: EditNode) -> None:
        """One letter stands for the batch: first in every operand that has it, and in the result."""
        equation = part.attributes.get("equation")
        terms, arrow, result = (equation if isinstance(equation, str) else "").replace(" ", "").partition("->")
        operands = terms.split(",")
        if not arrow or "." in terms or len(operands) != len(part.inputs) or not result:
            raise AtNodeError(UNKNOWN)
        letter = result[0]
        for name, term in zip(part.inputs, operands, strict=True):
            if (name in self.batch) != term.startswith(letter) or letter in term[1:]:
                raise AtNodeError(MIXES)
        if letter in result[1:]:
            raise AtNodeError(MIXES)

    def attention(self, part: EditNode) -> None:
        """Tokens of the batch see each other picture by picture: queries, keys and values are all of the batch."""
        own = part.inputs[:1] if part.domain and part.op == "Attention" else part.inputs[:3]
        rest = part.inputs[len(own) :]
        if any(name and name not in self.batch for name in own) or any(map(self.is_variable, rest)):
            raise AtNodeError(UNKNOWN)

    def paired(self, part: EditNode) -> None:
        """Operators that look in one tensor at places that another one gives, picture by picture."""
        size = self.size(next(name for name in part.inputs if name in self.batch))
        for place, name in enumerate(part.inputs):
            if name and name not in self.batch and (self.is_variable(name) or (place < 2 and part.op != "DeformConv")):
                if self.shape(name)[:1] != (size,):
                    raise AtNodeError(FOREIGN)
                self.enters(name, part)
        if part.inputs[0] not in self.batch and not self.is_variable(part.inputs[0]):
            raise AtNodeError(UNKNOWN)

    def _axes(self, part: EditNode) -> None:
        if part.inputs[0] not in self.batch:
            raise AtNodeError(UNKNOWN)
        axes = self.listed(part)
        if not axes or any(self.first(axis, part.inputs[0]) for axis in axes):
            raise AtNodeError(MIXES)


_HANDLERS: Mapping[str, Callable[[BatchTrace, EditNode], None]] = {
    "Attention": BatchTrace.attention,
    "CastLike": BatchTrace.cast_like,
    "Concat": BatchTrace.concat,
    "CumProd": BatchTrace.cumulative,
    "CumSum": BatchTrace.cumulative,
    "DeformConv": BatchTrace.paired,
    "Einsum": BatchTrace.einsum,
    "Expand": BatchTrace.expand,
    "FusedGemm": BatchTrace.gemm,
    "FusedMatMul": BatchTrace.matmul,
    "Gather": BatchTrace.gather,
    "GatherElements": BatchTrace.paired,
    "Gemm": BatchTrace.gemm,
    "GridSample": BatchTrace.paired,
    "MatMul": BatchTrace.matmul,
    "MultiHeadAttention": BatchTrace.attention,
    "PRelu": BatchTrace.elementwise,
    "Pad": BatchTrace.pad,
    "Reshape": BatchTrace.reshape,
    "Resize": BatchTrace.resize,
    "SkipLayerNormalization": BatchTrace.normalised,
    "SkipSimplifiedLayerNormalization": BatchTrace.normalised,
    "Slice": BatchTrace.slice,
    "Squeeze": BatchTrace.squeeze,
    "Tile": BatchTrace.tile,
    "Transpose": BatchTrace.transpose,
    "Trilu": BatchTrace.triangle,
    "Unsqueeze": BatchTrace.unsqueeze,
    "Upsample": BatchTrace.resize,
}
