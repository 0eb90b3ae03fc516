"""``aliasaudit fix`` against its budget and against graphsurgeon alone, measured in one run on one machine.

``python benchmarks/fix.py`` takes some minutes, 1.5 GB of disk and 3 GB of memory for the peer, and needs a POSIX
system. It rewrites VGG-19 with its 575 MB of weights: with a blur, with phases of the last pool, and, as the peer, by
``onnx.load``, graphsurgeon and ``onnx.save`` with nothing changed at all. Every command runs in a process of its own,
all in turn in every round; the least CPU time and the least peak count. Nothing here fails: a budget that is exceeded
is printed as such.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from benchmarks.check import print_budget, run  # noqa: E402 - after the path is set

PEER = (
    "import sys, onnx, onnx_graphsurgeon as gs\n"
    "onnx.save(gs.export_onnx(gs.import_onnx(onnx.load(sys.argv[1]))), sys.argv[2])"
)
PEAK_BUDGET = 1.2  # times the size of the model
CPU_BUDGET = 0.5  # of the peer


def benchmark(model: Path, folder: Path, repeats: int) -> None:
    """Measure and print."""
    python, size = sys.executable, model.stat().st_size / 1e6
    fix = (python, "-m", "auditor", "fix", str(model), "-o", str(folder / "fixed.onnx"), "--strategy")
    results = run(
        {
            "fix --strategy blur": (*fix, "blur"),
            "fix --strategy phase-average": (*fix, "phase-average"),
            "load, graphsurgeon, save": (python, "-c", PEER, str(model), str(folder / "peer.onnx")),
        },
        repeats,
    )
    print(f"VGG-19, {size:.0f} MB\n{'':30}{'CPU s':>8}{'RSS MB':>9}")
    for name, usage in results.items():
        print(f"{name:30}" + ("       -        -" if usage is None else f"{usage.cpu:8.2f}{usage.rss:9.0f}"))
    ours, peer = results["fix --strategy blur"], results["load, graphsurgeon, save"]
    print_budget("peak of fix", None if ours is None else ours.rss / size, PEAK_BUDGET, "x the model's size")
    share = None if ours is None or peer is None else ours.cpu / peer.cpu
    print_budget("CPU of fix", share, CPU_BUDGET, "x load, graphsurgeon, save")


def main() -> None:
    """Build the models in another process, then measure."""
    parser = argparse.ArgumentParser(description="Measure `aliasaudit fix` against its budget and graphsurgeon.")
    parser.add_argument("--models", type=Path, help="keep the generated models in this folder, and use them again")
    parser.add_argument("--repeats", type=int, default=3, help="rounds; the least of them counts (default 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.models or Path(temporary)
        if not (folder / "vgg19.onnx").exists():
            subprocess.run([sys.executable, str(HERE / "models.py"), str(folder)], check=True)
        benchmark(folder / "vgg19.onnx", Path(temporary), arguments.repeats)


if __name__ == "__main__":
    main()
