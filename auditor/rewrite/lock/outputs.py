"""Outputs of the window that get nodes behind them, which give them their old names."""

from __future__ import annotations

from auditor.rewrite.graph.parts import PREFIX, EditNode
from auditor.rewrite.graph.surgery import GraphEditor


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
