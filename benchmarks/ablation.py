"""Every rewrite on every kind of model, measured: what it gains, what it loses, what it costs.

    python -m benchmarks.ablation --models DIR --images DIR [--labels CSV] [--calibrate DIR] [--limit N]

For each model and rewrite one ``aliasaudit fix --verify`` rewrites the model and measures both on the same images and
shifts, in pairs, and times them in turn. Printed is a Markdown table per task. Test-time averaging, the network on
shifted copies of its input, is the row to beat at its cost. A rewrite that does not apply has its reason for numbers.

``--labels`` are classes of ImageNet, ``--calibrate`` is a folder of other photographs, without which calibrated rows
are left out. ``--also [NAME=]FILE=SETTINGS`` adds another classifier of ImageNet, prepared as that settings file says.
``--json FILE`` keeps what was measured: rows that a later run measures again are replaced, all others stay in the
table. ``--into docs/ablation.md`` writes the tables into the documentation.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ablation_subjects import STRATEGIES, SUBJECTS, Strategy, Subject, save_pictures
from benchmarks.ablation_table import Row, placed, table
from benchmarks.ablation_yolox import decoded

HERE = Path(__file__).resolve().parent
FEWEST = 8  # images below which no row is worth its line
CALIBRATING = 100  # pictures to calibrate on, fewer for slow models


@dataclass(frozen=True, slots=True)
class Data:
    """What the models are measured with."""

    models: Path
    images: Path
    labels: Path | None
    calibrate: Path | None
    limit: int
    threads: int = 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    given = parser("Measure every rewrite on every kind of model.").parse_args(arguments)
    data = Data(
        given.models.resolve(),
        given.images.resolve(),
        None if given.labels is None else given.labels.resolve(),
        None if given.calibrate is None else given.calibrate.resolve(),
        given.limit,
        given.threads,
    )
    kept = read(given.json)
    for subject in (*SUBJECTS, *map(added, given.also)):
        if _wanted(subject.name, given.only):
            for row in measure(subject, [one for one in STRATEGIES if _wanted(one.name, given.strategy)], data):
                kept[row.model, row.rewrite] = row
                write(given.json, kept)
                print(f"{row.model}: {row.rewrite}: {row.reason or 'measured'}", file=sys.stderr)
    text = table(sorted(kept.values(), key=_place))
    if given.into is not None:
        given.into.write_text(placed(given.into.read_text(encoding="utf-8"), text), encoding="utf-8", newline="\n")
    print(text, end="")


def measure(subject: Subject, strategies: Sequence[Strategy], data: Data) -> Iterator[Row]:
    """The rows of one model, one after the other."""
    model = data.models / subject.file
    images = max(FEWEST, round(subject.share * data.limit))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if subject.decode:
            model = decoded(model, folder / "decoded.onnx")
        source = data.images
        other = data.calibrate
        if subject.pictures is not None:
            source = save_pictures(subject.pictures, 2 * images, folder)
            # The second half is nothing that a calibration has seen.
            source, other = halves(source)
        settings = folder / "settings.toml"
        settings.write_text(_settings(subject, data.threads), encoding="utf-8")
        command = [sys.executable, "-m", "auditor", "fix", str(model), "-o", str(folder / "new.onnx"), "--verify"]
        command += ["--config", str(settings), "--output-format", "json"]
        command += ["--images", str(source), "--images-limit", str(images)]
        if subject.shape:
            command += ["--input-shape", subject.shape]
        if subject.labelled and data.labels is not None:
            command += ["--labels", str(data.labels)]
        for strategy in strategies:
            if strategy.calibrated and other is None:
                continue
            fitted = max(2 * FEWEST, round(subject.share * CALIBRATING))
            told = ["--calibrate", str(other), "--calibrate-images", str(fitted)] if strategy.calibrated else []
            done = subprocess.run(
                [*command, *strategy.arguments, *told], cwd=HERE.parent, capture_output=True, text=True, check=False
            )
            size = (folder / "new.onnx").stat().st_size if (folder / "new.onnx").exists() else 0
            yield _row(subject, strategy, done, size / model.stat().st_size, images)
            (folder / "new.onnx").unlink(missing_ok=True)


def halves(pictures: Path) -> tuple[Path, Path]:
    """Two array files with one half each of the pictures of another."""
    import numpy as np

    whole = np.load(pictures)
    paths = pictures.with_stem(f"{pictures.stem}-measured"), pictures.with_stem(f"{pictures.stem}-calibration")
    for path, part in zip(paths, np.split(whole, 2), strict=True):
        np.save(path, part)
    return paths


def _row(subject: Subject, strategy: Strategy, done: subprocess.CompletedProcess[str], size: float, images: int) -> Row:
    """What one run of ``fix`` says. It answers with a document, or with one line on stderr where it could not run."""
    start: Any = {"task": subject.task, "model": subject.name, "rewrite": strategy.name, "images": images}
    if not done.stdout.startswith("{"):
        lines = done.stderr.strip().splitlines() or [f"fix ended with {done.returncode} and said nothing"]
        return Row(**start, reason=lines[-1].removeprefix("aliasaudit: error: ").split(".onnx: ", 1)[-1])
    found = json.loads(done.stdout)
    if found["strategy"] != "auto":
        if found["gain"] is None:
            reasons = Counter(skip["reason"] for skip in found["skipped"])
            return Row(**start, reason=reasons.most_common(1)[0][0] if reasons else "no sampling site")
        return Row(**start, gain=found["gain"], multiply_adds=found["multiply_adds_ratio"], size=size)
    best = next((one for one in found["candidates"] if one["candidate"] == found["best"]), None)
    if best is None:
        return Row(**start, reason="nothing helps within the budget")
    note = f"chose {best['candidate']}"
    return Row(**start, gain=best["gain"], multiply_adds=best["multiply_adds_ratio"], size=size, note=note)


def _settings(subject: Subject, threads: int) -> str:
    """A settings file. That of an added model is taken as it is."""
    if isinstance(subject.options.get("settings"), str):
        return str(subject.options["settings"])
    values = {**subject.options, "threads": threads}
    return "[verify]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def added(text: str) -> Subject:
    """A further classifier, as ``--also`` names it."""
    named, equals, settings = text.rpartition("=")
    if not equals:
        raise SystemExit("--also takes [NAME=]FILE=SETTINGS")
    name, _, file = named.rpartition("=")
    options = {"settings": Path(settings).read_text(encoding="utf-8")}
    return Subject(name or Path(file).stem, SUBJECTS[0].task, str(Path(file).resolve()), options, labelled=True)


def _place(row: Row) -> tuple[int, int]:
    """Where a row stands in the page: tasks and models as in ``SUBJECTS``, models that were added behind them."""
    tasks = [one.task for one in SUBJECTS]
    names = [one.name for one in SUBJECTS]
    return (
        tasks.index(row.task) if row.task in tasks else len(tasks),
        names.index(row.model) if row.model in names else len(names),
    )


def _wanted(name: str, words: Sequence[str]) -> bool:
    return not words or any(word.lower() in name.lower() for word in words)


def read(path: Path | None) -> dict[tuple[str, str], Row]:
    """The rows that an earlier run kept."""
    if path is None or not path.exists():
        return {}
    found: Sequence[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {(row.model, row.rewrite): row for row in (Row(**one) for one in found)}


def write(path: Path | None, rows: Mapping[tuple[str, str], Row]) -> None:
    """Keep the rows for a later run."""
    if path is not None:
        document = json.dumps([row.values() for row in rows.values()], indent=1)
        path.write_text(document + "\n", encoding="utf-8")


def parser(description: str) -> argparse.ArgumentParser:
    """The options that this benchmark and the one of windows share."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--models", type=Path, required=True, help="the folder of models, with a folder per category")
    found.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    found.add_argument("--labels", type=Path, help="a CSV of file,class for them, with classes of ImageNet")
    found.add_argument("--calibrate", type=Path, help="a folder of other photographs")
    found.add_argument("--limit", type=int, default=60, help="so many images; fewer for slow models (default 60)")
    found.add_argument("--threads", type=int, default=1, help="threads of onnxruntime (default 1)")
    found.add_argument("--only", action="append", default=[], metavar="NAME", help="models whose name holds this")
    found.add_argument("--strategy", action="append", default=[], metavar="NAME", help="rewrites, likewise")
    found.add_argument("--also", action="append", default=[], metavar="[NAME=]FILE=SETTINGS", help="another classifier")
    found.add_argument("--into", type=Path, metavar="PAGE", help="put the tables between the marks of this page, too")
    found.add_argument("--json", type=Path, help="keep what was measured in this file, and begin with what it holds")
    return found


if __name__ == "__main__":
    main()
