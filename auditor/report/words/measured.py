"""What a verification measured, as lines of text for people: numbers with intervals, a bar per distance, worst layers.

Every line begins with words or numbers of our own; names of images, nodes and tensors are opened by
:func:`auditor.text.plain` only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from auditor.report.words.margins import margin_line
from auditor.report.words.measured_headline import headline_measure
from auditor.report.words.numbers import number, percent_text
from auditor.report.words.over_time import HEAD, sentences, summary, time_rows
from auditor.report.words.required import required_words
from auditor.report.words.ripple import ripple_line
from auditor.report.words.splitting import split_lines
from auditor.text import count_text, plain
from auditor.verify.interval import Interval
from auditor.verify.layers.result import LayerResult
from auditor.verify.measures import MEASURES
from auditor.verify.result import (
    Curve,
    DataKind,
    Measure,
    OutputResult,
    Provider,
    Track,
    Verification,
)
from auditor.verify.statistics import FEW_IMAGES

_BAR = 30
_WORST_LAYERS = 8
_LISTED = 5
_PLOT = 7  # rows
_STEPS = 96  # columns of such a plot
_SOURCES = {
    DataKind.FOLDER: "from a folder",
    DataKind.ARRAYS: "from an array file",
    DataKind.CALLABLE: "from a function",
    DataKind.FRAMES: "frames of a folder",
    DataKind.VIDEO: "frames of a video",
    DataKind.BUILTIN: "built in: they rank models, they are no accuracy on your data",
}


def run_words(found: Verification) -> str:
    """``98 inputs run in 3 s``; documents hold no time, and shards that ran apart have none in common."""
    words = f"{count_text(found.runs, 'input')} run"
    return f"{words} in {found.seconds:.0f} s" if found.seconds else words


def measured_lines(found: Verification, unicode: bool = False) -> list[str]:
    """The lines of one verification, without indent."""
    lines = [*condition_lines(found), ""]
    for output in found.outputs:
        if len(found.outputs) > 1:
            lines.append(f"output {plain(output.output)} ({output.task.value})")
        lines += _columns([measure_cells(measure) for measure in output.measures if not measure.protocol])
        if output.margin is not None:
            lines += ["", f"margin: {margin_line(output.margin)}"]
        if output.splits:
            lines += ["", *split_lines(output)]
        if output.ripple is not None:
            lines += ["", f"ripple: {ripple_line(output.ripple)}"]
        for curve in output.curves:
            lines += ["", f"{curve.measure} by shift distance", *_curve(curve, unicode)]
        for beside in found.shifts.perturbations:
            cells = [measure_cells(one)[:4] for one in output.measures if one.protocol == beside.name]
            lines += ["", f"{beside.name}: {beside.meaning}", *_columns(cells)]
        lines += [*_tracks(output, unicode), *_worst_images(output)]
    if found.time is not None:
        rows = [(row.name, row.everything, row.at_rest, row.rests_on, row.meaning) for row in time_rows(found.time)]
        lines += ["", summary(found.time), *_columns([HEAD, *rows]), *(f"  {line}" for line in sentences(found.time))]
    if found.layers:
        lines += ["", "layers, largest added error first", *_columns(_layers(found.layers)), *_agreement(found.layers)]
    return lines


def quiet_lines(found: Verification) -> Iterator[str]:
    """What was asked of the model and whether it holds, else the measure that stands for all of them."""
    if found.incomplete:
        yield f"incomplete: {found.incomplete}"
    if found.required is not None:
        yield from required_words(found.required)
        return
    measure = headline_measure(found)
    if measure is not None:
        yield "  ".join(measure_cells(measure)[:4])


def condition_lines(found: Verification) -> Iterator[str]:
    """What the numbers were measured with, on what, for how long, and what to know about it."""
    shifts, data = found.shifts, found.data
    if found.incomplete:
        yield f"incomplete: {found.incomplete}"
    if found.required is not None:
        yield from required_words(found.required)
    yield (
        f"measured on {count_text(data.images, 'image')} ({_SOURCES[data.kind]}), "
        f"{count_text(shifts.per_image, 'shifted input')} each"
    )
    yield (
        f"protocol {shifts.protocol.value}, windows of {shifts.window[0]}x{shifts.window[1]} px, "
        f"{shifts.reach}, seed {shifts.seed}"
    )
    if shifts.counted:
        yield shifts.counted
    if shifts.perturbations:
        yield f"beside the shifts: {', '.join(one.name for one in shifts.perturbations)}"
    yield found.preprocessing_words
    yield _provider(found.provider)
    # The self-test runs an input of some images twice, which is more than a loop would where none are equal.
    reuse = f"; without reuse of equal inputs {found.naive_runs}" if found.naive_runs > found.runs else ""
    yield f"{run_words(found)}, {found.shared_batch} at a time{reuse}"
    if found.self_test is not None:
        test = found.self_test
        words = "passed" if test.passed else "FAILED: the run is void"
        yield (
            f"self-test {words}: the same input twice gave the same answer in {percent_text(test.agreement)} of the "
            f"cases, outputs differ by at most {test.difference:.2g}"
        )
    if data.images < FEW_IMAGES:
        yield f"few images: the intervals of {data.images} images are wide, use {FEW_IMAGES} or more"
    for location, digest in found.external:
        yield f"weights {plain(location)} sha256 {digest}"
    for rejected in data.rejected[:_LISTED]:
        yield f"left out {plain(rejected.name)}: {plain(rejected.reason)}"
    if len(data.rejected) > _LISTED:
        yield f"left out {len(data.rejected) - _LISTED} more images (all in the JSON report)"
    for note in found.notes:
        yield f"note: {plain(note)}"


def _provider(provider: Provider) -> str:
    total = sum(count for _, count in provider.placement)
    used = sum(count for name, count in provider.placement if name == provider.used)
    nodes = "no compute nodes" if provider.others else "where its nodes ran was not read back"
    if total:
        nodes = f"{used} of {count_text(total, 'compute node')}"
    return (
        f"ran on {provider.used} ({nodes}), {provider.software}, "
        f"{count_text(provider.threads, 'thread')}, --device {provider.asked}"
    )


def images_words(measure: Measure) -> str:
    """On how many of the images a measure rests."""
    return f"{measure.images} of {count_text(measure.all_images, 'image')}"


def _interval(interval: Interval | None, unit: str) -> str:
    if interval is None:
        return "(no interval)"
    if unit == "share":
        return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    digits = {"px": 2, "variance": 4}.get(unit, 3)
    return f"[{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def measure_cells(measure: Measure) -> tuple[str, str, str, str, str]:
    """Name, value, interval, images and meaning of a measure."""
    meaning = MEASURES[measure.name].meaning if measure.name in MEASURES else ""
    value = number(measure.value, measure.unit)
    return measure.name, value, _interval(measure.interval, measure.unit), images_words(measure), meaning


def _curve(curve: Curve, unicode: bool) -> Iterator[str]:
    facts = MEASURES.get(curve.measure)
    unit = facts.unit if facts is not None else "ratio"
    most = max((point.value for point in curve.points if not math.isnan(point.value)), default=0.0)
    scale = 1.0 if unit in ("share", "probability") and most > 0.25 else most or 1.0
    full, empty = ("█", "·") if unicode else ("#", ".")
    rows = []
    for point in curve.points:
        filled = 0 if math.isnan(point.value) else round(_BAR * min(max(point.value / scale, 0.0), 1.0))
        bar = full * filled + empty * (_BAR - filled)
        rows.append((f"{point.distance:g} px", bar, number(point.value, unit), _interval(point.interval, unit)))
    yield from _columns(rows)


def _tracks(output: OutputResult, unicode: bool) -> Iterator[str]:
    """The answers along the path of the picture in which they move most."""
    images = [image for image in output.images if image.tracks]
    image = output.most_moved
    if image is None:
        return
    yield ""
    yield f"along a path of one-pixel steps, {plain(image.name)}"
    for track in image.tracks:
        yield from ("", *_plot(track, unicode))
    known = [track.periodic for image in images for track in image.tracks if track.periodic is not None]
    if known:
        yield ""
        share = percent_text(sum(known) / len(known))
        tracks = f"{count_text(len(known), 'track')} in {count_text(len(images), 'image')}"
        yield f"on average {share} of the variance of {tracks} repeats with the grid"


def track_words(track: Track) -> str:
    """What was followed, where it began, and how strong its part of the grid's period is."""
    strength = "no strength told: the path is shorter than two periods, or nothing moves"
    if track.periodic is not None:
        strength = f"{percent_text(track.periodic)} of its variance repeats every {track.period} px"
    elif track.period is None:
        strength = "the cumulative factor is not known"
    return f"{plain(track.name)} {number(track.values[0], track.unit)}: {strength}"


