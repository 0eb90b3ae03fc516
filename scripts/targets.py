"""Measure what the installed runtimes make of small models, and say what differs from the tables of targets.

    python -m scripts.targets MODELS [--target openvino]
    python -m scripts.targets --fixed [--write] [--python tflite=/path/to/python]

MODELS is a folder of ONNX files with one input ``x``. Every runtime that can be imported is run on noise of standard
deviation 1 and compared with onnxruntime: the same (to 1e-4), another value or shape, or refused. Per target the
versions and every model of which the tables say something else are printed, and the exit code is 1 where there are any.

With ``--fixed`` the models are those that `fix` writes of small networks; the result is a table of what each runtime
makes of them, which ``--write`` puts into docs/guides/targets.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from auditor.onnxfile import read_model
from auditor.sampling.analysis import observe
from auditor.targets.forms import OPERATORS
from auditor.targets.review import TargetReview, review
from auditor.targets.table import Effect, read_targets
from scripts.fixed_models import written
from scripts.runtimes import RUNTIMES, TARGETS, Array, onnxruntime, version_of

SAME = 1e-4
_OPEN = 3  # the batch where a model leaves it open
_SECONDS = 900
PYTHONS: dict[str, str] = {}
"""The interpreters of runtimes that cannot be installed beside the others."""
PAGE = Path(__file__).resolve().parents[1] / "docs" / "guides" / "targets.md"
BEGIN, END = "<!-- fixed: python -m scripts.targets --fixed --write -->", "<!-- /fixed -->"


def picture_for(path: Path) -> Array:
    """Noise of the shape of the input, the same for a model of the same name."""
    shape = onnx.load_model(path, load_external_data=False).graph.input[0].type.tensor_type.shape
    sizes = [dim.dim_value or _OPEN for dim in shape.dim]
    state = np.random.RandomState(zlib.crc32(path.stem.encode()) % 2**31)
    return (state.randn(*sizes) - 0.7).astype(np.float32)


def reference_for(path: Path, picture: Array) -> Array | None:
    """What onnxruntime computes; None of a model that it refuses, with which nothing can be compared."""
    try:
        return onnxruntime(path, picture)
    except Exception:  # noqa: BLE001 - whatever the reason
        return None


def compared(result: Array, reference: Array) -> str:
    """What a runtime computes: ``same``, or ``differs`` with the size."""
    if result.shape != reference.shape:
        return f"differs: shape {result.shape} for {reference.shape}"
    difference = float(np.abs(result - reference).max(initial=0))
    return "same" if difference <= SAME else f"differs: by up to {difference:.2g}"


def told(judged: TargetReview) -> str:
    """What the table of a target says of a model: ``same``, ``differs``, ``refused`` or ``unknown``."""
    effects = {verdict.entry.effect for verdict in judged.verdicts}
    if Effect.REFUSED in effects:
        return "refused"
    if effects:
        return "differs"
    return "unknown" if judged.unknown or judged.uncovered else "same"


def apart(name: str, path: Path, picture: Array, reference: Array) -> str:
    """What a runtime does, in a process that it may end: ``same``, ``differs`` or ``refused`` with the reason."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.npy", Path(folder) / "made.npy"
        np.save(given, picture)
        words = [PYTHONS.get(name, sys.executable), "-m", "scripts.runtimes", name, str(path), str(given), str(made)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"refused: it took more than {_SECONDS} s"
        if done.returncode < 0:
            return f"refused: it crashed (signal {-done.returncode})"
        if not made.is_file():
            return f"refused: {' '.join(done.stderr.split())[-200:]}"
        result = np.load(made)
    # A runtime without a batch axis gives the same numbers in another shape.
    if result.size == reference.size and result.size == max(reference.shape):
        result = result.reshape(reference.shape)
    if name == "tflite" and result.ndim == 4 and result.shape != reference.shape:
        result = result.transpose(0, 3, 1, 2)  # it keeps channels last, also those of outputs
    return compared(result, reference)


def installed(name: str) -> str | None:
    """The version of a runtime in its interpreter, None where it is not there."""
    if name not in PYTHONS:
        return version_of(name)
    words = [PYTHONS[name], "-m", "scripts.runtimes", "version", name]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or None


def fixed_table(names: Sequence[str]) -> tuple[list[str], bool]:
    """The lines of the table of what `fix` writes, and whether every runtime computes all of it alike."""
    versions = {name: version for name in names if (version := installed(name)) is not None}
    lines = ["| what `fix` wrote | " + " | ".join(f"{name} {version}" for name, version in versions.items()) + " |"]
    lines.append("|---" * (len(versions) + 1) + "|")
    alike = True
    with tempfile.TemporaryDirectory() as folder:
        for words, path in written(Path(folder)):
            picture = picture_for(path)
            reference = onnxruntime(path, picture)
            found = [apart(name, path, picture, reference) for name in versions]
            for name, cell in zip(versions, found, strict=True):
                if not cell.startswith("same"):
                    print(f"{path.name}: {name}: {cell}", file=sys.stderr)
            alike = alike and all(cell == "same" for cell in found)
            lines.append(f"| {words} | " + " | ".join(cell.split(":")[0] for cell in found) + " |")
    return lines, alike


def insert(lines: Sequence[str]) -> None:
    """Put the table into the page, between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join(lines)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Run what can be imported, and print what changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="?")
    parser.add_argument("--target", choices=RUNTIMES, action="append")
    parser.add_argument("--fixed", action="store_true", help="run what fix writes of small networks")
    parser.add_argument("--write", action="store_true", help="with --fixed: put the table into the page")
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", help="where a runtime is")
    chosen = parser.parse_args()
    PYTHONS.update(pair.split("=", 1) for pair in chosen.python)
    if chosen.fixed:
        lines, alike = fixed_table(chosen.target or list(RUNTIMES))
        print("\n".join(lines))
        if chosen.write:
            insert(lines)
        return int(not alike)
    if chosen.models is None:
        parser.error("name a folder of models, or give --fixed")
    return again(chosen.models, chosen.target or list(RUNTIMES))


def again(models: Path, names: Sequence[str]) -> int:
    """Measure what the tables say of the models in a folder."""
    changed = 0
    for name in names:
        version = installed(name)
        if version is None:
            print(f"{name}: not installed ({RUNTIMES[name][0]})")
            continue
        (target,) = read_targets([TARGETS.get(name, name)])
        print(f"{name} {version}, table of {target.table.measured}")
        counts = {"agrees": 0, "new": 0, "changed": 0}
        for path in sorted(models.rglob("*.onnx")):
            picture = picture_for(path)
            reference = reference_for(path, picture)
            if reference is None:
                continue
            nodes = observe(read_model(path), operators=OPERATORS)[1]
            now, before = apart(name, path, picture, reference), told(review(nodes, [target]))
            kind = "new" if before == "unknown" else "agrees" if now.split(":")[0] == before else "changed"
            counts[kind] += 1
            if kind != "agrees":
                print(f"  {path.stem}: {before} in the table, now {now}")
        changed += counts["changed"]
        print("  " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return int(changed > 0)


if __name__ == "__main__":
    sys.exit(main())
