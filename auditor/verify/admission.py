"""Whether a model may be run at all: its operator domains, and the external files that hold its weights.

onnxruntime 1.31 refuses external paths that are absolute, leave the folder or are symbolic links, but loads hard links,
which on a build machine can name any file of the same disk. The checks here come first and are stricter.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from auditor.onnxfile.dtypes import ENCODINGS
from auditor.onnxfile.graph import Attribute, Graph, Model, ModelFormat, Node, Payload, PayloadKind, Tensor
from auditor.text import ModelText
from auditor.verify.errors import ModelRefusedError
from auditor.verify.settings import VerifySettings
from auditor.verify.worker.job import SessionSpec
from auditor.verify.worker.runtime import chosen_runtime, require_device

# onnxruntime's own operators are built into it and run no code of the model's choice, but for those below.
STANDARD_DOMAINS = frozenset(["", "ai.onnx", "ai.onnx.ml", "com.microsoft"])
# These name or embed an engine binary, or call into Python; no setting allows them.
_ENGINE_OPS = frozenset(["EPContext", "Snpe", "PythonOp", "PythonOpGrad"])
_CHUNK = 1 << 20


def admit(
    model: Model, settings: VerifySettings, tensors: Iterable[str] = ()
) -> tuple[SessionSpec, tuple[tuple[ModelText, str], ...]]:
    """The session of a model that may be run, which also returns ``tensors``, and its external files.

    Only onnxruntime returns tensors that are no outputs, so that it runs a model of which some are asked for.

    Returns:
        The session, and what :func:`check_external` says of the files.

    Raises:
        ModelRefusedError: the model may not be run (domains, external files), or its runtime does not read it.
        DeviceUnavailableError: its runtime has no such device.
    """
    names = tuple(tensors)
    runtime = chosen_runtime(model.format, None if names else settings.runtime)
    if not names:
        require_device(runtime, settings.device)
    if model.format is not ModelFormat.ONNX:
        return SessionSpec(model.source, runtime=runtime), _beside(model)
    check_domains(model, settings.allow_domains)
    external = check_external(model)
    outputs = {value.name for value in model.graph.outputs}
    extra = tuple(name for name in dict.fromkeys(names) if name not in outputs)
    return SessionSpec(model.source, extra, custom_ops=settings.custom_ops, runtime=runtime), external


def admitted(model: Model, settings: VerifySettings, tensors: Iterable[str] = ()) -> SessionSpec:
    """The session of a model that may be run, as of :func:`admit`."""
    return admit(model, settings, tensors)[0]


def check_domains(model: Model, allowed: frozenset[str] = frozenset()) -> None:
    """Refuse operators that neither ONNX, onnxruntime nor the model itself defines, unless their domain is allowed.

    Args:
        model: the model without its weights.
        allowed: further operator domains, as ``ai.onnx.contrib``.

    Raises:
        ModelRefusedError: the domain in ``detail`` is not allowed, or a node embeds an engine.
    """
    own = {(domain, name) for domain, name, _ in model.functions}
    for node in _nodes(model):
        if node.op in _ENGINE_OPS:
            raise ModelRefusedError(
                f"a node of type {node.op} embeds an engine or calls foreign code: such models are never run"
            )
        if node.domain not in STANDARD_DOMAINS | allowed and (node.domain, node.op) not in own:
            raise ModelRefusedError(
                "an operator is of a domain that is not standard: allow it with --allow-domain if you trust it",
                f"{node.domain}::{node.op}",
            )


def check_external(model: Model) -> tuple[tuple[ModelText, str], ...]:
    """Bind the external files of a model, and say what is in them.

    Every file must be a regular file in or below the folder of the model, reached through no symbolic link, with no
    second name (hard link), and hold the bytes that each tensor claims.

    Returns:
        The (location, SHA-256 in hexadecimal) of every file, sorted by location.

    Raises:
        ModelRefusedError: a file breaks one of these bounds; its location is in ``detail``.
    """
    folder = model.source.resolve().parent
    places: dict[str, list[Tensor]] = {}
    for tensor in _tensors(model):
        if tensor.payload.kind is PayloadKind.EXTERNAL:
            places.setdefault(tensor.payload.location, []).append(tensor)
    found = []
    for location, tensors in sorted(places.items()):
        path = _bound(folder, location)
        size = path.stat().st_size
        for tensor in tensors:
            _check_range(tensor, size, location)
        found.append((ModelText(location), _digest(path)))
    return tuple(found)


def _beside(model: Model) -> tuple[tuple[ModelText, str], ...]:
    """The weights of a model in OpenVINO's own format, which lie beside it under its name."""
    weights = model.source.with_suffix(".bin")
    if model.format is not ModelFormat.OPENVINO_IR or not weights.exists():
        return ()
    path = _bound(model.source.resolve().parent, weights.name)
    return ((ModelText(weights.name), _digest(path)),)


