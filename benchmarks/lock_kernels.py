"""Kernels for a window between pixels: what each costs a classifier, and what it leaves of a shift by half a pixel.

    python -m benchmarks.lock_kernels --models DIR [--models DIR] --images DIR [--limit N] [--json FILE] [--into PAGE]

The photographs are those of ``benchmarks.lock_loss`` that were for choosing. Each is resized twice, half a pixel apart.
Both are cut by the kernel at the same place of the content, a fraction drawn at random, and both at the same pixel
without one. Told are the change of the probability of the right class, in points, and how much less than the original's
the winning probability changes between the two, in per cent, with one standard error over the photographs.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auditor.rewrite.lock.tables import matched, widest
from auditor.verify.images.preprocess import Preprocessing, to_tensor
from auditor.verify.options import read_keywords
from benchmarks.ablation_table import placed
from benchmarks.lock import SUBJECTS
from benchmarks.lock_loss import NETWORK, SIDE, STEPS, Floats, Kernels, Network, cut, opened, short

MARKS = "<!-- begin: lock kernels -->", "<!-- end: lock kernels -->"
APART = 0.5


def passing(share: float) -> Kernels:
    """The lock's kernels, passing up to another share of the frequencies."""
    middle = widest(share)
    return lambda offsets: matched(middle, offsets)


KERNELS: Mapping[str, Kernels] = {
    "8 taps that blur": short,
    **{f"14 taps that pass {share:.2f} of the frequencies": passing(share) for share in (0.65, 0.7, 0.75, 0.8, 0.85)},
}


def pair(path: Path, prepare: Preprocessing) -> tuple[Floats, Floats]:
    """A photograph and the same half a pixel on, down and right, at one scale."""
    from PIL import Image

    with Image.open(path) as found:
        whole = found.convert("RGB")
    scale = min(whole.size) / SIDE
    width, height = (int(length / scale) - 1 for length in whole.size)
    tensors = []
    for move in (0.0, APART):
        box = (move * scale, move * scale, (width + move) * scale, (height + move) * scale)
        levels = np.asarray(whole.resize((width, height), Image.Resampling.BILINEAR, box=box))
        tensors.append(np.asarray(to_tensor(levels, prepare), np.float32))
    return tensors[0], tensors[1]


def measured(pictures: tuple[Floats, Floats], label: int, network: Network) -> dict[str, list[float]]:
    """By kernel, and without one, the probability of the right class and the change by half a pixel."""
    random = np.random.default_rng((2, label))
    place = np.array([(size - NETWORK) // 2 for size in pictures[0].shape[1:]], float)
    fraction = random.integers(0, STEPS, 2) / STEPS

    def seen(look: Callable[[Floats, npt.NDArray[np.float64]], Floats], moves: Sequence[float]) -> list[float]:
        windows = [look(picture, place + move) for picture, move in zip(pictures, moves, strict=True)]
        first, second = (network(np.ascontiguousarray(window[None], np.float32)) for window in windows)
        best = int(first.argmax())
        return [float(first[label]), abs(float(first[best] - second[best]))]

    def whole(picture: Floats, where: npt.NDArray[np.float64]) -> Floats:
        top, left = where.astype(int)
        return picture[:, top : top + NETWORK, left : left + NETWORK]

    def between(made: Kernels) -> Callable[[Floats, npt.NDArray[np.float64]], Floats]:
        return lambda picture, where: cut(picture, where + fraction, made)

    found = {name: seen(between(made), (0, -APART)) for name, made in KERNELS.items()}
    return {"": seen(whole, (0, 0)), **found}


def table(kept: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]) -> str:
    """Markdown: a line for each kernel, and two columns for each model."""
    names = [subject.name for subject in SUBJECTS if subject.name in kept]
    heads = [f"{name} ({len(kept[name])}): {what}" for name in names for what in ("probability", "half a pixel")]
    lines = [f"| kernels | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for kernel in KERNELS:
        cells = []
        for name in names:
            values, base = (np.array([one[row] for one in kept[name].values()]) for row in (kernel, ""))
            gaps = 100 * (values - base) / [1, base[:, 1].mean()]
            errors = gaps.std(axis=0, ddof=1) / math.sqrt(len(gaps))
            means = gaps.mean(axis=0)
            cells += [f"{means[0]:+.1f} ± {errors[0]:.1f}", f"{means[1]:+.0f} ± {errors[1]:.0f} %"]
        lines.append(f"| {kernel} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, action="append", default=[], help="a folder of models; repeatable")
    parser.add_argument("--images", type=Path, help="a folder with a photograph per class; without it, what was kept")
    parser.add_argument("--limit", type=int, default=100, help="photographs per model")
    parser.add_argument("--json", type=Path, required=True, help="keep what was measured in this file")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="put the table between the marks of this page")
    parser.add_argument("--only", default="", help="models whose names hold this")
    given = parser.parse_args(arguments)
    kept: dict[str, Any] = json.loads(given.json.read_text(encoding="utf-8")) if given.json.exists() else {}
    for subject in SUBJECTS:
        if given.images is None or not subject.labelled or given.only not in subject.name:
            continue
        network = opened(next(folder / subject.file for folder in given.models if (folder / subject.file).exists()))
        prepare = read_keywords({**subject.options, "images": str(given.images)}).settings.preprocessing
        paths = sorted(one for one in given.images.iterdir() if one.suffix.lower() in (".jpeg", ".jpg", ".png"))
        mine = kept.setdefault(subject.name, {})
        for number in np.random.default_rng(0).permutation(len(paths) // 2)[: given.limit]:
            label = 2 * int(number)
            if str(label) not in mine:
                mine[str(label)] = measured(pair(paths[label], prepare), label, network)
        given.json.write_text(json.dumps(kept) + "\n", encoding="utf-8")
        print(f"{subject.name}: measured", file=sys.stderr)
    if given.into is not None:
        page = given.into.read_text(encoding="utf-8")
        given.into.write_text(placed(page, table(kept), MARKS), encoding="utf-8", newline="\n")
    print(table(kept), end="")


if __name__ == "__main__":
    main()
