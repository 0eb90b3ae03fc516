"""All strategies side by side on every kind of model: averages, windows, the grid lock, both, and blur.

    python -m benchmarks.strategies --models DIR [--models DIR] --images DIR --json FILE [--labels CSV] [--limit N]
    python -m benchmarks.strategies --models DIR [--models DIR] --images DIR --json FILE --times

Every row is a chain of rewrites, measured beside the original on the same parts of the same pictures: changes in points
or per cent of the original's value, with one standard error over the pictures. ``--choosing`` is a folder of other
photographs: on them blurs are calibrated and ``auto`` chooses, which is told on those of ``--images``. ``--json`` keeps
each row as soon as it is measured, and a later run leaves out what is there, so that it may be stopped at any time.
``--times`` measures nothing but the time of the rows that are kept, on an idle machine. ``--into`` writes the tables
between the marks of a page.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from auditor.onnxfile.graph import Model
from auditor.repair.job import RepairJob
from auditor.repair.pictures import WorkerPictures
from auditor.repair.search.run import searching
from auditor.repair.search.search import Budget
from auditor.rewrite.result import Camera, Lock, Options, Phases, Refit, RewriteError, Step, Strategy
from auditor.sampling.result import Analysis
from auditor.verify.errors import VerifyError
from auditor.verify.options import read_keywords
from benchmarks.ablation_table import placed
from benchmarks.chains import (
    POINTS,
    Chain,
    Data,
    Measuring,
    Row,
    Subject,
    averaged,
    changed,
    early,
    late,
    locked,
    measuring,
    options_of,
)
from benchmarks.chains import read as read_rows
from benchmarks.chains import value as shown
from benchmarks.chains import write as write_rows
from benchmarks.lock import SUBJECTS as MEASURED

MARKS = "<!-- begin: strategies -->", "<!-- end: strategies -->"
AUTO = "auto, chosen on other pictures"
MOST = 1.5
"""How much ``auto`` may cost in time."""
CALIBRATING = 60

_CLASSES = (
    ("consistency", "", "consistency"),
    ("mac", "", "MAC"),
    ("mac-1px", "", "MAC, 1 px"),
    ("mac", "half-pixel-resized", "MAC, half a pixel"),
    ("j", "", "J"),
    ("j-1px", "", "J, 1 px"),
    ("shifted-accuracy", "", "accuracy"),
)
_BOXES = (
    ("flicker", "", "flicker"),
    ("score-deviation", "", "score"),
    ("centre-jitter", "", "centre"),
    ("score-deviation", "half-pixel-resized", "score, half a pixel"),
)
_NEAR = (("score-deviation", "", "score, 1 px"), ("centre-jitter", "", "centre, 1 px"))
_MAPS = (
    ("massc", "", "same class"),
    ("equivariance-error", "", "equivariance error"),
    ("cosine", "", "cosine"),
)
_MAPS_NEAR = (("equivariance-error", "", "equivariance error, 1 px"),)
_JOINTS = (
    ("keypoint-consistency", "", "joints in place"),
    ("keypoint-jitter", "", "jitter"),
    ("j", "", "J"),
)
PATCHES = "DINO ViT-S/14, saliency"

SUBJECTS = (
    *(replace(one, columns=_CLASSES) for one in MEASURED[:3]),
    Subject(PATCHES, "vit.onnx", {"preset": "imagenet"}, _MAPS, _MAPS_NEAR, share=0.3),
    *(replace(one, columns=_BOXES, near=_NEAR) for one in MEASURED[3:]),
    Subject(
        "YOLOv8n, 320",
        "320n.onnx",
        {"preset": "unit", "layout": "yolov8", "box_score": 0.25},
        _BOXES,
        _NEAR,
        share=0.7,
        faces=True,
    ),
    Subject("PAN, skin and hair, 512", "segmentation/pan_mbv3s_skin_hair.onnx", {}, _MAPS, _MAPS_NEAR, share=0.25),
    Subject(
        "Selfie, landscape, 144x256",
        "segmentation/selfie_landscape_nhwc.onnx",
        {"preset": "unit"},
        _MAPS,
        _MAPS_NEAR,
    ),
    Subject("Face landmarks, 192", "keypoints/face_landmark_192.onnx", {"preset": "unit"}, _JOINTS, faces=True),
)


def _at_all(strategy: Strategy, phases: Phases = Phases.DIAGONAL) -> Chain:
    return lambda *_: (Step(strategy, Options(phases=phases)),)


def _blurred(model: Model, analysis: Analysis) -> tuple[Step, ...]:  # noqa: ARG001 - as all chains
    return (Step(Strategy.BLUR, Options(refit=Refit.LAST), calibrated=True),)


FORMS: Mapping[str, Chain] = {
    "two shifts of the input": lambda *_: (averaged(),),
    "four shifts of the input": lambda *_: (averaged(Phases.ALL),),
    "two phases of the last site": _at_all(Strategy.PHASE_AVERAGE),
    "four phases of the last site": _at_all(Strategy.PHASE_AVERAGE, Phases.ALL),
    "late window": lambda *model: (late(*model),),
    "early window": lambda *model: (early(*model),),
    "grid lock": lambda *_: (locked(),),
    "grid lock, whole pixels": lambda *_: (locked(Lock.WHOLE_PIXEL),),
    "grid lock, late window": lambda *model: (late(*model), locked()),
    "grid lock, early window": lambda *model: (early(*model), locked()),
    "grid lock, two shifts": lambda *_: (averaged(), locked()),
    "blur": _at_all(Strategy.BLUR),
    "blur, calibrated": _blurred,
}
CALIBRATED = frozenset({"blur, calibrated"})

_STEM = "/backbone/embeddings/patch_embeddings/projection/Conv"
_MERGES = {
    "at the first block": "/backbone/encoder/layer.0/mlp/fc1/MatMul",
    "after a third": "/backbone/encoder/layer.3/Add_1",
    "at the end": "/decoder/final_conv/Conv",
}


def _patches(phases: Phases, merge: str) -> Chain:
    return lambda *_: (Step(Strategy.WINDOW_AVERAGE, Options(phases=phases, merges=(merge,)), (_STEM,)),)


def _shifted(merge: str) -> Chain:
    return lambda *_: (averaged(Phases.ALL, merge),)


OF_PATCHES: Mapping[str, Chain] = {
    **{f"four phases of the patches, merged {name}": _patches(Phases.HALVES, node) for name, node in _MERGES.items()},
    **{f"four shifts of the input, merged {name}": _shifted(node) for name, node in _MERGES.items()},
    "grid lock": FORMS["grid lock"],
}


def protocols_of(subject: Subject) -> tuple[str, ...]:
    """What the columns of a subject are measured under."""
    return ("crop", *sorted({protocol for _, protocol, _ in subject.columns if protocol}))


def forms_of(subject: Subject) -> Mapping[str, Chain]:
    """The rows of a subject, beside ``auto``."""
    return OF_PATCHES if subject.name == PATCHES else FORMS


def chosen(bench: Measuring, choosing: Data) -> tuple[Step, ...]:
    """What ``auto`` takes on the pictures for choosing. Raises RewriteError where nothing helps."""
    request = read_keywords(options_of(bench.subject, choosing, ["crop"]))
    job = RepairJob(None, request, budget=Budget(cost=MOST), lock=Options(camera=Camera.MOVING))
    with searching(bench.original, job) as found:
        best = None if found.search is None else found.search.best
        if best is None:
            raise RewriteError("nothing helps within the budget")
        return best.candidate.steps


def measure(subject: Subject, data: Data, choosing: Data | None, kept: dict[tuple[str, str], Row], write: Path) -> None:
    """Every row of a subject that is not kept yet."""
    wanted = [form for form in (*forms_of(subject), AUTO) if (subject.name, form) not in kept]
    if not wanted:
        return
    with measuring(subject, data, protocols_of(subject), tested=False) as bench:
        for form in wanted:
            row = _measured(bench, form, choosing)
            if row is not None:
                kept[subject.name, form] = row
                write_rows(write, kept.values())
                print(f"{subject.name}: {form}: {row.reason or 'measured'}", file=sys.stderr)


def _measured(bench: Measuring, form: str, choosing: Data | None) -> Row | None:
    """A row, with the reason where a chain does not apply; None for what could not be measured, which is not kept."""
    subject = bench.subject
    pictures = None
    if choosing is None and (form == AUTO or form in CALIBRATED):
        return None
    if form in CALIBRATED and choosing is not None:
        fitted = replace(choosing, limit=CALIBRATING, labels=None)
        pictures = WorkerPictures(read_keywords(options_of(subject, fitted, ["crop"])))
    try:
        if form != AUTO:
            return bench.row(form, forms_of(subject)[form], pictures, timed=False)
        assert choosing is not None
        steps = chosen(bench, choosing)
        row = bench.row(form, lambda *_: steps, timed=False)
        return replace(row, form=f"{form}: {' and '.join(map(_named, steps))}")
    except RewriteError as error:
        return Row(subject.name, form, 0, reason=str(error))
    except VerifyError as error:
        print(f"{subject.name}: {form}: {error}", file=sys.stderr)
        return None


def _named(step: Step) -> str:
    return f"{step.strategy.value} {', '.join((*step.sites, *step.options.merges))}".strip()


def table(rows: Iterable[Row]) -> str:
    """A Markdown table per model: the original's values, the changes, the cost; what does not apply stands below."""
    models: dict[str, list[Row]] = {}
    for row in rows:
        models.setdefault(row.model, []).append(row)
    lines: list[str] = []
    for subject in SUBJECTS:
        mine = models.get(subject.name, [])
        told = sorted((row for row in mine if row.cells), key=lambda row: row.work or math.inf)
        if told:
            points = {title for name, _, title in subject.columns if name in POINTS}
            columns = [title for _, _, title in (*subject.columns, *subject.near)]
            titles = [title for title in columns if any(title in row.cells for row in told)]
            lines += [f"### {subject.name}, all strategies ({told[0].images} images)", ""]
            lines += [f"| | {' | '.join(titles)} | multiply-adds | time |", "|---" * (len(titles) + 3) + "|"]
            firsts = {title: next(row.cells[title] for row in told if title in row.cells) for title in titles}
            base = [shown(firsts[title][0], title in points) for title in titles]
            lines.append(f"| original | {' | '.join(base)} | x1 | x1 |")
            for row in told:
                cells = [changed(row.cells.get(title), title in points) for title in titles]
                costs = ["" if cost is None else f"x{cost:.2f}" for cost in (row.work, row.time)]
                lines.append(f"| {' | '.join((row.form, *cells, *costs))} |")
            lines.append("")
        refused = [f"{row.form} ({_short(row.reason)})" for row in mine if not row.cells]
        if refused:
            lines += [f"Without numbers on {subject.name}: {'; '.join(refused)}.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _short(reason: str) -> str:
    return reason.partition("; ")[0].replace("|", "/").replace("\n", " ")


def time_all(data: Data, kept: dict[tuple[str, str], Row], only: str, write: Path) -> None:
    """The times of the rows that are kept and can be made again without a choice or pictures."""
    for subject in SUBJECTS:
        forms = [form for form in forms_of(subject) if (found := kept.get((subject.name, form))) and found.cells]
        forms = [form for form in forms if form not in CALIBRATED]
        if only not in subject.name or not forms or (data.faces is None and subject.faces):
            continue
        with measuring(subject, data, protocols_of(subject), tested=False) as bench:
            for form in forms:
                row = kept[subject.name, form]
                kept[subject.name, form] = replace(row, time=bench.time(forms_of(subject)[form]))
                write_rows(write, kept.values())
                print(f"{subject.name}: {form}: timed", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    given = _parser().parse_args(arguments)
    kept = {(row.model, row.form.partition(":")[0]): row for row in read_rows(given.json)}
    data = Data(given.models, given.images, given.labels, given.faces, given.limit)
    choosing = None
    if given.choosing is not None:
        choosing = replace(data, images=given.choosing, labels=None, faces=given.choosing_faces or given.faces)
    if given.times:
        time_all(data, kept, given.only, given.json)
    elif given.limit:
        for subject in SUBJECTS:
            if given.only in subject.name and not (subject.faces and data.faces is None):
                measure(subject, data, choosing, kept, given.json)
    text = table(kept.values())
    if given.into is not None:
        page = given.into.read_text(encoding="utf-8")
        given.into.write_text(placed(page, text, MARKS), encoding="utf-8", newline="\n")
    print(text, end="")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, action="append", default=[], help="a folder of models; repeatable")
    parser.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--labels", type=Path, help="a CSV of file,class for them, with classes of ImageNet")
    parser.add_argument("--choosing", type=Path, help="a folder of other photographs, to choose and calibrate on")
    parser.add_argument("--faces", type=Path, help="a folder of photographs with faces")
    parser.add_argument("--choosing-faces", type=Path, help="a folder of others")
    parser.add_argument("--limit", type=int, default=60, help="photographs per model; 0 prints what was kept")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--into", type=Path)
    parser.add_argument("--only", default="", help="models whose names hold this")
    parser.add_argument("--times", action="store_true", help="measure the times of kept rows alone")
    return parser


if __name__ == "__main__":
    main()
