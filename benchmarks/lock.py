"""The grid lock measured, alone and with averaging: what it gains, and what disturbances of the picture do to it.

    python -m benchmarks.lock --models DIR [--models DIR] --images DIR [--labels CSV] [--limit N] [--json FILE]

Every row is a chain of rewrites, done and measured as ``fix --strategy auto`` does it: both models on the same parts
of the same pictures. Nothing is chosen here, so that all pictures are for telling. Changes are shares of the original's
own value, with one standard error over the images; those of consistency and accuracy are points. ``--faces`` is a
folder of pictures with faces. ``--json`` keeps what was measured, ``--into`` writes the table between the marks of a
page. ``benchmarks/trained.py`` makes the EfficientNet, ``benchmarks/mobilenetv2.py`` MobileNetV2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from auditor.rewrite.result import Lock, RewriteError
from benchmarks.ablation_table import placed
from benchmarks.chains import POINTS, Chain, Data, Row, Subject, averaged, changed, early, late, locked, measuring
from benchmarks.chains import read as read_rows
from benchmarks.chains import value as shown
from benchmarks.chains import write as write_rows

MARKS = "<!-- begin: grid lock -->", "<!-- end: grid lock -->"
PROTOCOLS = ("crop", "noise:2", "half-pixel", "half-pixel-resized", "object", "jpeg:75")

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


FORMS: Mapping[str, Chain] = {
    "sub-pixel": lambda *_: (locked(),),
    "whole pixels": lambda *_: (locked(Lock.WHOLE_PIXEL),),
    "sub-pixel, late window": lambda *model: (late(*model), locked()),
    "sub-pixel, early window": lambda *model: (early(*model), locked()),
    "sub-pixel, two shifts": lambda *_: (averaged(), locked()),
    "no lock, late window": lambda *model: (late(*model),),
    "no lock, early window": lambda *model: (early(*model),),
    "no lock, two shifts": lambda *_: (averaged(),),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    given = _parser().parse_args(arguments)
    kept = {(row.model, row.form): row for row in read_rows(given.json)}
    data = Data(given.models, given.images, given.labels, given.faces, given.limit)
    for subject in SUBJECTS:
        forms = [form for form in FORMS if not given.form or form in given.form]
        there = data.faces if subject.faces else data.images
        if not given.limit or there is None or (given.only and given.only not in subject.name):
            continue
        with measuring(subject, data, PROTOCOLS) as bench:
            for form in forms:
                try:
                    row = bench.row(form, FORMS[form])
                except RewriteError as error:
                    print(f"{subject.name}, {form}: {error}", file=sys.stderr)
                    continue
                kept[row.model, row.form] = row
                write_rows(given.json, kept.values())
                print(f"{subject.name}, {form}: measured", file=sys.stderr)
    text = table(kept.values())
    if given.into is not None:
        page = given.into.read_text(encoding="utf-8")
        given.into.write_text(placed(page, text, MARKS), encoding="utf-8", newline="\n")
    print(text, end="")


def table(rows: Iterable[Row]) -> str:
    """A Markdown table per model: the original's values, and the changes."""
    lines: list[str] = []
    models: dict[str, list[Row]] = {}
    for row in rows:
        models.setdefault(row.model, []).append(row)
    for subject in SUBJECTS:
        mine = models.get(subject.name)
        if not mine:
            continue
        points = {title for name, _, title in subject.columns if name in POINTS}
        titles = [title for _, _, title in (*subject.columns, *subject.near) if title in mine[0].cells]
        lines += [f"**{subject.name}** ({mine[0].images} photographs)", ""]
        lines += [
            f"| | {' | '.join(titles)} | added by the choice, noise 2 | multiply-adds | CPU time |",
            "|---" * (len(titles) + 4) + "|",
        ]
        base = [shown(mine[0].cells[title][0], title in points) for title in titles]
        lines.append(f"| original | {' | '.join(base)} | | x1 | x1 |")
        for row in mine:
            changes = [changed(row.cells.get(title), title in points) for title in titles]
            added = "" if row.added is None else f"{100 * row.added[0]:+.0f} % (at most {100 * row.added[1]:+.0f} %)"
            costs = " | ".join("" if cost is None else f"x{cost:.2f}" for cost in (row.work, row.time))
            lines.append(f"| {row.form} | {' | '.join(changes)} | {added} | {costs} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


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
