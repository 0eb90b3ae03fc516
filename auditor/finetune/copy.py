"""The copy of a model that a converter library reads: the same function in float32, in the forms such libraries know.

Nothing of the copy is ever written: what is learnt goes back into the source by the names of its weights. What is
rewritten here in passing (declared operator set, element types, Dropout) is checked afterwards by running both.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.finetune.result import FinetuneError
from auditor.onnxfile import walk
from auditor.onnxfile.dtypes import DataType
from auditor.onnxfile.graph import Model, Node, PayloadKind, Tensor
from auditor.onnxfile.weights import read_tensor

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

    from auditor.verify.arrays import AnyArray

OLDEST, NEWEST = 9, 17
"""The declared operator sets that the converter knows. Operators of 7 and 8 mean in 9 what they meant; later ones than
17 that changed their form are refused by name."""

_OLDEST_READABLE = 7  # up to 6, broadcasting had other rules
_MOST_BYTES = 1 << 31  # one protobuf message
_TRAINED_TYPES = frozenset({int(DataType.FLOAT), int(DataType.FLOAT16)})
_WEIGHTED: dict[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (1, 2),
    "MatMul": (0, 1),
    "Add": (0, 1),
    "Mul": (0, 1),
    "BatchNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "PRelu": (1,),
}
"""Operators with weights, and the places of these among their inputs. The statistics of a batch norm are no weights."""

_QUANTISED = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})
_QUANTISED_MARKS = ("QLinear", "Integer")


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor to train, as it stands in the source: an initializer, or the value of a Constant node.

    ``values`` are float32 whatever the file holds.
    """

    tensor: Tensor
    values: AnyArray


def weights(model: Model) -> tuple[dict[str, Weight], int]:
    """The weights to train by name, in the order in which the graph reads them, and how many are left as they are.

    Left as they are: weights with several readers, single numbers, and fixed filters. A depthwise kernel that is the
    same for every channel is one: no training makes it, and a blur that is trained is none any more.
    """
    constants = {**model.graph.initializers, **_constants(model)}
    readers = Counter(name for node in model.graph.nodes for name in node.inputs)
    outputs = {value.name for value in model.graph.outputs}
    found: dict[str, Weight] = {}
    left: set[str] = set()
    for node in model.graph.nodes:
        for place in _WEIGHTED.get(node.op, ()) if node.domain in ("", "ai.onnx") else ():
            tensor = constants.get(node.inputs[place]) if place < len(node.inputs) else None
            if tensor is None or tensor.dtype not in _TRAINED_TYPES or tensor.elements < 2:
                continue
            name = node.inputs[place]
            values = read_tensor(model, tensor, _MOST_BYTES)
            if values is None or readers[name] > 1 or name in outputs or (place == 1 and _is_filter(node, values)):
                left.add(name)
            else:
                found[name] = Weight(tensor, values.astype("float32"))
    return found, len(left - set(found))


def _constants(model: Model) -> dict[str, Tensor]:
    return {
        node.outputs[0]: value
        for node in model.graph.nodes
        if node.op == "Constant" and node.outputs and isinstance(value := node.attributes.get("value"), Tensor)
    }


def _is_filter(node: Node, values: AnyArray) -> bool:
    """Whether a kernel (channels, 1, taps, ...) filters every channel alike."""
    if node.op != "Conv" or values.ndim < 3 or values.shape[1] != 1 or node.attributes.get("group", 1) == 1:
        return False
    return values[0].size > 1 and bool((values == values[:1]).all())


def refuse_untrainable(model: Model) -> None:
    """Raises FinetuneError for a graph whose training this program does not attempt."""
    if model.functions:
        raise FinetuneError("the model has local functions, which no converter reads: inline them first")
    for scope, node in walk(model):
        if node.op in _QUANTISED or any(mark in node.op for mark in _QUANTISED_MARKS):
            raise FinetuneError("the graph is quantised: fine-tune the float model, and quantise the result")
        if scope:
            raise FinetuneError("the model has sub-graphs (If, Loop, Scan), which the converter does not read")
    tensors = (*model.graph.initializers.values(), *_constants(model).values())
    if any(tensor.payload.kind is PayloadKind.EXTERNAL for tensor in tensors):
        raise FinetuneError("the weights lie in external files: save the model as one file first")
    if model.file_bytes >= _MOST_BYTES:
        raise FinetuneError("the model is larger than 2 GB")
    opset = model.opsets.get("", 1)
    if opset < _OLDEST_READABLE:
        raise FinetuneError(f"the model is of operator set {opset}: at least {_OLDEST_READABLE} is needed")


