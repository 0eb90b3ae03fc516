"""The grid lock measured: what it gains under shifts and half a pixel, and what disturbances of the picture do to it.

    python -m benchmarks.lock --models DIR --images DIR [--labels CSV] [--limit N] [--json FILE] [--into PAGE]

Every row is one ``auditor.fix(..., strategy="grid-lock", verify=...)``: both models on the same parts of the same
pictures. Changes are shares of the original's own value, with one standard error over the images; those of consistency
and accuracy are points. ``--json`` keeps what was measured, ``--into`` writes the table between the marks of a page.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import auditor
from auditor.repair.result import Repaired
from auditor.verify.result import Verification
from benchmarks.ablation_table import placed

MARKS = "<!-- begin: grid lock -->", "<!-- end: grid lock -->"
ROUNDS = 40
PROTOCOLS = ("crop", "noise:2", "half-pixel", "object", "jpeg:75")


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


_CLASSES = (
    ("consistency", "", "consistency"),
    ("mac", "", "MAC"),
    ("mac-1px", "", "MAC, 1 px"),
    ("mac", "half-pixel", "half a pixel"),
    ("mac", "noise:2", "noise, 2"),
    ("mac", "jpeg:75", "JPEG, 75"),
    ("mac", "object", "object, 1 px"),
    ("shifted-accuracy", "", "accuracy over shifts"),
)
_BOXES = (
    ("score-deviation", "", "score"),
    ("centre-jitter", "", "centre"),
    ("score-deviation", "half-pixel", "score, half a pixel"),
    ("centre-jitter", "half-pixel", "centre, half a pixel"),
    ("score-deviation", "noise:2", "score, noise 2"),
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
        "YOLOX nano, 416",
        "detector/yolox_nano_416.onnx",
        {"preset": "yolox", "layout": "yolox", "box_score": 0.3},
        _BOXES,
        _NEAR,
        share=0.7,
    ),
)
FORMS: Mapping[str, Mapping[str, str]] = {
    "sub-pixel": {},
    "whole pixels": {"lock": "whole-pixel"},
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    given = _parser().parse_args(arguments)
    kept = {(row.model, row.form): row for row in _read(given.json)}
    for subject in SUBJECTS:
        for form in FORMS:
            if (given.only and given.only not in subject.name) or (given.form and given.form != form):
                continue
            if given.retime and (subject.name, form) in kept:
                kept[subject.name, form] = replace(
                    kept[subject.name, form], time=cpu_time(given.models / subject.file, form)
                )
            if given.limit:
                row = measure(subject, form, given.models, given.images, given.labels, given.limit)
                kept[row.model, row.form] = row
                _write(given.json, kept.values())
                print(f"{subject.name}, {form}: measured", file=sys.stderr)
    if given.retime:
        _write(given.json, kept.values())
    text = table(kept.values())
    if given.into is not None:
        page = given.into.read_text(encoding="utf-8")
        given.into.write_text(placed(page, text, MARKS), encoding="utf-8", newline="\n")
    print(text, end="")


def measure(subject: Subject, form: str, models: Path, images: Path, labels: Path | None, limit: int) -> LockRow:
    """One row."""
    options = {**subject.options, "images": str(images), "images_limit": max(8, round(subject.share * limit))}
    options |= {"device": "cpu", "protocol": list(PROTOCOLS)}
    if subject.labelled and labels is not None:
        options["labels"] = str(labels)
    model = models / subject.file
    done = _fixed(model, form, options)
    assert done.measured is not None
    cells = _cells(done.measured, subject.columns)
    if subject.near:
        near = _fixed(model, form, {**options, "radius": 2, "protocol": ["crop"]}).measured
        assert near is not None
        cells |= _cells(near, subject.near)
    noise = next(one for one in done.trials if one.protocol == "noise:2")
    count = len(done.measured[0].outputs[0].images)
    return LockRow(subject.name, form, count, cells, (noise.change, noise.bound), cpu_time(model, form))


def _fixed(model: Path, form: str, options: Mapping[str, Any]) -> Repaired:
    return auditor.fix(model, None, strategy="grid-lock", verify=dict(options), **FORMS[form])


def cpu_time(model: Path, form: str) -> float:
    """CPU time of the locked model over that of the original, on one thread: what other programs do does not count."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        locked = Path(folder) / "locked.onnx"
        auditor.fix(model, locked, strategy="grid-lock", **FORMS[form])
        runs = []
        for path in (model, locked):
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
            f"| | {' | '.join(titles)} | added by the choice, noise 2 | CPU time |",
            "|---" * (len(titles) + 3) + "|",
        ]
        base = [_value(mine[0].cells[title][0], title in points) for title in titles]
        lines.append(f"| original | {' | '.join(base)} | | x1 |")
        for row in mine:
            changes = [_change(row.cells.get(title), title in points) for title in titles]
            added = "" if row.added is None else f"{100 * row.added[0]:+.0f} % (at most {100 * row.added[1]:+.0f} %)"
            time = "" if row.time is None else f"x{row.time:.2f}"
            lines.append(f"| {row.form} | {' | '.join(changes)} | {added} | {time} |")
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
    parser.add_argument("--models", type=Path, default=Path("../shared/models"))
    parser.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--labels", type=Path, help="a CSV of file,class for them, with classes of ImageNet")
    parser.add_argument("--limit", type=int, default=60, help="photographs per model; 0 prints what was kept")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--into", type=Path)
    parser.add_argument("--only", default="", help="models whose names hold this")
    parser.add_argument("--retime", action="store_true", help="measure the time of kept rows again")
    parser.add_argument("--form", default="", help="this form alone")
    return parser


if __name__ == "__main__":
    main()
