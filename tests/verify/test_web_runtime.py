"""A measurement in onnxruntime-web: with a package that stands for it, and with the real one where it is installed."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from auditor.onnxfile import read_runnable
from auditor.verify.errors import RuntimeMissingError
from auditor.verify.result import Verification
from auditor.verify.runner import verify
from auditor.verify.worker.engines.web import WebEngine, WebSession
from auditor.verify.worker.job import SessionSpec
from auditor.verify.worker.runtime import Runtime
from tests.verify.models import classifier, saved
from tests.verify.test_runner import SETTINGS, pictures, source, value

IN_A_BROWSER = replace(SETTINGS, runtime=Runtime.WEB)
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
REAL = "ALIASAUDIT_ONNXRUNTIME_WEB"
needs_package = pytest.mark.skipif(
    REAL not in os.environ or shutil.which("node") is None,
    reason=f"needs node, and {REAL}: a folder in which `npm install onnxruntime-web` was run",
)

# It doubles what it is fed, in any type, and says of itself what the real one says.
_PACKAGE = """
const fs = require("node:fs");
class Tensor {
  constructor(type, data, dims) { Object.assign(this, { type, data, dims }); }
}
class InferenceSession {
  static async create(bytes, options) {
    if (bytes.length < 20) throw new Error("too short to be a model");
    fs.writeSync(2, " All nodes placed on [CPUExecutionProvider]. Number of nodes: 3\\n");
    console.log("a line that is no answer");
    const meta = (name) => ({ name, isTensor: true, type: "float32", shape: ["N", 2] });
    return Object.assign(new InferenceSession(), { inputMetadata: [meta("x")], outputMetadata: [meta("y")] });
  }
  async run(feeds, outputs) {
    console.warn("and another one");
    const { type, data, dims } = feeds.x;
    return { [outputs[0]]: new Tensor(type, data.map((one) => one + one), dims) };
  }
}
module.exports = { Tensor, InferenceSession, env: { wasm: {} } };
"""


def installed(folder: Path) -> None:
    """A package called onnxruntime-web in a folder."""
    place = folder / "node_modules" / "onnxruntime-web"
    place.mkdir(parents=True)
    (place / "package.json").write_text(json.dumps({"name": "onnxruntime-web", "version": "99.1.0", "main": "x.js"}))
    (place / "x.js").write_text(_PACKAGE)


def measured(path: Path, count: int = 6) -> Verification:
    return verify(read_runnable(path), source(pictures(count)), IN_A_BROWSER)


@needs_node
def test_tensors_of_every_type_travel_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path)
    inside = tmp_path / "deeper"
    inside.mkdir()
    monkeypatch.chdir(inside)
    session = WebSession(WebEngine(1), SessionSpec(saved(tmp_path / "m.onnx", classifier())), 0)
    assert session.placement.version == "99.1.0"
    assert {holder for holder, _, _ in session.placement.nodes} == {"onnxruntime-web wasm"}
    assert [port.shape for port in session.inputs] == [("N", 2)]
    for dtype in ("float32", "float64", "uint8", "int8", "int32", "int64"):
        fed = np.arange(6, dtype=dtype).reshape(3, 2)
        (made,) = session.infer({"x": fed}, ("y",))
        assert made.dtype == fed.dtype
        np.testing.assert_array_equal(made, 2 * fed)
    session.close()


@needs_node
def test_what_the_package_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path)
    monkeypatch.chdir(tmp_path)
    short = tmp_path / "short.onnx"
    short.write_bytes(b"short")
    engine = WebEngine(1)
    with pytest.raises(RuntimeError, match="too short to be a model"):
        engine.open(SessionSpec(short), 0)


@pytest.mark.parametrize("missing", ["node", "package"])
def test_without_node_or_the_package_the_command_that_installs_it_is_named(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "package" and shutil.which("node") is None:
        pytest.skip("needs node")
    path = saved(tmp_path / "m.onnx", classifier())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NODE_PATH", raising=False)
    if missing == "node":
        monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeMissingError, match=r"onnxruntime-web is not installed: npm install onnxruntime-web"):
        measured(path)


@needs_package
def test_the_real_package_answers_as_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(os.environ[REAL])
    found = measured(saved(tmp_path / "m.onnx", classifier()))
    assert "the model answers as in onnxruntime on 6 of 6 pictures" in found.notes[0]
    assert found.provider.software.startswith("onnxruntime-web 1.")
    assert found.provider.used == "onnxruntime-web wasm"
    assert value(found, "fidelity") == 1
