"""The grid lock measured, alone and with averaging: what it gains, and what disturbances of the picture do to it.

    python -m benchmarks.lock --models DIR [--models DIR] --images DIR [--labels CSV] [--limit N] [--json FILE]

Every row is a chain of rewrites, done and measured as ``fix --strategy auto`` does it: both models on the same parts
of the same pictures. Nothing is chosen here, so that all pictures are for telling. Changes are shares of the original's
own value, with one standard error over the images; those of consistency and accuracy are points. ``--faces`` is a
folder of pictures with faces. ``--json`` keeps what was measured, ``--into`` writes the table between the marks of a
page. ``benchmarks.trained`` exports the EfficientNet; MobileNetV2 is that of the ablation.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from auditor.onnxfile.graph import Model
from auditor.policy.settings import Settings
from auditor.repair.bench import Bench
from auditor.repair.locked import lock_trials, with_trials
from auditor.repair.original import opened
from auditor.repair.staging import staged, staging
from auditor.rewrite.planning import windows
from auditor.rewrite.result import Lock, Options, RewriteError, Step, Strategy, WindowStart
from auditor.sampling.result import Analysis
from auditor.verify.options import read_keywords
from auditor.verify.result import Verification
from benchmarks.ablation_table import placed

MARKS = "<!-- begin: grid lock -->", "<!-- end: grid lock -->"
ROUNDS = 40
PROTOCOLS = ("crop", "noise:2", "half-pixel", "half-pixel-resized", "object", "jpeg:75")
DEAREST = 1.3
"""How much a window of averaging may cost, in multiply-adds."""
Form: TypeAlias = Callable[[Model, Analysis], tuple[Step, ...]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A model: its file below the folder of models, how it is measured, and the columns of its table.

    A column is a measure with its perturbation and its heading; ``near`` are those of a second run whose shifts are at
    most one pixel, for tasks that have no measure of single steps.
    """

    name: str
    file: str
    options: Mapping[str, Any]
    columns: Sequence[tuple[str, str, str]]
    near: Sequence[tuple[str, str, str]] = ()
    labelled: bool = False
    share: float = 1.0
    faces: bool = False


_CLASSES = (
    ("consistency", "", "consistency"),
    ("mac", "", "MAC"),
    ("mac-1px", "", "MAC, 1 px"),
    ("j", "", "J"),
    ("j-1px", "", "J, 1 px"),
    ("mac", "half-pixel-resized", "half a pixel"),
    ("mac", "half-pixel", "half a pixel before the resize"),
    ("mac", "noise:2", "noise, 2"),
    ("mac", "jpeg:75", "JPEG, 75"),
    ("mac", "object", "object, 1 px"),
    ("shifted-accuracy", "", "accuracy over shifts"),
)
_BOXES = (
    ("score-deviation", "", "score"),
    ("centre-jitter", "", "centre"),
    ("score-deviation", "half-pixel-resized", "score, half a pixel"),
    ("centre-jitter", "half-pixel-resized", "centre, half a pixel"),
    ("score-deviation", "noise:2", "score, noise 2"),
    ("score-deviation", "object", "score, object 1 px"),
    ("flicker", "", "flicker"),
)
_NEAR = (("score-deviation", "", "score, 1 px"), ("centre-jitter", "", "centre, 1 px"))

SUBJECTS = (
    Subject(
        "SqueezeNet 1.0",
        "derived/squeezenet1.0_fp32_from_fp16.onnx",
        {"preset": "caffe-bgr"},
        _CLASSES,
        labelled=True,
    ),
    Subject(
        "MobileNetV2",
        "mobilenetv2.onnx",
        {"preset": "raw", "mean": [128.0], "std": [128.0]},
        _CLASSES,
        labelled=True,
    ),
    Subject(
        "EfficientNet-Lite0",
        "efficientnet_lite0.onnx",
        {"preset": "raw", "mean": [127.0], "std": [128.0]},
        _CLASSES,
        labelled=True,
    ),
    Subject(
        "YOLOX nano, 416",
        "detector/yolox_nano_416.onnx",
        {"preset": "yolox", "layout": "yolox", "box_score": 0.3},
        _BOXES,
        _NEAR,
        share=0.7,
    ),
    Subject(
        "UltraFace RFB, 320",
        "detector/ultraface_rfb320.onnx",
        {"preset": "ultraface", "layout": "ultraface", "box_score": 0.5},
        _BOXES,
        _NEAR,
        share=0.7,
        faces=True,
    ),
)


