"""The checker of the onnx package on a rewritten model, without its weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from auditor.onnxfile.graph import Model, Node, PayloadKind, Tensor
from auditor.onnxfile.limits import DEFAULT_LIMITS
from auditor.onnxfile.tensors import decode_tensor
from auditor.onnxfile.wire import Fields, field
from auditor.rewrite.graph import file

_SMALL = 64 << 10


def objection(reader: file.Reader, pieces: file.Pieces, graph: Iterable[file.Piece], model: Model) -> str | None:
    """What ``onnx.checker`` says against the model with this graph, None where it accepts it.

    Large weights are declared as inputs, so that the cost does not grow with them; what they hold is copied from the
    source and cannot have changed.
    """
    from onnx import checker

    declared = {value.name for value in model.graph.inputs}
    fields = {field.whole: field for field in pieces.graph}
    nodes = _constants(pieces, model)
    body: list[file.Piece] = []
    for piece in graph:
        field = fields.get(piece) if isinstance(piece, file.Span) else None
        tensor = nodes.get(field.whole) if field is not None else None
        if field is not None and field.number == file.INITIALIZER:
            tensor = _weight(reader, field)
        if tensor is None or tensor.payload.kind is PayloadKind.INLINE:
            body.append(piece)
        elif tensor.name not in declared:
            declared.add(tensor.name)
            body.append(_input(tensor))
    data = b"".join(reader.read(piece) for piece in file.assemble(pieces, body))
    try:
        checker.check_model(data)
    except (checker.ValidationError, ValueError) as error:
        return " ".join(str(error).split())
    return None


def _constants(pieces: file.Pieces, model: Model) -> Mapping[file.Span, Tensor]:
    """The values of large Constant nodes, under the names of their outputs."""
    spans = [field.whole for field in pieces.graph if field.number == file.NODE]
    found = {}
    for span, node in zip(spans, model.graph.nodes, strict=True):
        tensor = _value(node)
        if tensor is not None and span.size > _SMALL:
            found[span] = tensor
    return found


def _value(node: Node) -> Tensor | None:
    value = node.attributes.get("value")
    if node.op != "Constant" or not isinstance(value, Tensor) or not node.outputs:
        return None
    return Tensor(node.outputs[0], value.dims, value.dtype, value.payload)


def _weight(reader: file.Reader, field: file.Field) -> Tensor:
    body = reader.whole()
    return decode_tensor(Fields(DEFAULT_LIMITS.max_fields), body, 0, [(field.body.start, field.body.stop)])


def _input(tensor: Tensor) -> bytes:
    from onnx import helper

    value = helper.make_tensor_value_info(tensor.name, tensor.dtype, tensor.dims)
    return field(file.INPUT, value.SerializeToString())
