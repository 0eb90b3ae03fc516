"""Where a node comes from in the training code, as torch's dynamo exporter writes it into ``metadata_props``."""

from __future__ import annotations

import re

from auditor.onnxfile.graph import Node
from auditor.onnxfile.noderef import Origin
from auditor.text import ModelText

_NAME_SCOPES = "pkg.torch.onnx.name_scopes"
_NAMESPACE = "namespace"
_STACK_TRACES = ("pkg.torch.onnx.stack_trace", "stack_trace")
_NO_MODULE = "_empty_nn_module_stack_from_metadata_hook"

_MAX_CHARACTERS = 64 << 10
_QUOTED = re.compile(r"'([^'\\]*)'|\"([^\"\\]*)\"")
_SEPARATOR = re.compile(r"[/\\]")
_FRAME = re.compile(r'File "([^"\n]{1,1000})", line (\d{1,9})')
_LIBRARY = re.compile(r"(^|[/\\])(site-packages|dist-packages|lib[/\\]python[\d.]+)[/\\]|^torch[/\\]|^<")
_TORCH = re.compile(r"(^|[/\\])torch[/\\]|^<")


def origin(node: Node) -> Origin | None:
    """The module path (``features.3.conv``) and source line (``net/model.py:42``) of a node, None if neither is known.

    The line is the innermost one outside installed packages, else outside torch; its file keeps two path components.
    """
    module = _module(node)
    source = _source(next((node.metadata[key] for key in _STACK_TRACES if node.metadata.get(key)), ""))
    return Origin(ModelText(module), ModelText(source)) if module or source else None


def _module(node: Node) -> str:
    """The innermost module. Both forms list the modules from the outside and end with the traced operation itself."""
    names = [
        single or double for single, double in _QUOTED.findall(node.metadata.get(_NAME_SCOPES, "")[:_MAX_CHARACTERS])
    ]
    if not names:
        parts = node.metadata.get(_NAMESPACE, "")[:_MAX_CHARACTERS].split("/")
        names = [part.partition(": ")[0].strip() for part in parts]
    module = names[-2] if len(names) > 1 else ""
    return "" if module == _NO_MODULE else module


def _source(trace: str) -> str:
    frames = _FRAME.findall(trace[-_MAX_CHARACTERS:])
    for foreign in (_LIBRARY, _TORCH):
        for file, line in reversed(frames):
            if not foreign.search(file):
                return f"{'/'.join(_SEPARATOR.split(file)[-2:])}:{line}"
    return ""
