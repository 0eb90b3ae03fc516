"""The main graph while it is edited: nodes with their producers and consumers, and the fields to write at the end.

The graph is navigated and edited on the weightless skeleton of :mod:`auditor.onnxfile`; onnx-graphsurgeon builds what
is inserted (:mod:`auditor.rewrite.graph.blocks`). The whole model never goes through a graphsurgeon import and export:
that loses documentation and metadata of models, nodes, values and functions, quantisation annotations, training
information and unused initializers, moves weights into branches, and holds the file four times in memory. Instead the
edited nodes are spliced into the bytes of the source, where everything else stays as it is, down to fields that nobody
here knows.

A tensor's name never changes its meaning: where a rewrite changes what a tensor holds, the tensor gets a new name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from auditor.onnxfile import walk
from auditor.onnxfile.graph import Model, Tensor
from auditor.onnxfile.noderef import NodeRef
from auditor.onnxfile.wire import field
from auditor.rewrite.graph import file
from auditor.rewrite.graph.arity import check_arity
from auditor.rewrite.graph.changed import node_changes
from auditor.rewrite.graph.parts import EditNode, Joint, captures, holds_graph
from auditor.rewrite.result import Change, RewriteError
from auditor.sampling.result import Analysis, Lattice, Site

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import NodeProto, TensorProto

Kept = TypeVar("Kept")

PROVENANCE = "aliasaudit.fix"
"""The metadata key that says where a node comes from."""

_NODE_METADATA_SINCE = 10
_OPTIONAL_INPUTS_SINCE = 4


class GraphEditor:
    """Edits the main graph of one model. ``analysis`` is that of the unedited model; ``recorded`` goes into metadata.

    Raises RewriteError for a model whose nodes have too few or too many inputs or outputs.
    """

    def __init__(self, model: Model, analysis: Analysis) -> None:
        check_arity(model)
        self.model = model
        self.analysis = analysis
        self.opset = model.opsets.get("", 1)
        self.note = ""
        self.joints: list[Joint] = []
        self.recorded: dict[str, object] = {}
        self._resized: dict[str, dict[int, int]] = {}
        self._tensors: list[TensorProto] = []
        self._constants: dict[str, Tensor] = {}
        self._dropped: set[str] = set()
        self._freed: set[str] = set()
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._replaced: dict[str, str] = {}
        self._slots: list[list[EditNode]] = []
        self._producers: dict[str, EditNode] = {}
        self._consumers: dict[str, dict[EditNode, None]] = {}
        self._captured: set[str] = set()
        self._remembered: dict[str, object] = {}
        self._removed: list[EditNode] = []
        self._outputs = {value.name for value in model.graph.outputs}
        self._names = {*model.graph.initializers, *(value.name for value in model.graph.inputs)}
        for node in model.graph.nodes:
            part = EditNode(
                node.name, node.op, node.domain, list(node.inputs), list(node.outputs), node.attributes, node.index
            )
            part.slot = [part]
            self._slots.append(part.slot)
            self._index(part)
            self._captured.update(captures(node))
            if node.op == "Constant" and isinstance(value := node.attributes.get("value"), Tensor) and node.outputs:
                self._constants[node.outputs[0]] = value
        self._places = {order: node.index for order, (scope, node) in enumerate(walk(model)) if not scope}
        self._dynamic = self.downstream([value.name for value in model.graph.inputs])

    def remembered(self, what: str, make: Callable[[], Kept]) -> Kept:
        """What was found out about the graph as it is, made by ``make`` at first; forgotten with the next edit."""
        if what not in self._remembered:
            self._remembered[what] = make()
        return cast("Kept", self._remembered[what])

    def order(self) -> tuple[Sequence[EditNode], Mapping[EditNode, int]]:
        """All nodes in graph order, and the place of each."""

        def ordered() -> tuple[Sequence[EditNode], Mapping[EditNode, int]]:
            parts = tuple(self.parts())
            return parts, {part: place for place, part in enumerate(parts)}

        return self.remembered("order", ordered)

    def parts(self) -> Iterator[EditNode]:
        """All nodes in graph order."""
        for slot in self._slots:
            yield from slot

    def part(self, site: Site) -> EditNode | None:
        """The main graph's node of a site, None for one in a sub-graph or a function."""
        return self.at(site.node)

    def at(self, node: NodeRef) -> EditNode | None:
        """The main graph's node that the analysis speaks of, None for one in a sub-graph or a function."""
        index = self._places.get(node.order)
        if index is None or node.scope:
            return None
        return next((part for part in self._slots[index] if part.index == index), None)

    def producer(self, tensor: str) -> EditNode | None:
        """The node that computes a tensor, None for inputs and initializers."""
        return self._producers.get(tensor)

    def consumers(self, tensor: str) -> tuple[EditNode, ...]:
        """The nodes that read a tensor."""
        return tuple(self._consumers.get(tensor, ()))

    def is_output(self, tensor: str) -> bool:
        """Whether the tensor is an output of the model."""
        return tensor in self._outputs

    def is_captured(self, tensor: str) -> bool:
        """Whether a sub-graph reads the tensor, or one of its own that has the same name."""
        return tensor in self._captured

    def constant(self, tensor: str) -> Tensor | None:
        """The initializer or the value of the Constant node of that name."""
        return self._constants.get(tensor) or self.model.graph.initializers.get(tensor)

    def is_dynamic(self, tensor: str) -> bool:
        """Whether a tensor depends on what the model is fed."""
        return tensor in self._dynamic

    def lattices(self, tensor: str) -> tuple[Lattice | None, ...] | None:
        """The lattice of every axis of a tensor of the source, None where the analysis lost it.

        A tensor that took the place of another one has the lattice of that one.
        """
        return self.analysis.tensors.get(self._replaced.get(tensor, tensor))

    def folded(self, tensor: str) -> frozenset[int]:
        """The source axes whose samples share axes of the tensor with others, as in flattened tokens."""
        return self.analysis.folded.get(self._replaced.get(tensor, tensor), frozenset())

    def shape(self, tensor: str) -> tuple[int, ...] | None:
        """The shape of a tensor at the sizes of the analysis, None where it is not known."""
        if tensor in self._shapes:
            return self._shapes[tensor]
        return self.analysis.shapes.get(tensor)

    def has_fixed_size(self, tensor: str) -> bool:
        """Whether the sizes of the grid axes do not depend on an input size that the file leaves open."""
        lattices = self.lattices(tensor)
        return lattices is not None and not any(
            lattice is not None and self.analysis.sources[lattice.source].assumed for lattice in lattices
        )

    def downstream(self, tensors: Iterable[str]) -> set[str]:
        """All tensors that depend on the given ones, these included."""
        reached = {name for name in tensors if name not in self.model.graph.initializers}
        for used, outputs in self.remembered("flow", self._flow):
            if not reached.isdisjoint(used):
                reached.update(outputs)
        return reached

    def fresh(self, name: str) -> str:
        """A name that no tensor of the graph has: the given one, or one with a number behind it."""
        found, count = name, 1
        while found in self._names or found in self._producers or found in self._captured:
            count += 1
            found = f"{name}_{count}"
        self._names.add(found)
        return found

    def set_attribute(self, part: EditNode, name: str, value: int | str | tuple[int, ...] | None) -> None:
        """Set an attribute, or remove it (None)."""
        old = part.attributes.get(name)
        if old == value:
            return
        part.assigned[name] = value
        attributes = {key: kept for key, kept in part.attributes.items() if key != name}
        part.attributes = attributes if value is None else {**attributes, name: value}
        self._edited(part, f"{name} removed" if value is None else f"{name} = {_shown(value)}")

    def replace_input(self, part: EditNode, old: str, new: str, place: int | None = None) -> None:
        """Let a node read another tensor, in every place or in one."""
        part.inputs[:] = [
            new if name == old and place in (None, index) else name for index, name in enumerate(part.inputs)
        ]
        if old not in part.inputs:
            self._consumers.get(old, {}).pop(part, None)
        self._consumers.setdefault(new, {})[part] = None
        self._edited(part, "reads another tensor")

    def move_output(self, part: EditNode, old: str, new: str) -> None:
        """Give the tensor that a node writes another name, for this node only; its readers keep the old name."""
        part.outputs[:] = [new if name == old else name for name in part.outputs]
        self.stands_for(new, old, self.shape(old))
        self._producers.pop(old, None)
        self._producers[new] = part
        if old in self._dynamic:
            self._dynamic.add(new)
        self._edited(part, "writes another tensor")

    def stands_for(self, new: str, old: str, shape: tuple[int, ...] | None) -> None:
        """Say that a new tensor has the grid of another one, and this shape at the batch size of the analysis."""
        self._replaced[new] = self._replaced.get(old, old)
        if shape is not None:
            self._shapes[new] = shape

    def resize_input(self, name: str, sizes: Mapping[int, int]) -> None:
        """Let an input of the model have other sizes on some axes; those that the file leaves open stay open."""
        self._resized[name] = dict(sizes)

    def drop_value_info(self, tensors: Iterable[str]) -> None:
        """Leave out the recorded types of tensors that no longer exist or have another shape."""
        self._dropped.update(tensors)

    def add(
        self,
        nodes: Sequence[NodeProto],
        tensors: Sequence[TensorProto],
        anchor: EditNode,
        *,
        after: bool,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
    ) -> list[EditNode]:
        """Insert nodes, in their order, directly in front of or behind ``anchor``; ``tensors`` are their constants."""
        from onnx import helper

        made: list[NodeProto] = []
        for tensor in tensors:
            if self.model.ir_version < _OPTIONAL_INPUTS_SINCE:
                # Up to IR 3 every initializer must be an input of the model, and inputs stay as they are.
                made.append(helper.make_node("Constant", [], [tensor.name], tensor.name, value=tensor))
            else:
                self._tensors.append(tensor)
        self._remembered.clear()
        place = anchor.slot.index(anchor) + (1 if after else 0)
        while after and place < len(anchor.slot) and anchor.slot[place].index is None:
            place += 1
        added = []
        for proto in (*made, *nodes):
            part = EditNode(proto.name, proto.op_type, proto.domain, [*proto.input], [*proto.output], {}, None, proto)
            part.note = self.note
            part.slot = anchor.slot
            anchor.slot.insert(place, part)
            place += 1
            self._index(part)
            if proto.op_type != "Constant":
                self._dynamic.update(part.outputs)
                part.details.append(self.note)
            added.append(part)
        self._shapes.update(shapes or {})
        return added

    def changes(self) -> tuple[Change, ...]:
        """What was done so far, node by node in graph order; what was removed comes last."""
        return node_changes(self.parts(), self._removed, self.note)

    def remove(self, part: EditNode) -> None:
        """Take a node out. Nothing may read what it writes any more, or another node writes it now."""
        self._remembered.clear()
        part.slot.remove(part)
        if part.index is not None:
            self._removed.append(part)
        for name in part.inputs:
            self._consumers.get(name, {}).pop(part, None)
        for name in part.outputs:
            if self._producers.get(name) is part:
                del self._producers[name]
        self._free(part.inputs)

    def set_inputs(self, part: EditNode, names: Sequence[str]) -> None:
        """Let a node read other tensors. Constants that nothing reads any more leave the graph."""
        before = [name for name in part.inputs if name]
        for name in before:
            self._consumers.get(name, {}).pop(part, None)
        part.inputs[:] = names
        for name in names:
            if name:
                self._consumers.setdefault(name, {})[part] = None
        self._free(before)
        self._edited(part, "reads other weights")

    def set_constant(self, name: str, values: NDArray[np.generic]) -> None:
        """Give a constant that this rewrite inserted other values; shape and type stay."""
        from onnx import helper, numpy_helper

        tensor = next((tensor for tensor in self._tensors if tensor.name == name), None)
        if tensor is None:
            proto = self._producers[name].proto
            assert proto is not None
            tensor = proto.attribute[0].t
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        tensor.CopyFrom(numpy_helper.from_array(values.reshape(tuple(tensor.dims)).astype(dtype), name))

    def graph_pieces(self, pieces: file.Pieces, reader: file.Reader) -> list[file.Piece]:
        """The fields of the edited graph: those of the source, with edited and new nodes in their places."""
        # An initializer that is an input, too, has to stay: the input would have to be fed.
        inputs = {value.name for value in self.model.graph.inputs}
        gone = {name for name in self._freed - inputs if not self._consumers.get(name)}
        left_out = (file.VALUE_INFO, file.VALUE_NAME, self._dropped), (file.INITIALIZER, file.TENSOR_NAME, gone)
        result: list[file.Piece] = []
        index = 0
        for part in pieces.graph:
            if part.number == file.NODE:
                for node in self._slots[index]:
                    if node.index is not None and not node.edited:
                        result.append(part.whole)
                    else:
                        result.append(field(file.NODE, self._encoded(node, part, reader)))
                index += 1
            elif part.number == file.INPUT and (name := reader.text(part.body, file.VALUE_NAME)) in self._resized:
                result.append(field(file.INPUT, file.resized(reader.read(part.body), self._resized[name])))
            elif not any(
                part.number == number and names and reader.text(part.body, place) in names
                for number, place, names in left_out
            ):
                result.append(part.whole)
        if index != len(self._slots):
            raise RewriteError("the graph changed while it was read; run the command again")
        result.extend(field(file.INITIALIZER, tensor.SerializeToString()) for tensor in self._tensors)
        return result

    def _encoded(self, node: EditNode, source: file.Field, reader: file.Reader) -> bytes:
        from onnx import NodeProto, helper

        if node.index is None:
            assert node.proto is not None
            proto = node.proto
        else:
            proto = NodeProto.FromString(reader.read(source.body))
        # New nodes can be edited too, by the rewrite of a site in front of them.
        if list(proto.input) != node.inputs:
            del proto.input[:]
            proto.input.extend(node.inputs)
        if list(proto.output) != node.outputs:
            del proto.output[:]
            proto.output.extend(node.outputs)
        for name, value in node.assigned.items():
            kept = [attribute for attribute in proto.attribute if attribute.name != name]
            del proto.attribute[:]
            proto.attribute.extend(kept)
            if value is not None:
                proto.attribute.append(helper.make_attribute(name, value))
        if self.model.ir_version >= _NODE_METADATA_SINCE and node.op != "Constant":
            entry = next((entry for entry in proto.metadata_props if entry.key == PROVENANCE), None)
            entry = proto.metadata_props.add(key=PROVENANCE) if entry is None else entry
            entry.value = node.note
        return bytes(proto.SerializeToString())

    def _free(self, tensors: Iterable[str]) -> None:
        """Let go of constants that nothing reads. Those of the source come back where something reads them again."""
        constants = {name for name in tensors if not self._consumers.get(name) and name not in self._dynamic}
        self._tensors = [tensor for tensor in self._tensors if tensor.name not in constants]
        for name in constants:
            holder = self._producers.get(name)
            if holder is not None and holder.index is None:
                holder.slot.remove(holder)
                del self._producers[name]
            elif not self.is_output(name) and not self.is_captured(name):
                self._freed.add(name)

    def _index(self, part: EditNode) -> None:
        for name in part.inputs:
            if name:
                self._consumers.setdefault(name, {})[part] = None
        for name in part.outputs:
            if name:
                self._producers[name] = part

    def _edited(self, part: EditNode, what: str) -> None:
        self._remembered.clear()
        part.edited = True
        if what not in part.details:
            part.details.append(what)
        part.note = self.note

    def _flow(self) -> list[tuple[Collection[str], list[str]]]:
        """What every node reads, its sub-graphs included, and what it computes, in graph order."""
        flow = []
        for part in self.parts():
            used: Collection[str] = part.inputs
            if part.index is not None and any(holds_graph(value) for value in part.attributes.values()):
                used = [*part.inputs, *captures(self.model.graph.nodes[part.index])]
            flow.append((used, [name for name in part.outputs if name]))
        return flow


def _shown(value: int | str | tuple[int, ...]) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
