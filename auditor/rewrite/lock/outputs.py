"""Outputs of the window: what makes their numbers, and nodes behind them, which give them their old names."""

from __future__ import annotations

from auditor.rewrite.graph.parts import PREFIX, EditNode
from auditor.rewrite.graph.surgery import GraphEditor

_PASSED_ON = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "Transpose"})


def last_operator(editor: GraphEditor, output: str) -> str | None:
    """The operator that makes the numbers of an output; what only moves them or changes their type is passed over."""
    part = editor.producer(output)
    while part is not None and part.op in _PASSED_ON:
        part = editor.producer(part.inputs[0])
    return None if part is None else part.op


def in_window(editor: GraphEditor, output: str) -> tuple[EditNode, str]:
    """The node that writes an output, and the name that it writes to now; all readers in the graph read that."""
    writer = editor.producer(output)
    assert writer is not None
    inner = editor.fresh(f"{PREFIX}lock/in_window")
    readers = editor.consumers(output)
    editor.move_output(writer, output, inner)
    for reader in readers:
        editor.replace_input(reader, output, inner)
    return writer, inner
