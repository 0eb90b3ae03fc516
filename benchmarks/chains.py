"""Chains of rewrites measured beside their original, in pairs: what the benchmarks of locks and of strategies share.

A chain is done and measured as ``fix --strategy auto`` does it: both models on the same parts of the same pictures, the
original once. Changes are shares of the original's own value, with one standard error over the images; those of
:data:`POINTS` are points.
"""

from __future__ import annotations

import json
import math
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
from auditor.repair.original import Original, opened
from auditor.repair.staging import staged, staging
from auditor.rewrite.calibration.calibrate import Pictures
from auditor.rewrite.planning import windows
from auditor.rewrite.result import Lock, Options, Phases, RewriteError, Step, Strategy, WindowStart
from auditor.sampling.result import Analysis
from auditor.verify.options import read_keywords
from auditor.verify.result import Verification

ROUNDS = 40
DEAREST = 1.3
"""How much a window of averaging may cost, in multiply-adds."""
POINTS = frozenset({"consistency", "shifted-accuracy", "flicker", "massc", "cosine", "keypoint-consistency"})
Columns: TypeAlias = Sequence[tuple[str, str, str]]
"""Measures of a table, each with its perturbation and its heading."""
Chain: TypeAlias = Callable[[Model, Analysis], tuple[Step, ...]]


@dataclass(frozen=True, slots=True)
class Data:
    """What models are measured with. ``faces`` are photographs for the subjects that need them."""

    models: Sequence[Path]
    images: Path
    labels: Path | None
    faces: Path | None
    limit: int


@dataclass(frozen=True, slots=True)
class Subject:
    """A model: its file below a folder of models, how it is measured, and the columns of its table.

    ``near`` are the columns of a second run whose shifts are at most one pixel, for tasks without a measure of single
    steps. ``share`` of the images are enough for a slow model, and ``faces``: of photographs with faces.
    """

    name: str
    file: str
    options: Mapping[str, Any]
    columns: Columns
    near: Columns = ()
    labelled: bool = False
    share: float = 1.0
    faces: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One form on one model: by the heading of a column, the base, the change and its standard error.

    ``reason`` says why there are no numbers.
    """

    model: str
    form: str
    images: int
    cells: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    added: tuple[float, float] | None = None
    time: float | None = None
    work: float | None = None
    reason: str = ""


def locked(lock: Lock = Lock.SUB_PIXEL) -> Step:
    """A grid lock."""
    return Step(Strategy.GRID_LOCK, Options(lock=lock))


def averaged(phases: Phases = Phases.DIAGONAL, merge: str | None = None) -> Step:
    """Two or four shifts of the input, averaged at the outputs or at a node."""
    return Step(Strategy.INPUT_AVERAGE, Options(phases=phases, merges=() if merge is None else (merge,)))


def late(model: Model, analysis: Analysis) -> Step:
    """A window from the last site that has one, as long as it may be."""
    return _window([one for one in windows(model, analysis) if one.site is not None][::-1])


def early(model: Model, analysis: Analysis) -> Step:
    """The same from the first site."""
    return _window([one for one in windows(model, analysis) if one.site is not None])


def _window(starts: Sequence[WindowStart]) -> Step:
    for start in starts:
        within = [one for one in start.merges if one.flops is not None and one.flops <= DEAREST]
        if within and start.site is not None:
            return Step(Strategy.WINDOW_AVERAGE, Options(merges=(within[-1].node.raw,)), (start.site.node.name.raw,))
    raise RewriteError("no window of averaging within the cost")


@dataclass(frozen=True, slots=True)
class Measuring:
    """Measures chains on one subject. ``near``: the same with shifts of at most one pixel, for its further columns."""

    subject: Subject
    path: Path
    original: Original
    bench: Bench
    near: Bench

    def row(self, form: str, chain: Chain, pictures: Pictures | None = None, *, timed: bool = True) -> Row:
        """What a chain gains; ``pictures`` are those that blurs are calibrated on. Raises RewriteError."""
        source = (self.original.model, self.original.analysis)
        steps = chain(*source)
        with staging(None) as folder:
            new, done = staged(source, steps, folder, self.original.read, pictures)
            self.bench.gain(new, self.bench.images, timed=False)
            assert self.bench.pair is not None
            cells = told(self.bench.pair, self.subject.columns)
            tests = lock_trials(self.original, self.bench, new, steps)
            count = len(self.bench.pair[0].outputs[0].images)
            if self.subject.near:
                self.near.gain(new, self.near.images, timed=False)
                assert self.near.pair is not None
                cells |= told(self.near.pair, self.subject.near)
            costs = [one.flops for one in done]
            work = None if None in costs else math.prod(one for one in costs if one is not None)
            added = next(((one.change, one.bound) for one in tests if one.protocol == "noise:2"), None)
            time_ratio = cpu_time(self.path, new) if timed else None
            return Row(self.subject.name, form, count, cells, added, time_ratio, work)

    def time(self, chain: Chain, pictures: Pictures | None = None) -> float:
        """The time of a chain alone, over the original's."""
        source = (self.original.model, self.original.analysis)
        with staging(None) as folder:
            new, _ = staged(source, chain(*source), folder, self.original.read, pictures)
            return cpu_time(self.path, new)


