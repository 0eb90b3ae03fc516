"""The memory estimate of ``aliasaudit tiles`` against what onnxruntime takes for a tile of that size.

    python benchmarks/tiles.py model.onnx --tiles 512,1024,2048

Each size runs once in a process of its own, one thread, default settings; what counts is the peak of the resident
memory above what the process had before it made the session. The last column is the estimate divided by it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from auditor import tiles  # noqa: E402 - after the path is set

CHILD = """
import resource, sys
import numpy as np, onnxruntime
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 4
np.zeros(1).sum()
before = peak()
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
port = session.get_inputs()[0]
sides = list(map(int, sys.argv[2].split("x")))
open_axes = [i for i, axis in enumerate(port.shape) if i and not isinstance(axis, int)]
shape = [axis if isinstance(axis, int) else 1 for axis in port.shape]
for axis, side in zip(open_axes, sides):
    shape[axis] = side
kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
session.run(None, {port.name: np.ones(shape, kinds[port.type])})
print(peak() - before)
"""


def measured(model: str, size: tuple[int, ...]) -> int:
    """The bytes by which the resident memory of a process grows that runs one tile."""
    command = [sys.executable, "-c", CHILD, model, "x".join(map(str, size))]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Print one line per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--tiles", default="512,1024,2048")
    given = parser.parse_args()
    print("tile  estimate MB  measured MB  ratio")
    for side in given.tiles.split(","):
        (tile,) = tiles(given.model, tile=side).tiles
        real = measured(given.model, tile.size)
        estimate = tile.memory_bytes or 0
        print(f"{side}  {estimate / 1e6:.0f}  {real / 1e6:.0f}  {estimate / real:.2f}")


if __name__ == "__main__":
    main()