def _plot(track: Track, unicode: bool) -> Iterator[str]:
    """One series as dots over its steps, with the grid's period marked, and the strength of what repeats with it."""
    dot, mark, base = ("•", "│", "─") if unicode else ("*", "|", "-")
    low, high = min(track.values), max(track.values)
    yield track_words(track)
    # A longer path than the terminal is wide is shown at every second step, or third, ...
    every = -(-len(track.values) // _STEPS)
    levels = [round((value - low) / ((high - low) or 1.0) * (_PLOT - 1)) for value in track.values[::every]]
    marks = {step // every for step in track.marks}
    for row in reversed(range(_PLOT)):
        cells = [dot if level == row else mark if step in marks else " " for step, level in enumerate(levels)]
        label = number(high, track.unit) if row == _PLOT - 1 else number(low, track.unit) if row == 0 else ""
        yield f"{label:>10} {mark}{''.join(cells).rstrip()}"
    yield f"{'':10} {base * (len(levels) + 1)} {len(track.values) - 1} px"


def _worst_images(output: OutputResult) -> list[str]:
    unstable = sorted((image for image in output.images if image.flips > 0), key=lambda image: -image.flips)
    if not unstable:
        return []
    rows = [(f"{percent_text(image.flips)} of shifts", plain(image.name, 60)) for image in unstable[:_LISTED]]
    return ["", "least stable images", *_columns(rows)]


def _layers(layers: Sequence[LayerResult]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("added", "error", "cosine", "total", "alias measured/expected", "layer")]
    for layer in sorted(layers, key=lambda layer: -layer.added)[:_WORST_LAYERS]:
        total = "x".join("?" if factor is None else f"{factor:g}" for factor in dict.fromkeys(layer.cumulative))
        alias = f"{percent_text(layer.alias_measured) or '?'}/{percent_text(layer.alias_predicted) or '?'}"
        name = layer.node.name if layer.node is not None and layer.node.name else layer.tensor
        rows.append((f"{layer.added:.3f}", f"{layer.error:.3f}", f"{layer.cosine:.3f}", total, alias, plain(name, 80)))
    return rows


# Measured and expected alias energies are held against the limits of hidden maps.
_LIMITS = (0.05, 0.1, 0.25)


def _agreement(layers: Sequence[LayerResult]) -> Iterator[str]:
    """How often what was expected leads to the same verdict as what was measured."""
    pairs = [
        (_verdict(layer.alias_measured), _verdict(layer.alias_predicted))
        for layer in layers
        if layer.alias_measured is not None and layer.alias_predicted is not None
    ]
    if not pairs:
        return
    same, near = sum(a == b for a, b in pairs), sum(abs(a - b) <= 1 for a, b in pairs)
    yield f"  alias energy: measured and expected lead to the same verdict at {same} of {len(pairs)} sites, within"
    yield f"  one step at {near}; added: the error on top of what was inherited, no ranking of aliasing"


def _verdict(share: float) -> int:
    return sum(share >= limit for limit in _LIMITS)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Left-aligned columns two spaces apart under an indent."""
    if not rows:
        return []
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)][:-1]
    return [
        "  " + "".join(f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=False)) + row[-1] for row in rows
    ]