def options_of(subject: Subject, data: Data, protocols: Sequence[str]) -> dict[str, Any]:
    """How ``verify`` measures a subject."""
    images = data.faces if subject.faces else data.images
    options = {**subject.options, "images": str(images), "images_limit": max(8, round(subject.share * data.limit))}
    if subject.labelled and data.labels is not None:
        options["labels"] = str(data.labels)
    return {**options, "device": "cpu", "protocol": list(protocols), "threads": 1}


@contextmanager
def measuring(subject: Subject, data: Data, protocols: Sequence[str], *, tested: bool = True) -> Iterator[Measuring]:
    """What measures chains on a subject; ``tested``: with the tests of a lock, whatever a chain holds."""
    options = options_of(subject, data, protocols)
    path = next(folder / subject.file for folder in data.models if (folder / subject.file).exists())
    with opened(path, Settings()) as original:
        request = read_keywords(options)
        bench = Bench(original, with_trials(original, request, (locked(),)) if tested else request)
        near = Bench(original, read_keywords({**options, "radius": 2, "protocol": ["crop"]}))
        yield Measuring(subject, path, original, bench, near)


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


def told(pair: tuple[Verification, Verification], columns: Columns) -> dict[str, tuple[float, float, float]]:
    """By the heading of a column: the original's value, the change and its standard error."""
    found = {}
    for name, protocol, title in columns:
        before, after = (one.outputs[0].measure(name, protocol) for one in pair)
        if before is None or after is None:
            continue
        base, new = np.asarray(before.per_image, float), np.asarray(after.per_image, float)
        told = np.isfinite(base) & np.isfinite(new)
        gaps = new[told] - base[told]
        if len(gaps) > 1:
            scale = 1.0 if name in POINTS else float(base[told].mean())
            error = float(gaps.std(ddof=1)) / math.sqrt(len(gaps))
            found[title] = (float(base[told].mean()), float(gaps.mean()) / scale, error / scale)
    return found


def value(number: float, in_points: bool) -> str:
    """A value of the original."""
    return f"{100 * number:.1f} %" if in_points else f"{number:.4f}"


def changed(cell: tuple[float, float, float] | None, in_points: bool) -> str:
    """A change with its standard error, in points or in per cent."""
    if cell is None:
        return "–"  # noqa: RUF001 - an en dash, as the docs write it
    _, change, error = cell
    unit = "" if in_points else " %"
    digits = 1 if in_points else 0
    return f"{100 * change:+.{digits}f} ± {100 * error:.{digits}f}{unit}"


def write(path: Path | None, rows: Iterable[Row]) -> None:
    """Keep rows for a later run."""
    if path is not None:
        path.write_text(json.dumps([asdict(one) for one in rows], indent=1) + "\n", encoding="utf-8")


def read(path: Path | None) -> list[Row]:
    """The rows that an earlier run kept."""
    if path is None or not path.exists():
        return []
    return [Row(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
