"""The time of the analysis alone, in a process of its own.

``python benchmarks/analysis.py MODEL REPEATS`` prints the number of nodes and the least CPU milliseconds.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auditor.onnxfile import read_model
from auditor.sampling import analyse


def main() -> None:
    """Read the model once and analyse it again and again."""
    model = read_model(Path(sys.argv[1]))
    times = []
    for _ in range(int(sys.argv[2])):
        start = time.process_time()
        analysis = analyse(model)
        times.append(time.process_time() - start)
    print(analysis.nodes, min(times) * 1000)


if __name__ == "__main__":
    main()