def _bound(folder: Path, location: str) -> Path:
    parts = PurePosixPath(location).parts
    windows = PureWindowsPath(location)
    if not parts or "\0" in location:
        raise ModelRefusedError("an external weight file has no name", location)
    if PurePosixPath(location).is_absolute() or windows.is_absolute() or windows.drive or "\\" in location:
        raise ModelRefusedError("an external weight file is named by an absolute or a Windows path", location)
    if ".." in parts:
        raise ModelRefusedError("an external weight file lies outside the folder of the model", location)
    path = folder
    try:
        for part in parts:
            path = path / part
            if stat.S_ISLNK(path.lstat().st_mode):
                raise ModelRefusedError("an external weight file is reached through a symbolic link", location)
        status = path.lstat()
    except FileNotFoundError as error:
        raise ModelRefusedError("an external weight file is missing: copy it beside the model", location) from error
    except OSError as error:
        reason = error.strerror or "the path is not valid"
        raise ModelRefusedError(f"an external weight file cannot be read: {reason}", location) from error
    if not stat.S_ISREG(status.st_mode):
        raise ModelRefusedError("an external weight file is not a regular file", location)
    if status.st_nlink > 1:
        raise ModelRefusedError("an external weight file has a second name (hard link): copy the file", location)
    return path


def _check_range(tensor: Tensor, size: int, location: str) -> None:
    payload: Payload = tensor.payload
    encoding = ENCODINGS.get(tensor.dtype)
    need = payload.length
    if encoding is not None:
        need = max(need, -(-tensor.elements * encoding.bits // 8))
    if payload.offset < 0 or payload.length < 0 or payload.offset + need > size:
        raise ModelRefusedError("a tensor lies outside its external weight file: export the model again", location)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    # A file swapped for a link after the check would be followed: not opening links closes that gap.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _graphs(model: Model) -> Iterator[tuple[tuple[Node, ...], Iterable[Tensor]]]:
    """The nodes and initializers of the main graph, every function and every sub-graph."""
    waiting: list[tuple[tuple[Node, ...], Iterable[Tensor]]] = [(model.graph.nodes, model.graph.initializers.values())]
    waiting += [(function.nodes, ()) for function in model.functions.values()]
    while waiting:
        nodes, tensors = waiting.pop()
        yield nodes, tensors
        for node in nodes:
            for value in node.attributes.values():
                for graph in _inner(value):
                    waiting.append((graph.nodes, graph.initializers.values()))


def _inner(value: Attribute) -> list[Graph]:
    if isinstance(value, Graph):
        return [value]
    return [item for item in value if isinstance(item, Graph)] if isinstance(value, tuple) else []


def _nodes(model: Model) -> Iterator[Node]:
    for nodes, _ in _graphs(model):
        yield from nodes


def _tensors(model: Model) -> Iterator[Tensor]:
    for nodes, tensors in _graphs(model):
        yield from tensors
        for node in nodes:
            yield from (value for value in node.attributes.values() if isinstance(value, Tensor))
    for function in model.functions.values():
        yield from (value for value in function.defaults.values() if isinstance(value, Tensor))
