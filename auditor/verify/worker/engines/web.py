"""onnxruntime-web: the WebAssembly build of browsers, under node. Runs in the worker only, beside a process of node.

Node is started for the first model that asks for it and ends with the worker, whose end of the pipe closes then.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from auditor.onnxfile import read_model
from auditor.verify.errors import ModelRejectedError
from auditor.verify.worker.arena import Array
from auditor.verify.worker.engines.engine import NUMERIC, Engine, Session
from auditor.verify.worker.engines.onnxruntime import model_source
from auditor.verify.worker.job import NodePlacement, Port, SessionSpec

PACKAGE = "onnxruntime-web"
_MODULES = "node_modules"
_GLOBAL = ("/usr/local/lib", "/usr/lib")
_WASM = f"{PACKAGE} wasm"
_HOLDERS = {"CPUExecutionProvider": _WASM}
_LENGTH = struct.Struct("<I")


class WebEngine(Engine):
    """The package in a folder of modules, and the node that runs it."""

    def __init__(self, threads: int) -> None:
        node = shutil.which("node")
        if node is None:
            raise ImportError("node is not installed")
        folder = next((one for one in _folders() if (one / _MODULES / PACKAGE / "package.json").is_file()), None)
        if folder is None:
            raise ImportError(f"no folder here or above has {_MODULES}/{PACKAGE}")
        self.node, self.folder, self.threads = node, folder, threads
        told = json.loads((folder / _MODULES / PACKAGE / "package.json").read_text(encoding="utf-8"))
        self.version = str(told["version"])

    def open(self, spec: SessionSpec, key: int) -> Session:
        """Load a model."""
        return WebSession(self, spec, key)


def _folders() -> Iterator[Path]:
    """Where node would look from the working folder, then what NODE_PATH names, then what is installed for all."""
    here = Path.cwd()
    yield from (here, *here.parents)
    named = [Path(one) for one in os.environ.get("NODE_PATH", "").split(os.pathsep) if one]
    yield from (one.parent for one in named if one.name == _MODULES)
    yield from map(Path, _GLOBAL)


class WebSession(Session):
    """A model in a process of node of its own."""

    def __init__(self, engine: WebEngine, spec: SessionSpec, key: int) -> None:
        self.key = key
        words = [engine.node, str(Path(__file__).with_suffix(".mjs")), str(engine.threads)]
        process = subprocess.Popen(words, cwd=engine.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._commands, self._answers = process, process.stdin, process.stdout
        source = model_source(spec)
        data = Path(source).read_bytes() if isinstance(source, str) else source
        try:
            opened = self._asked({"do": "open", "bytes": len(data)}, [data])
        except RuntimeError:
            self.close()
            raise
        self.inputs = tuple(map(_port, opened["inputs"]))
        self.outputs = tuple(map(_port, opened["outputs"]))
        self.placement = _placement(opened["placed"], spec.model, engine.version)

    def infer(self, feeds: Mapping[str, Array], outputs: tuple[str, ...]) -> Sequence[Array]:
        """The outputs of these names for one batch of inputs."""
        tensors = {name: np.ascontiguousarray(value) for name, value in feeds.items()}
        told = [
            {"name": name, "type": value.dtype.name, "shape": list(value.shape), "bytes": value.nbytes}
            for name, value in tensors.items()
        ]
        parts = [value.tobytes() for value in tensors.values()]
        answer = self._asked({"do": "run", "feeds": told, "outputs": list(outputs)}, parts)
        return [self._tensor(facts, name) for facts, name in zip(answer["outputs"], outputs, strict=True)]

    def close(self) -> None:
        """End the process of node."""
        for stream in (self._commands, self._answers):
            with suppress(OSError):
                stream.close()
        self._process.wait()

    def _tensor(self, facts: Mapping[str, Any], name: str) -> Array:
        data = _exactly(self._answers, int(facts["bytes"]))
        if facts["type"] not in NUMERIC:
            raise ModelRejectedError("an output is no numeric tensor: name the outputs to measure", name)
        tensor: Array = np.frombuffer(data, facts["type"]).reshape(facts["shape"])
        return tensor

    def _asked(self, told: Mapping[str, Any], parts: Sequence[bytes]) -> dict[str, Any]:
        """The answer to one command. Raises RuntimeError with the reason where it failed."""
        text = json.dumps(told).encode()
        try:
            for part in (_LENGTH.pack(len(text)), text, *parts):
                self._commands.write(part)
            self._commands.flush()
            (length,) = _LENGTH.unpack(_exactly(self._answers, _LENGTH.size))
            answer: dict[str, Any] = json.loads(_exactly(self._answers, length))
        except (OSError, EOFError) as error:
            raise RuntimeError(f"node ended with {self._process.wait()}") from error
        if "error" in answer:
            raise RuntimeError(str(answer["error"]))
        return answer


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _placement(placed: Sequence[tuple[str, int]], path: Path, version: str) -> NodePlacement:
    """Where the nodes are, as the runtime's own log says.

    It names no nodes: where one provider holds all, those of the file are there, whatever became of them.
    """
    holders = [_HOLDERS.get(provider, provider) for provider, _ in placed] or [_WASM]
    if len(placed) == 1:
        kinds = Counter(node.op for node in read_model(path).graph.nodes)
        nodes = tuple((holders[0], kind, count) for kind, count in sorted(kinds.items()))
    else:
        nodes = tuple((holder, "node", count) for holder, (_, count) in zip(holders, placed, strict=False))
    return NodePlacement(nodes, tuple(holders), version, "")


def _port(told: Mapping[str, Any]) -> Port:
    kind = str(told["type"])
    shape = tuple(size if isinstance(size, str) or size >= 0 else None for size in told["shape"])
    return Port(str(told["name"]), kind if kind in NUMERIC else "", shape)
