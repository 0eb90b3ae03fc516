"""Reading costs what the structure of a model costs: neither the weights nor heavy imports are paid for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from auditor.onnxfile import read_model
from auditor.onnxfile.graph import PayloadKind
from tests.onnxfile.build import message, varint

REPOSITORY = Path(__file__).parents[2]

READ = """
import sys
from pathlib import Path
from auditor.onnxfile import read_model, walk
model = read_model(Path(sys.argv[1]))
assert len(model.graph.initializers) == int(sys.argv[2])
assert sum(1 for _ in walk(model)) == int(sys.argv[2])
heavy = {"numpy", "onnx", "google", "onnxruntime", "onnx_graphsurgeon"} & set(sys.modules)
assert not heavy, heavy
status = Path("/proc/self/status")
peak = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")] if status.exists() else []
print(int(peak[0].split()[1]) // 1024 if peak else "unknown")
"""


def write_heavy_model(path: Path, tensors: int, payload: int) -> None:
    """A chain of convolutions whose weights are holes in a sparse file, so that it is written at once."""
    nodes = b"".join(
        message(1, message(1, b"x%d" % i) + message(1, b"w%d" % i) + message(2, b"x%d" % (i + 1)) + message(4, b"Conv"))
        for i in range(tensors)
    )
    headers = []
    for i in range(tensors):
        header = b"\x08" + varint(payload // 4) + b"\x10\x01" + message(8, b"w%d" % i) + b"\x4a" + varint(payload)
        headers.append(b"\x2a" + varint(len(header) + payload) + header)
    size = len(nodes) + sum(map(len, headers)) + tensors * payload
    with path.open("wb") as file:
        file.write(b"\x08\x08\x3a" + varint(size) + nodes)
        for header in headers:
            file.write(header)
            file.seek(payload, 1)
        file.truncate(file.tell())


@pytest.mark.parametrize(
    ("tensors", "payload"),
    [(100, 2 << 20), (6400, 32 << 10), (50, 1 << 30)],
    ids=["200 MB", "200 MB in pieces", "50 GB"],
)
def test_memory_does_not_grow_with_the_weights(tensors: int, payload: int, tmp_path: Path) -> None:
    path = tmp_path / "heavy.onnx"
    try:
        write_heavy_model(path, tensors, payload)
    except OSError as error:
        pytest.skip(f"the file system has no room for sparse files: {error}")
    command = [sys.executable, "-c", READ, str(path), str(tensors)]
    peak = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout.strip()
    if peak == "unknown":
        pytest.skip("this system does not tell a process its peak memory")
    assert int(peak) < 70


def test_weights_are_described_by_their_place_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "heavy.onnx"
    write_heavy_model(path, 3, 4096)
    data = path.read_bytes()
    for tensor in read_model(path).graph.initializers.values():
        assert tensor.payload.kind is PayloadKind.IN_FILE
        assert tensor.payload.length == 4096
        assert data[tensor.payload.offset - 3 : tensor.payload.offset] == b"\x4a" + varint(4096)
