"""What a grid lock costs a classifier in accuracy, and what of it: the place of the window, its phase, or the blur.

    python -m benchmarks.lock_loss --models DIR [--models DIR] --images DIR [--limit N] [--json FILE] [--into PAGE]

``--images`` is a folder with one photograph for each class of ImageNet, whose names, sorted, are in the order of the
classes. Every other photograph was for choosing; these are the others. Each is cut twice at random, within 8 pixels of
the middle of a picture whose shorter side is 272, and the network sees that cut, and the same picture cut as each row
says. Locks are the files that ``fix`` writes, fed the 256 pixels around the cut. Told is the change of accuracy, and of
the probability of the right class, which wavers far less, in points with one standard error over the photographs.
``--json`` keeps what was measured, photograph by photograph, and goes on behind it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from auditor.onnxfile import read_model
from auditor.rewrite.lock.tables import kernels, matched
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Lock, Options, Step, Strategy
from auditor.sampling import analyse
from auditor.verify.images.preprocess import Preprocessing, to_tensor
from auditor.verify.options import read_keywords
from benchmarks.ablation_table import placed
from benchmarks.chains import Subject
from benchmarks.lock import SUBJECTS

Floats: TypeAlias = npt.NDArray[np.float32]
Network: TypeAlias = Callable[[Floats], npt.NDArray[np.float64]]
Kernels: TypeAlias = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.floating[Any]]]

MARKS = "<!-- begin: lock loss -->", "<!-- end: lock loss -->"
SIDE, VIEW, NETWORK, SPREAD, EDGE = 272, 256, 224, 8, 16
DRAWS = 2
STEPS = 32
LOCKS: Mapping[str, Options] = {
    "grid lock": Options(),
    "grid lock, whole pixels": Options(lock=Lock.WHOLE_PIXEL),
    "grid lock, edges on the corners of the grid (--align 0)": Options(align=0),
    "grid lock, --align 12": Options(align=12),
}
BASE = "original"
FRAMED = "original, another window in the range of the lock"
READ = "original, read between pixels"
SHORT = "the same by 8 taps that blur"
IDEAL = "the same by 32 taps"
ROWS = (FRAMED, READ, SHORT, IDEAL, *LOCKS)


def short(offsets: npt.NDArray[np.float64]) -> npt.NDArray[np.floating[Any]]:
    """Eight taps, matched to a sinc under a squared cosine midway between two pixels."""
    places = np.arange(8) - 3.5
    middle = np.sinc(places) * np.cos(np.pi * places / 8) ** 2
    return matched(middle / middle.sum(), offsets)


def ideal(offsets: npt.NDArray[np.float64]) -> npt.NDArray[np.floating[Any]]:
    """32 taps of a sinc under a Kaiser window."""
    away = np.arange(32) - 15 - (offsets - np.floor(offsets))[:, None]
    found = np.sinc(away) * np.i0(6 * np.sqrt(np.clip(1 - (away / 16) ** 2, 0, 1)))
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def cut(picture: Floats, place: npt.NDArray[np.float64], made: Kernels) -> Floats:
    """The window (C, NETWORK, NETWORK) of a picture (C, H, W) that begins between pixels."""
    tensor = picture
    for axis, offset in enumerate(place, 1):
        weights = made(np.array([offset]))[0]
        first = math.floor(offset) - (len(weights) // 2 - 1)
        tensor = np.moveaxis(tensor, axis, 0)
        taps = [np.float32(weight) * tensor[first + tap : first + tap + NETWORK] for tap, weight in enumerate(weights)]
        tensor = np.moveaxis(np.sum(taps, axis=0), 0, axis)
    return tensor


def pictures(folder: Path) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """Class and levels of every other photograph, in an order drawn once."""
    from PIL import Image

    paths = sorted(one for one in folder.iterdir() if one.suffix.lower() in (".jpeg", ".jpg", ".png"))
    for number in np.random.default_rng(0).permutation(len(paths) // 2):
        place = 2 * int(number) + 1
        with Image.open(paths[place]) as opened:
            whole = opened.convert("RGB")
        share = SIDE / min(whole.size)
        size = [max(SIDE, round(share * length)) for length in whole.size]
        yield place, np.asarray(whole.resize((size[0], size[1]), Image.Resampling.BILINEAR))


def measured(
    levels: npt.NDArray[np.uint8], label: int, networks: Mapping[str, Network], prepare: Preprocessing
) -> dict[str, list[float]]:
    """By row, whether the answer is right and how probable the right one is, as means over the draws."""
    padded = np.pad(levels, ((EDGE, EDGE), (EDGE, EDGE), (0, 0)), mode="edge")
    picture = np.asarray(to_tensor(padded, prepare), np.float32)
    random = np.random.default_rng((1, label))
    answers: dict[str, list[list[float]]] = {}

    def see(row: str, network: Network, window: Floats) -> None:
        found = network(np.ascontiguousarray(window[None], np.float32))
        answers.setdefault(row, []).append([float(found.argmax() == label), float(found[label])])

    middle = [(size - VIEW) // 2 + EDGE for size in levels.shape[:2]]
    for _ in range(DRAWS):
        view = [one + int(random.integers(-SPREAD, SPREAD + 1)) for one in middle]
        place = np.array(view, float) + (VIEW - NETWORK) // 2
        fraction = random.integers(0, STEPS, 2) / STEPS
        further = random.integers(-8, 8, 2).astype(float)
        original = networks[BASE]
        for row, (top, left) in ((BASE, place.astype(int)), (FRAMED, (place + further).astype(int))):
            see(row, original, picture[:, top : top + NETWORK, left : left + NETWORK])
        for row, made in ((READ, kernels), (SHORT, short), (IDEAL, ideal)):
            see(row, original, cut(picture, place + fraction, made))
        for row in LOCKS:
            see(row, networks[row], picture[:, view[0] : view[0] + VIEW, view[1] : view[1] + VIEW])
    return {row: np.mean(values, axis=0).tolist() for row, values in answers.items()}


def opened(path: Path) -> Network:
    """The probabilities of a file of one input and one picture."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(picture: Floats) -> npt.NDArray[np.float64]:
        scores = np.asarray(session.run(None, {name: picture})[0], np.float64).reshape(-1)
        if scores.min() >= 0 and abs(scores.sum() - 1) < 1e-2:
            return scores
        powers = np.exp(scores - scores.max())
        return np.asarray(powers / powers.sum())

    return run


