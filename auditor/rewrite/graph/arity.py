"""How many inputs and outputs the nodes of a model have, checked once, before anything relies on it.

The audit takes what it can from malformed nodes and goes on; a rewrite reads the operands of nodes by their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from auditor.onnxfile.graph import Model, Node
from auditor.rewrite.result import RewriteError

if TYPE_CHECKING:
    from onnx.defs import OpSchema

_CONTRIBUTED: Mapping[tuple[str, str], int] = {
    ("com.microsoft", "FusedConv"): 2,
    ("com.microsoft", "FusedGemm"): 2,
    ("com.microsoft", "FusedMatMul"): 2,
    ("com.microsoft", "QLinearAdd"): 7,
    ("com.microsoft", "QLinearConcat"): 5,
}
"""The least number of inputs of operators that no schema of the onnx package describes; of the others it is one."""


def check_arity(model: Model) -> None:
    """See that every node of the main graph has as many inputs and outputs as its operator takes.

    Raises:
        RewriteError: one has too few or too many; the message names it.
    """
    schemas: dict[tuple[str, str], OpSchema | None] = {}
    for node in model.graph.nodes:
        key = node.domain, node.op
        if key not in schemas:
            schemas[key] = _schema(model, *key)
        fault = _fault(node, schemas[key])
        if fault is not None:
            raise RewriteError(f"{_named(node)} {fault}: the model is malformed, export it again")


def _fault(node: Node, schema: OpSchema | None) -> str | None:
    if not any(node.outputs):
        return "has no output"
    inputs, outputs = len(node.inputs), len(node.outputs)
    if schema is None:
        least = _CONTRIBUTED.get((node.domain, node.op), 1 if node.domain == "com.microsoft" else 0)
        return f"has {_count(inputs)}, and needs at least {least}" if inputs < least else None
    if inputs < schema.min_input or (schema.min_input and not any(node.inputs)):
        return f"has {_count(sum(map(bool, node.inputs)))}, and needs at least {schema.min_input}"
    if inputs > schema.max_input:
        return f"has {_count(inputs)}, and takes at most {schema.max_input}"
    if not schema.min_output <= outputs <= schema.max_output:
        return f"has {_count(outputs, 'output')}, which its operator does not have"
    return None


def _schema(model: Model, domain: str, op: str) -> OpSchema | None:
    from onnx import defs

    own = any((domain, op) == (known, name) for known, name, _ in model.functions)
    version = model.opsets.get(domain)
    if own or version is None:
        return None
    try:
        return defs.get_schema(op, version, domain)
    except (defs.SchemaError, TypeError):
        return None


def _count(number: int, noun: str = "input") -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _named(node: Node) -> str:
    return f'the {node.op} "{node.name}"' if node.name else f"the {node.op} at position {node.index}"
