"""Putting trained weights into the file: the elements of these tensors change, and not one other byte of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.finetune.copy import fill, numbers
from auditor.finetune.result import FinetuneError
from auditor.onnxfile.graph import Model
from auditor.onnxfile.wire import field
from auditor.rewrite.graph import file
from auditor.rewrite.graph.save import Admit, anything, save_edited

if TYPE_CHECKING:
    from onnx import TensorProto

    from auditor.verify.arrays import AnyArray

PROVENANCE = "aliasaudit.finetune"
"""The metadata key that says how the weights were trained."""


def write(
    model: Model,
    trained: Mapping[str, AnyArray],
    target: Path,
    provenance: dict[str, object],
    admit: Admit = anything,
) -> None:
    """Write ``model`` with other elements in the ``trained`` tensors, in their own type.

    The finished file is shown to ``admit`` before it gets its name.

    Raises:
        FinetuneError: a number does not fit the type of its tensor, or a tensor is no more where it was.
        RewriteError, ModelFileError: as :func:`auditor.rewrite.graph.save.save_edited`.
    """

    def edit(pieces: file.Pieces, reader: file.Reader) -> list[file.Piece]:
        from onnx import NodeProto, TensorProto

        result: list[file.Piece] = []
        left = dict(trained)
        nodes = iter(model.graph.nodes)
        for part in pieces.graph:
            node = next(nodes) if part.number == file.NODE else None
            name = node.outputs[0] if node is not None and node.op == "Constant" and node.outputs else ""
            message: NodeProto | TensorProto
            if part.number == file.INITIALIZER:
                message = tensor = TensorProto.FromString(reader.read(part.body))
                name = tensor.name
            elif name in left:
                message = NodeProto.FromString(reader.read(part.body))
                tensor = next(one for one in message.attribute if one.name == "value").t
            if name not in left:
                result.append(part.whole)
                continue
            _replace(tensor, left.pop(name))
            result.append(field(part.number, message.SerializeToString()))
        if left:
            raise FinetuneError("the graph changed while it was read; run the command again")
        return result

    save_edited(model, edit, target, provenance, key=PROVENANCE, admit=admit)


def _replace(tensor: TensorProto, values: AnyArray) -> None:
    import numpy as np

    old = numbers(tensor)
    with np.errstate(over="ignore"):
        new = values.astype(old.dtype)
    if not np.isfinite(new).all():
        raise FinetuneError("a trained weight is too large for its type: give a lower --rate")
    # A parameter that the training left alone keeps its bits, and the tensor the field that they are in.
    if not np.array_equal(old.astype(np.float32), values):
        fill(tensor, new)
