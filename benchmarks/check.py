"""``aliasaudit check`` against its budget and against other tools, measured in one run on one machine.

``python benchmarks/check.py`` takes some minutes, 1 GB of disk and, for the peers, 7 GB of memory; it needs the extra
``bench`` and a POSIX system. Every command runs in a process of its own, all commands in turn in every round, and the
least CPU time and the least peak of the rounds count. A dash stands for a command that failed, is not installed, or
took too long. Nothing here fails: a budget that is exceeded is printed as such.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from benchmarks.measure import Usage, least, measure  # noqa: E402 - after the path is set

LIMIT = 120.0
MODELS = {
    "light": "ResNet-50, weights by operators, 28 KB",
    "resnet50": "ResNet-50, 102 MB",
    "vgg19": "VGG-19, 575 MB",
    "external": "ResNet-50 and a projection, 3.0 GB of external data",
}
CPU_BUDGET = 1.6  # times `import onnx`
RSS_BUDGET = 70.0  # MB
ANALYSIS_BUDGET = 30.0  # ms per 1000 nodes
INFER = "import sys, onnx; onnx.shape_inference.infer_shapes(onnx.load(sys.argv[1]))"

Results = Mapping[str, Usage | None]


def contenders(model: str) -> dict[str, tuple[str, ...]]:
    """The tool first, then what others do when they are asked what is in a model."""
    python = sys.executable
    return {
        "aliasaudit check": (python, "-m", "auditor", "check", "--exit-zero", model),
        "onnx.load + infer_shapes": (python, "-c", INFER, model),
        "polygraphy inspect model": (script("polygraphy"), "inspect", "model", "--show", "layers", "--", model),
        "onnxslim --inspect": (script("onnxslim"), "--inspect", model),
        "onnx_tool": (python, "-m", "onnx_tool", "-i", model),
    }


def script(name: str) -> str:
    """The path of a program of this environment, or its bare name."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or name


def fixed() -> dict[str, tuple[str, ...]]:
    """Commands that read no model: the floor of every tool of this field, and the tool's own start."""
    return {
        "python -c 'import onnx'": (sys.executable, "-c", "import onnx"),
        "aliasaudit --help": (sys.executable, "-m", "auditor", "--help"),
    }


def run(commands: Mapping[str, tuple[str, ...]], repeats: int) -> Results:
    """Measure all commands in turn, ``repeats`` times; one that fails once is not tried again."""
    usages: dict[str, list[Usage]] = {name: [] for name in commands}
    failed: set[str] = set()
    for _ in range(repeats):
        for name, command in commands.items():
            if name in failed:
                continue
            try:
                usage = measure(command, LIMIT)
            except OSError:
                usage = None
            if usage is None:
                failed.add(name)
            else:
                usages[name].append(usage)
    return {name: None if name in failed else least(usages[name]) for name in commands}


def print_table(title: str, results: Results, floor: Usage) -> None:
    """CPU time, its ratio to the import of onnx, and the peak, a line per command."""
    print(f"\n{title}\n{'':28}{'CPU s':>8}{'x import onnx':>15}{'RSS MB':>9}")
    for name, usage in results.items():
        if usage is None:
            print(f"{name:28}{'-':>8}{'-':>15}{'-':>9}")
        else:
            print(f"{name:28}{usage.cpu:8.2f}{usage.cpu / floor.cpu:15.2f}{usage.rss:9.0f}")


def print_budget(name: str, value: float | None, budget: float, unit: str) -> None:
    """One line that says whether a number keeps its budget."""
    if value is None:
        print(f"  NOT MEASURED  {name}")
        return
    verdict = "ok  " if value <= budget else "OVER"
    print(f"  {verdict}  {name}: {value:.2f} {unit} (budget {budget:g})")


def analysis_time(model: Path, repeats: int) -> tuple[int, float] | None:
    """The number of nodes, and the CPU milliseconds of the analysis, least of the repeats; None when it fails."""
    command = [sys.executable, str(HERE / "analysis.py"), str(model), str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    nodes, milliseconds = done.stdout.split()
    return int(nodes), float(milliseconds)


def print_analysis(folder: Path, repeats: int) -> None:
    """The analysis alone. In small models the spectra of a few kernels outweigh the nodes, so no rate is given."""
    deep = analysis_time(folder / "deep.onnx", repeats)
    rate = None if deep is None else deep[1] / deep[0] * 1000
    print_budget("analysis of more than 1000 nodes", rate, ANALYSIS_BUDGET, "ms per 1000 nodes")
    for name in ("light", "resnet50", "vgg19"):
        measured = analysis_time(folder / f"{name}.onnx", repeats)
        if measured is not None:
            print(f"        analysis, {name}: {measured[1]:.1f} ms for {measured[0]} nodes")


def benchmark(folder: Path, repeats: int) -> None:
    """Measure everything on the models of ``folder`` and print the tables and the budget."""
    start = run(fixed(), repeats)
    floor = start["python -c 'import onnx'"]
    if floor is None:
        sys.exit("onnx cannot be imported: install the package with its extra `bench`")
    print_table("without a model", start, floor)
    checks: dict[str, Usage | None] = {}
    for name, title in MODELS.items():
        model = str(folder / f"{name}.onnx")
        results = run(contenders(model), repeats)
        print_table(title, results, floor)
        checks[name] = results["aliasaudit check"]
    print("\nbudget")
    for name, usage in checks.items():
        cpu = None if usage is None else usage.cpu / floor.cpu
        print_budget(f"CPU of check, {name}", cpu, CPU_BUDGET, "x import onnx")
        print_budget(f"RSS of check, {name}", None if usage is None else usage.rss, RSS_BUDGET, "MB")
    print_analysis(folder, repeats)


def main() -> None:
    """Build the models in another process, then measure."""
    parser = argparse.ArgumentParser(description="Measure `aliasaudit check` against its budget and other tools.")
    parser.add_argument("--models", type=Path, help="keep the generated models in this folder, and use them again")
    parser.add_argument("--repeats", type=int, default=5, help="rounds; the least of them counts (default 5)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.models or Path(temporary)
        if not (folder / "external.bin").exists():
            subprocess.run([sys.executable, str(HERE / "models.py"), str(folder)], check=True)
        benchmark(folder, arguments.repeats)


if __name__ == "__main__":
    main()
