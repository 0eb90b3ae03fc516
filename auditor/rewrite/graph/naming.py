"""A copy of a model in which every node of the main graph has a name of its own, for viewers that go by names."""

from __future__ import annotations

from pathlib import Path

from auditor.onnxfile.graph import Graph, Model
from auditor.onnxfile.wire import field
from auditor.rewrite.graph import file
from auditor.rewrite.graph.save import save_edited
from auditor.rewrite.result import RewriteError

NAMED = "aliasaudit.named"
_NODE_NAME = 3  # NodeProto.name; of a field that stands twice the last one counts


def new_names(graph: Graph) -> dict[int, str]:
    """A free name for each node, by its index, that has none or shares it; the first of several keeps theirs."""
    taken = {node.name for node in graph.nodes if node.name}
    seen: set[str] = set()
    names: dict[int, str] = {}
    for node in graph.nodes:
        if node.name and node.name not in seen:
            seen.add(node.name)
            continue
        stem = node.name or f"{node.op}_{node.index}"
        name, count = stem, 1
        while name in taken:
            name, count = f"{stem}_{count}", count + 1
        taken.add(name)
        names[node.index] = name
    return names


def name_nodes(model: Model, target: Path) -> int:
    """Write the copy; returns how many nodes got a name.

    Raises:
        RewriteError: The target is the model itself, or the disk refuses.
        ModelFileError: The source has changed since it was read.
    """
    names = new_names(model.graph)

    def edit(pieces: file.Pieces, reader: file.Reader) -> list[file.Piece]:
        result: list[file.Piece] = []
        index = 0
        for part in pieces.graph:
            if part.number == file.NODE:
                name = names.get(index)
                body = reader.read(part.body) if name is not None else b""
                named = field(file.NODE, body + field(_NODE_NAME, (name or "").encode("utf-8", "surrogateescape")))
                result.append(part.whole if name is None else named)
                index += 1
            else:
                result.append(part.whole)
        if index != len(model.graph.nodes):
            raise RewriteError("the graph changed while it was read; run the command again")
        return result

    save_edited(model, edit, target, {"nodes": len(names)}, key=NAMED)
    return len(names)