def _lock(lock: Lock = Lock.SUB_PIXEL) -> Step:
    return Step(Strategy.GRID_LOCK, Options(lock=lock))


def _input(model: Model, analysis: Analysis, merge: str | None = None) -> Step:  # noqa: ARG001 - as all forms
    return Step(Strategy.INPUT_AVERAGE, Options(merges=() if merge is None else (merge,)))


def _late(model: Model, analysis: Analysis) -> Step:
    """A window from the last site that has one, as long as it may be."""
    return _window([one for one in windows(model, analysis) if one.site is not None][::-1])


def _early(model: Model, analysis: Analysis) -> Step:
    """The same from the first site."""
    return _window([one for one in windows(model, analysis) if one.site is not None])


def _window(starts: Sequence[WindowStart]) -> Step:
    for start in starts:
        within = [one for one in start.merges if one.flops is not None and one.flops <= DEAREST]
        if within and start.site is not None:
            return Step(Strategy.WINDOW_AVERAGE, Options(merges=(within[-1].node.raw,)), (start.site.node.name.raw,))
    raise RewriteError("no window of averaging within the cost")


FORMS: Mapping[str, Form] = {
    "sub-pixel": lambda *_: (_lock(),),
    "whole pixels": lambda *_: (_lock(Lock.WHOLE_PIXEL),),
    "sub-pixel, late window": lambda *model: (_late(*model), _lock()),
    "sub-pixel, early window": lambda *model: (_early(*model), _lock()),
    "sub-pixel, two shifts": lambda *model: (_input(*model), _lock()),
    "no lock, late window": lambda *model: (_late(*model),),
    "no lock, early window": lambda *model: (_early(*model),),
    "no lock, two shifts": lambda *model: (_input(*model),),
}
_POINTS = frozenset({"consistency", "shifted-accuracy", "flicker"})


@dataclass(frozen=True, slots=True)
class LockRow:
    """One form of the lock on one model: by the heading of a column, the base, the change and its standard error."""

    model: str
    form: str
    images: int
    cells: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    added: tuple[float, float] | None = None
    time: float | None = None
    work: float | None = None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    given = _parser().parse_args(arguments)
    kept = {(row.model, row.form): row for row in _read(given.json)}
    for subject in SUBJECTS:
        forms = [form for form in FORMS if not given.form or form in given.form]
        images = given.faces if subject.faces else given.images
        if not given.limit or images is None or (given.only and given.only not in subject.name):
            continue
        with _measuring(subject, given.models, images, given.labels, given.limit) as bench:
            for form in forms:
                try:
                    row = bench(form)
                except RewriteError as error:
                    print(f"{subject.name}, {form}: {error}", file=sys.stderr)
                    continue
                kept[row.model, row.form] = row
                _write(given.json, kept.values())
                print(f"{subject.name}, {form}: measured", file=sys.stderr)
    text = table(kept.values())
    if given.into is not None:
        page = given.into.read_text(encoding="utf-8")
        given.into.write_text(placed(page, text, MARKS), encoding="utf-8", newline="\n")
    print(text, end="")


@contextmanager
def _measuring(
    subject: Subject, models: Sequence[Path], images: Path, labels: Path | None, limit: int
) -> Iterator[Callable[[str], LockRow]]:
    """What measures a form of a subject; the original is measured once."""
    options = {**subject.options, "images": str(images), "images_limit": max(8, round(subject.share * limit))}
    options |= {"device": "cpu", "protocol": list(PROTOCOLS), "threads": 1}
    if subject.labelled and labels is not None:
        options["labels"] = str(labels)
    path = next(folder / subject.file for folder in models if (folder / subject.file).exists())
    with opened(path, Settings()) as original:
        bench = Bench(original, with_trials(original, read_keywords(options), (_lock(),)))
        near = Bench(original, read_keywords({**options, "radius": 2, "protocol": ["crop"]}))

        def measure(form: str) -> LockRow:
            steps = FORMS[form](original.model, original.analysis)
            with staging(None) as folder:
                new, done = staged((original.model, original.analysis), steps, folder, original.read, None)
                bench.gain(new, bench.images, timed=False)
                assert bench.pair is not None
                cells = _cells(bench.pair, subject.columns)
                tests = lock_trials(original, bench, new, steps)
                count = len(bench.pair[0].outputs[0].images)
                if subject.near:
                    near.gain(new, near.images, timed=False)
                    assert near.pair is not None
                    cells |= _cells(near.pair, subject.near)
                costs = [one.flops for one in done]
                work = None if None in costs else math.prod(one for one in costs if one is not None)
                added = next(((one.change, one.bound) for one in tests if one.protocol == "noise:2"), None)
                return LockRow(subject.name, form, count, cells, added, cpu_time(path, new), work)

        yield measure