def training_copy(model: Model, output: str) -> ModelProto:
    """The copy, with one output.

    Constants are initializers, half precision is single, Dropout (which does nothing outside of training) is Identity,
    and the declared operator set is one that the converter knows.

    Raises:
        FinetuneError: the file changed, or an operator has no form in a set that the converter knows.
    """
    import onnx

    try:
        copy: ModelProto = onnx.ModelProto.FromString(model.source.read_bytes())
    except Exception as error:
        raise FinetuneError("the model cannot be read any more; run the command again") from error
    graph = copy.graph
    nodes = []
    for node in graph.node:
        value = node.attribute[0] if node.op_type == "Constant" and len(node.attribute) == 1 else None
        if value is not None and value.name == "value":
            tensor = graph.initializer.add()
            tensor.CopyFrom(value.t)
            tensor.name = node.output[0]
            continue
        if node.op_type == "Dropout":
            node.op_type = "Identity"
            del node.attribute[:], node.input[1:], node.output[1:]
        nodes.append(node)
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
    stored = {tensor.name for tensor in graph.initializer}
    given = [value for value in graph.input if value.name not in stored]
    wanted = [value for value in graph.output if value.name == output]
    del graph.input[:], graph.output[:], graph.value_info[:], graph.quantization_annotation[:]
    graph.input.extend(given)
    graph.output.extend(wanted)
    _widen(copy)
    # Since IR 4 initializers need not be inputs.
    copy.ir_version = max(copy.ir_version, 4)
    for declared in copy.opset_import:
        if declared.domain in ("", "ai.onnx"):
            declared.version = min(max(declared.version, OLDEST), NEWEST)
    _axes_as_attributes(copy)
    _refuse_new_forms(copy)
    return copy


def _refuse_new_forms(copy: ModelProto) -> None:
    """Later operator sets differ from :data:`NEWEST` in more inputs and attributes, which its checker does not know."""
    from onnx import checker

    context = checker.C.CheckerContext()
    context.ir_version = copy.ir_version
    context.opset_imports = {declared.domain: declared.version for declared in copy.opset_import}
    for node in copy.graph.node:
        try:
            checker.check_node(node, context)
        except (checker.ValidationError, ValueError) as error:
            raise FinetuneError(
                f"an operator has no form in operator set {NEWEST}, the last that the converter knows", node.op_type
            ) from error


def _widen(copy: ModelProto) -> None:
    """Single precision for half."""
    from onnx import TensorProto

    for value in (*copy.graph.input, *copy.graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for tensor in copy.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            fill(tensor, numbers(tensor).astype("float32"))
    for node in copy.graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
            elif attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT16:
                fill(attribute.t, numbers(attribute.t).astype("float32"))


def _axes_as_attributes(copy: ModelProto) -> None:
    """The axes of reductions, an input since operator set 18, as the attribute that they were."""
    from onnx import helper

    stored = {tensor.name: tensor for tensor in copy.graph.initializer}
    for node in copy.graph.node:
        reduces = node.op_type.startswith("Reduce") and node.op_type != "ReduceSum"
        if reduces and len(node.input) == 2 and node.input[1] in stored:
            axes = numbers(stored[node.input[1]])
            del node.input[1:]
            node.attribute.append(helper.make_attribute("axes", [int(axis) for axis in axes.ravel()]))


def numbers(tensor: TensorProto) -> AnyArray:
    """The elements of a tensor whose data lies in it."""
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)  # noqa: TID251 - external data was refused, so no other file is read


def fill(tensor: TensorProto, values: AnyArray) -> None:
    """Give a tensor other elements, in the type of ``values``; name, documentation and whatever else it has stay."""
    from onnx import numpy_helper

    made = numpy_helper.from_array(values.reshape(tuple(tensor.dims)))
    for field in ("float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
        tensor.ClearField(field)
    tensor.data_type = made.data_type
    tensor.raw_data = made.raw_data
