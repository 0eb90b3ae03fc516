"""``aliasaudit fix --plan`` on networks with more and more sites, in a row and side by side, against its budget.

``python benchmarks/plan.py`` builds each network, plans it in a process of its own, and prints the CPU time with the
ratio to the size before: a plan that grows with the network has ratios near those of the sizes. Nothing here fails.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tests.rewrite.test_planning import branches, chain, residual_blocks, write  # noqa: E402 - after the path is set

SIZES = (30, 100, 300, 1000, 3000)
BUDGET = 30.0  # seconds for the largest


def seconds(model: Path) -> float:
    """The CPU time of one plan."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(
        [sys.executable, "-m", "auditor", "fix", str(model), "--plan"],
        cwd=HERE.parent,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        for network in (chain, branches, residual_blocks):
            print(network.__name__, f"(onnx {onnx.__version__})")
            last = 0.0
            for count in SIZES:
                took = seconds(write(network(count), Path(folder) / "model.onnx"))
                ratio = f", x{took / last:.1f}" if last else ""
                print(f"  {count:5} sites {took:6.1f} s{ratio}")
                last = took
            print(f"  budget {BUDGET:g} s: {'held' if last <= BUDGET else 'exceeded'}")


if __name__ == "__main__":
    main()
