"""Windows of averaging, measured: what they gain for what they cost, on pictures that nobody chose them by.

    python -m benchmarks.windows --models DIR --images DIR [--labels CSV] [--limit N]

Each window of :data:`WINDOWS` was chosen on other photographs. One ``aliasaudit fix --verify`` rewrites the model and
measures both on the same images and shifts, in pairs, and times them in turn, as ``benchmarks.ablation`` does; phase
averaging and input averaging stand beside them. ``--also`` and ``--json`` are as there; ``--into docs/ablation.md``
writes the tables between marks of their own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.ablation import Data, added, measure, parser, read, write
from benchmarks.ablation_subjects import SUBJECTS, Strategy, Subject
from benchmarks.ablation_table import by_model, placed

MARKS = "<!-- begin: windows -->", "<!-- end: windows -->"
INPUT = "input"
MEASURES = 5  # columns of a table: J stands beside MAC
BESIDE = (
    Strategy("phase average, last site", ("--strategy", "phase-average")),
    Strategy("input average, 2 shifts", ("--strategy", "input-average")),
)


def window(name: str, *pairs: tuple[str, str]) -> Strategy:
    """A row for windows, each of a site and a merge; the site may be the input, which then stands alone."""
    sites, merges = [site for site, _ in pairs], [merge for _, merge in pairs]
    if sites == [INPUT]:
        return Strategy(name, ("--strategy", "input-average", "--merge", *merges))
    told = [word for site, merge in pairs for word in ("--site", site, "--merge", merge)]
    return Strategy(name, ("--strategy", "window-average", *told))


WINDOWS: Mapping[str, Sequence[Strategy]] = {
    "SqueezeNet 1.0": (
        window("window, last site to fire8", ("MaxPool_32", "Concat_53")),
        window("window, last site to fire9", ("MaxPool_32", "Concat_60")),
        window(
            "windows, second site to fire3 and last site to fire8",
            ("MaxPool_2", "Concat_16"),
            ("MaxPool_32", "Concat_53"),
        ),
    ),
    "MobileNetV2": (
        window("window, last site to the last block", ("depthwise_conv_2d_48", "conv_2d_60")),
        window(
            "windows, first site to the stage of stride 8 and last site to the last block",
            ("conv_2d_0", "add_20"),
            ("depthwise_conv_2d_48", "conv_2d_60"),
        ),
    ),
    "YOLOX nano 416": (
        window("window, first convolution to the stage of stride 8", ("Conv_44", "Mul_115")),
        window("window, input to the stage of stride 8", (INPUT, "Mul_115")),
    ),
}
"""By subject of the ablation, or of ``--also``."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    given = parser("Measure windows of averaging.").parse_args(arguments)
    data = Data(given.models.resolve(), given.images.resolve(), _resolved(given), None, given.limit, given.threads)
    kept = read(given.json)
    known = [subject for subject in (*SUBJECTS, *map(added, given.also)) if subject.name in WINDOWS]
    for subject in known:
        if given.only and not any(word.lower() in subject.name.lower() for word in given.only):
            continue
        rows = [one for one in _rows(subject) if not given.strategy or any(w in one.name for w in given.strategy)]
        for row in measure(subject, rows, data):
            kept[row.model, row.rewrite] = row
            write(given.json, kept)
            print(f"{row.model}: {row.rewrite}: {row.reason or 'measured'}", file=sys.stderr)
    order = list(WINDOWS)
    text = by_model(sorted(kept.values(), key=lambda row: order.index(row.model)), MEASURES)
    if given.into is not None:
        page = given.into.read_text(encoding="utf-8")
        given.into.write_text(placed(page, text, MARKS), encoding="utf-8", newline="\n")
    print(text, end="")


def _rows(subject: Subject) -> Sequence[Strategy]:
    return (*WINDOWS[subject.name], *BESIDE)


def _resolved(given: argparse.Namespace) -> Path | None:
    labels: Path | None = given.labels
    return None if labels is None else labels.resolve()


if __name__ == "__main__":
    main()
