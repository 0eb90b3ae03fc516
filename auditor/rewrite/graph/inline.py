"""Models whose local functions are put in the place of their calls, so that the nodes inside them can be rewritten.

Exporters that keep modules as functions (torch.onnx with ``dynamo`` and ``export_modules_as_functions``) leave strided
operators inside of them. The plain graph computes the same, with the same inputs, outputs and weights; the attributes
of a call are resolved. Where all sizes of the inputs are fixed, Ifs that then always take the same branch become that
branch. Other sub-graphs stay as they are, and so do files of external data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from auditor._version import __version__
from auditor.onnxfile import read_model, walk
from auditor.onnxfile.graph import Attribute, Graph, Model, PayloadKind, Tensor
from auditor.onnxfile.limits import DEFAULT_LIMITS, Limits
from auditor.rewrite.graph.branches import splice
from auditor.rewrite.result import RewriteError
from auditor.sampling import analyse
from auditor.unfinished import spare_file

if TYPE_CHECKING:
    from onnx import ModelProto

MOST_BYTES = 1 << 30
"""The largest file that is inlined: unlike a rewrite, this takes the whole of it into memory several times."""

METADATA = "aliasaudit.inlined"


@contextmanager
def inlined(model: Model, limits: Limits = DEFAULT_LIMITS) -> Iterator[Model]:
    """A copy of the model without local functions, gone when the context ends; the model itself where it has none.

    The copy lies among temporary files, or hidden beside the model where external data has to be found.

    Raises:
        RewriteError: The model is too large, its functions follow other opsets than it, or there is no room.
        ModelFileError: Functions call themselves, or expand beyond ``limits``.
    """
    if not model.functions:
        yield model
        return
    folder = model.source.resolve().parent if _has_external_data(model, limits) else None
    plain = _without_functions(model)
    with _written(plain, folder) as place:
        copy = read_model(place, limits)
        live = analyse(copy, limits=limits).live if _is_fixed(copy) else {}
        if not live:
            yield copy
            return
        splice(plain.graph, copy.graph, live)
    with _written(plain, folder) as place:
        yield read_model(place, limits)


@contextmanager
def _written(proto: ModelProto, folder: Path | None) -> Iterator[Path]:
    """A model as a file, in ``folder`` or where temporary files go."""
    with ExitStack() as stack:
        try:
            handle, place = stack.enter_context(spare_file(folder, ".onnx"))
            with open(handle, "wb") as copy:  # noqa: PTH123 - a descriptor has no path
                copy.write(proto.SerializeToString())
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is too large"
            raise RewriteError(f"the inlined model cannot be written: {reason or error}") from error
        yield place


def _is_fixed(model: Model) -> bool:
    """Whether the file gives every size of every input."""
    inputs = [value for value in model.graph.inputs if value.name not in model.graph.initializers]
    return all(
        value.dims is not None and all(isinstance(dim, int) and dim > 0 for dim in value.dims) for value in inputs
    )


def _has_external_data(model: Model, limits: Limits) -> bool:
    """Whether any tensor lies in a file beside the model; also counts what the calls of functions expand to."""
    graphs = [model.graph]
    values: list[Attribute] = []
    for _, node in walk(model, limits):
        for value in node.attributes.values():
            values += value if isinstance(value, tuple) else (value,)
    graphs += [value for value in values if isinstance(value, Graph)]
    tensors = [value for value in values if isinstance(value, Tensor)]
    tensors += [tensor for graph in graphs for tensor in graph.initializers.values()]
    return any(tensor.payload.kind is PayloadKind.EXTERNAL for tensor in tensors)


def _without_functions(model: Model) -> ModelProto:
    import onnx
    from onnx import inliner

    if model.file_bytes > MOST_BYTES:
        raise RewriteError("it is larger than 1 GiB, too large to inline its functions: move weights to external data")
    try:
        read = onnx.load(str(model.source), load_external_data=False)
        plain = inliner.inline_local_functions(read)
        if plain.functions:
            plain = inliner.inline_local_functions(read, convert_version=True)
    except Exception as error:
        raise RewriteError("its functions cannot be inlined: export it without functions") from error
    if plain.functions:
        raise RewriteError("its functions follow other opsets than its graph, and cannot be inlined: export it again")
    key = METADATA
    while key in model.metadata:
        key += "."
    note = {"tool": f"aliasaudit {__version__}", "functions": len(model.functions)}
    plain.metadata_props.add(key=key, value=json.dumps(note, sort_keys=True))
    return plain