def run_subject(subject: Subject, path: Path, folder: Path, kept: dict[str, Any], limit: int, write: Path) -> None:
    """Measure up to so many photographs, those that are kept among them."""
    prepare = read_keywords({**subject.options, "images": str(folder)}).settings.preprocessing
    model = read_model(path)
    analysis = analyse(model)
    mine = kept.setdefault(subject.name, {})
    with tempfile.TemporaryDirectory() as temporary:
        networks = {BASE: opened(path)}
        for number, (row, options) in enumerate(LOCKS.items()):
            target = Path(temporary) / f"{number}.onnx"
            rewrite(model, analysis, Step(Strategy.GRID_LOCK, options), target)
            networks[row] = opened(target)
        for count, (label, levels) in enumerate(pictures(folder), 1):
            if count > limit:
                break
            if str(label) not in mine:
                mine[str(label)] = measured(levels, label, networks, prepare)
            if count % 20 == 0:
                write.write_text(json.dumps(kept) + "\n", encoding="utf-8")
                print(f"{subject.name}: {count}", file=sys.stderr)
    write.write_text(json.dumps(kept) + "\n", encoding="utf-8")


def table(kept: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]) -> str:
    """Markdown: a line for each way to cut, and two columns for each model."""
    names = [subject.name for subject in SUBJECTS if subject.name in kept]
    values = {name: {row: _of(kept[name], row) for row in (BASE, *ROWS)} for name in names}
    heads = [f"{name} ({len(kept[name])}): {what}" for name in names for what in ("accuracy", "probability")]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    base = [f"{100 * one:.1f} %" for name in names for one in values[name][BASE].mean(axis=0)]
    lines.append(f"| {BASE} | {' | '.join(base)} |")
    for row in ROWS:
        cells = []
        for name in names:
            gaps = 100 * (values[name][row] - values[name][BASE])
            errors = gaps.std(axis=0, ddof=1) / math.sqrt(len(gaps))
            cells += [f"{mean:+.1f} ± {error:.1f}" for mean, error in zip(gaps.mean(axis=0), errors, strict=True)]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _of(kept: Mapping[str, Mapping[str, Sequence[float]]], row: str) -> npt.NDArray[np.float64]:
    return np.array([one[row] for one in kept.values()])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, action="append", default=[], help="a folder of models; repeatable")
    parser.add_argument("--images", type=Path, help="a folder with a photograph per class; without it, what was kept")
    parser.add_argument("--limit", type=int, default=500, help="photographs per model")
    parser.add_argument("--json", type=Path, required=True, help="keep what was measured in this file")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="put the table between the marks of this page")
    parser.add_argument("--only", default="", help="models whose names hold this")
    given = parser.parse_args(arguments)
    kept = json.loads(given.json.read_text(encoding="utf-8")) if given.json.exists() else {}
    for subject in SUBJECTS:
        if given.images is not None and subject.labelled and given.only in subject.name:
            path = next(folder / subject.file for folder in given.models if (folder / subject.file).exists())
            run_subject(subject, path, given.images, kept, given.limit, given.json)
    if given.into is not None:
        page = given.into.read_text(encoding="utf-8")
        given.into.write_text(placed(page, table(kept), MARKS), encoding="utf-8", newline="\n")
    print(table(kept), end="")


if __name__ == "__main__":
    main()