def cpu_time(model: Path, rewritten: Path) -> float:
    """CPU time of the rewritten model over that of the original, on one thread: what other programs do counts not."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    runs = []
    for path in (model, rewritten):
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        (port,) = session.get_inputs()
        runs.append((session, {port.name: np.random.default_rng(0).random(port.shape, np.float32)}))
    taken: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for (session, feeds), times in zip(runs, taken, strict=True):
            session.run(None, feeds)
            start = time.process_time()
            session.run(None, feeds)
            times.append(time.process_time() - start)
    return float(np.median(taken[1]) / np.median(taken[0]))


def _cells(
    pair: tuple[Verification, Verification], columns: Sequence[tuple[str, str, str]]
) -> dict[str, tuple[float, float, float]]:
    found = {}
    for name, protocol, title in columns:
        before, after = (one.outputs[0].measure(name, protocol) for one in pair)
        if before is None or after is None:
            continue
        base, new = np.asarray(before.per_image, float), np.asarray(after.per_image, float)
        told = np.isfinite(base) & np.isfinite(new)
        gaps = new[told] - base[told]
        if len(gaps) > 1:
            scale = 1.0 if name in _POINTS else float(base[told].mean())
            error = float(gaps.std(ddof=1)) / math.sqrt(len(gaps))
            found[title] = (float(base[told].mean()), float(gaps.mean()) / scale, error / scale)
    return found


def table(rows: Iterable[LockRow]) -> str:
    """A Markdown table per model: the original's values, and the changes."""
    lines: list[str] = []
    models: dict[str, list[LockRow]] = {}
    for row in rows:
        models.setdefault(row.model, []).append(row)
    for subject in SUBJECTS:
        mine = models.get(subject.name)
        if not mine:
            continue
        points = {title for name, _, title in subject.columns if name in _POINTS}
        titles = [title for _, _, title in (*subject.columns, *subject.near) if title in mine[0].cells]
        lines += [f"**{subject.name}** ({mine[0].images} photographs)", ""]
        lines += [
            f"| | {' | '.join(titles)} | added by the choice, noise 2 | multiply-adds | CPU time |",
            "|---" * (len(titles) + 4) + "|",
        ]
        base = [_value(mine[0].cells[title][0], title in points) for title in titles]
        lines.append(f"| original | {' | '.join(base)} | | x1 | x1 |")
        for row in mine:
            changes = [_change(row.cells.get(title), title in points) for title in titles]
            added = "" if row.added is None else f"{100 * row.added[0]:+.0f} % (at most {100 * row.added[1]:+.0f} %)"
            costs = " | ".join("" if cost is None else f"x{cost:.2f}" for cost in (row.work, row.time))
            lines.append(f"| {row.form} | {' | '.join(changes)} | {added} | {costs} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _value(value: float, in_points: bool) -> str:
    return f"{100 * value:.1f} %" if in_points else f"{value:.4f}"


def _change(cell: tuple[float, float, float] | None, in_points: bool) -> str:
    if cell is None:
        return "–"  # noqa: RUF001 - an en dash, as the docs write it
    _, change, error = cell
    unit = "" if in_points else " %"
    digits = 1 if in_points else 0
    return f"{100 * change:+.{digits}f} ± {100 * error:.{digits}f}{unit}"


def _write(path: Path | None, rows: Iterable[LockRow]) -> None:
    if path is not None:
        path.write_text(json.dumps([asdict(one) for one in rows], indent=1) + "\n", encoding="utf-8")


def _read(path: Path | None) -> list[LockRow]:
    if path is None or not path.exists():
        return []
    return [LockRow(**one) for one in json.loads(path.read_text(encoding="utf-8"))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, action="append", default=[], help="a folder of models; repeatable")
    parser.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--labels", type=Path, help="a CSV of file,class for them, with classes of ImageNet")
    parser.add_argument("--limit", type=int, default=60, help="photographs per model; 0 prints what was kept")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--into", type=Path)
    parser.add_argument("--only", default="", help="models whose names hold this")
    parser.add_argument("--faces", type=Path, help="a folder of photographs with faces")
    parser.add_argument("--form", action="append", default=[], help="this form alone; repeatable")
    return parser


if __name__ == "__main__":
    main()
