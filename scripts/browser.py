"""onnxruntime-web in a browser: a page that computes one model, opened in headless Chromium."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 120

_PAGE = """<!doctype html>
<script type="module">
const tell = (text) => fetch("/told", {method: "POST", body: text});
try {
  const ort = await import("/dist/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = "/dist/";
  const bytes = async (name) => (await fetch(name)).arrayBuffer();
  const session = await ort.InferenceSession.create(await bytes("/model"), {executionProviders: ["wasm"]});
  const shape = await (await fetch("/shape")).json();
  const picture = new ort.Tensor("float32", new Float32Array(await bytes("/picture")), shape);
  const result = await session.run({[session.inputNames[0]]: picture});
  const first = result[session.outputNames[0]];
  await fetch("/made", {method: "POST", body: first.data});
  await tell(JSON.stringify({dims: first.dims, agent: navigator.userAgent}));
} catch (error) {
  await tell(JSON.stringify({error: String(error)}));
}
</script>
"""
_TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm"}


def browser() -> str | None:
    """The program to open a page with, None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class _Server(http.server.ThreadingHTTPServer):
    """Serves the page, the runtime and one model, and takes in what the page tells."""

    def __init__(self, files: dict[str, tuple[str, bytes]], runtime: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.runtime = files, runtime
        self.posted: dict[str, bytes] = {}
        self.told = threading.Event()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path.startswith("/dist/"):
            file = self.server.runtime / Path(self.path).name
            kind, body = _TYPES.get(file.suffix, "text/plain"), file.read_bytes() if file.is_file() else b""
        else:
            kind, body = self.server.files.get(self.path, ("text/plain", b""))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.server.posted[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        if self.path == "/told":
            self.server.told.set()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing of requests."""


def in_browser(path: Path, picture: Array, folder: str | None) -> Array:
    """The first output of a model. ``folder`` is where `npm install onnxruntime-web` was run.

    Raises:
        RuntimeError: the page failed, or told nothing in time.
    """
    program = browser()
    if program is None or folder is None:
        raise RuntimeError("there is no browser, or no onnxruntime-web")
    files = {
        "/": ("text/html", _PAGE.encode()),
        "/model": ("application/octet-stream", path.read_bytes()),
        "/picture": ("application/octet-stream", np.ascontiguousarray(picture).tobytes()),
        "/shape": ("application/json", json.dumps(picture.shape).encode()),
    }
    with _Server(files, Path(folder) / "node_modules" / "onnxruntime-web" / "dist") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with tempfile.TemporaryDirectory() as profile:
            words = [program, "--headless", "--disable-gpu", f"--user-data-dir={profile}", "--remote-debugging-port=0"]
            if hasattr(os, "geteuid") and os.geteuid() == 0:
                words.append("--no-sandbox")
            page = subprocess.Popen([*words, f"http://127.0.0.1:{server.server_port}/"], stderr=subprocess.DEVNULL)
            try:
                in_time = server.told.wait(_SECONDS)
            finally:
                page.terminate()
                page.wait()
                server.shutdown()
    told = json.loads(server.posted["/told"]) if in_time else {"error": f"nothing was told within {_SECONDS} s"}
    if "error" in told:
        raise RuntimeError(told["error"])
    made: Array = np.frombuffer(server.posted["/made"], np.float32).reshape(told["dims"])
    return made
