"""The part of the page about what running a model on shifted images showed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from auditor.report.formats.html.charts import Series, curve_chart, path_chart
from auditor.report.formats.html.compared import VERDICT_CLASSES
from auditor.report.formats.html.examples import examples
from auditor.report.formats.html.maps import legend, map_chart, scale_end
from auditor.report.formats.html.tables import Heading, labelled, table
from auditor.report.formats.html.tree import Child, Element, element
from auditor.report.words.margins import margin_line
from auditor.report.words.measured import images_words
from auditor.report.words.numbers import number, percent_text, signed_text
from auditor.report.words.over_time import sentences, summary, time_rows
from auditor.report.words.required import WORDS, reason, required_words
from auditor.report.words.ripple import ripple_line
from auditor.report.words.splitting import split_lines
from auditor.text import count_text, plain
from auditor.verify.measures import MEASURES
from auditor.verify.result import DataKind, ImageResult, Measure, OutputResult, ShiftAt, Track, Verification
from auditor.verify.time.result import TimeResult
from auditor.verify.verdict import Required

_MOST_MAPS = 12
_MOST_IMAGES = 8


def measured(found: Verification, period: int | None = None, with_examples: bool = True) -> Iterator[Child]:
    """For each output what people feel, its measures, curves and paths. ``period`` is that of the grid in pixels."""
    if found.incomplete:
        yield element("p", f"Incomplete: {plain(found.incomplete, None)}", class_="alert")
    if found.self_test is not None and not found.self_test.passed:
        yield element("p", "The same input gave different answers: this run says nothing about shifts.", class_="alert")
    if found.required is not None:
        yield from _required(found.required)
    for output in found.outputs:
        if len(found.outputs) > 1:
            yield element("h3", "Output ", element("code", plain(output.output)))
        if with_examples or not any(image.answers for image in output.images):
            yield from examples(found, output)
        yield from _paths(output, period)
        yield element("h3", "Measured on shifted images")
        yield element("p", " · ".join(_facts(found)), class_="facts")
        yield from _measures([one for one in output.measures if not one.protocol])
        if output.margin is not None:
            yield element("p", f"Margin: {margin_line(output.margin)}.")
        if output.splits:
            yield element("ul", [element("li", line) for line in split_lines(output)])
        if output.ripple is not None:
            yield element("p", f"Ripple: {ripple_line(output.ripple)}.")
        charts = [(curve.measure, curve_chart(curve)) for curve in output.curves]
        figures = [_figure(_by_distance(name), chart) for name, chart in charts if chart is not None]
        if figures:
            yield element("h3", "Steadiness by distance")
            yield element("p", _whiskers(found), class_="facts")
            yield element("div", figures, class_="figures")
        for beside in found.shifts.perturbations:
            yield element("h4", f"Beside shifts: {plain(beside.meaning)} ", element("code", plain(beside.name)))
            yield from _measures([one for one in output.measures if one.protocol == beside.name])
        yield _images(output)
    if found.time is not None:
        yield from _over_time(found.time)


def _required(asked: Required) -> Iterator[Element]:
    """What was asked of the model, whether it holds, and when the measurement ended."""
    verdict = asked.condition.verdict
    yield element("h3", "What was asked")
    yield element(
        "p",
        element("span", WORDS[verdict].lower(), class_=f"verdict {VERDICT_CLASSES[verdict.value]}"),
        f" {reason(asked)}.",
    )
    _, *lines = required_words(asked)
    yield from (element("p", f"{line}.".capitalize(), class_="facts") for line in lines)


def _by_distance(name: str) -> str:
    better = ""
    if name in MEASURES:
        better = "; higher is better" if MEASURES[name].higher_is_better else "; lower is better"
    return f"{plain(name)} by shift distance{better}"


def _whiskers(found: Verification) -> str:
    images = count_text(found.data.images, "image")
    return f"{images}; whiskers are intervals over them, the image is the unit. Shifts count {_pixels(found)}."


def _pixels(found: Verification) -> str:
    return "pixels of the picture" if found.shifts.at is ShiftAt.NATIVE else "pixels of the model's input"


def _paths(output: OutputResult, period: int | None) -> Iterator[Element]:
    """The answer along the path of the picture in which it moves most."""
    scores = [image for image in output.images if len(image.path) > 1]
    followed = [image for image in output.images if image.tracks]
    image: ImageResult
    if scores:
        image = max(scores, key=lambda one: max(one.path) - min(one.path))
        known = image.label if image.label is not None else image.reference
        series = [Series("the score" if known is None else f"class {known}", "probability", image.path)]
        charts = [path_chart(series, period, narrow=narrow) for narrow in (False, True)]
    elif followed:
        image = max(followed, key=lambda one: max(_range(track) for track in one.tracks))
        first = image.tracks[0]
        series = [
            Series(plain(track.name).partition(":")[0], track.unit, track.values)
            for track in image.tracks
            if track.unit == first.unit
        ]
        threshold = output.margin.threshold if output.margin is not None and output.margin.of == "score" else None
        charts = [path_chart(series, first.period or period, threshold, narrow) for narrow in (False, True)]
    else:
        return
    if charts[0] is None:
        return
    yield element("h3", "The answer along a path")
    yield element(
        "p",
        "The picture moves by one pixel a step, down and to the right. What the sampling grid does comes back every S"
        " pixels; what enters and leaves the picture does not.",
        class_="facts",
    )
    shares = [track.periodic for track in image.tracks if track.periodic is not None]
    words: list[Child] = [element("code", plain(image.name, 60))]
    if shares:
        words.append(f": {percent_text(max(shares))} of the movement of one line repeats with the grid")
    yield element("figure", element("figcaption", words), charts)


def _range(track: Track) -> float:
    known = [value for value in track.values if math.isfinite(value)]
    return max(known, default=0.0) - min(known, default=0.0)


def interval(measure: Measure) -> str:
    """``90.1 % to 95.2 %``, or nothing where there is none."""
    span = measure.interval
    return "" if span is None else f"{number(span.low, measure.unit)} to {number(span.high, measure.unit)}"


def _facts(found: Verification) -> Iterator[str]:
    data, shifts = found.data, found.shifts
    built_in = ", built-in ones" if data.kind is DataKind.BUILTIN else ""
    yield f"{count_text(data.images, 'image')}{built_in}, {count_text(shifts.per_image, 'shifted input')} each"
    yield f"{shifts.protocol.value}, {shifts.reach}, seed {shifts.seed}"
    if shifts.counted:
        yield shifts.counted
    yield plain(found.preprocessing_words, None)
    yield f"{plain(found.provider.used)}, {plain(found.provider.software)}"
    yield from (plain(note) for note in found.notes)


def _measures(measures: Sequence[Measure]) -> Iterator[Element]:
    rows = []
    for one in measures:
        meaning = MEASURES[one.name].meaning if one.name in MEASURES else ""
        better = "higher is better" if one.higher_is_better else "lower is better"
        cells = [
            element("th", plain(one.name), scope="row"),
            element("td", number(one.value, one.unit), class_="n"),
            element("td", interval(one) or "-", class_="n"),
            element("td", images_words(one), class_="n"),
            element("td", f"{meaning} ({better})" if meaning else better),
        ]
        rows.append(element("tr", labelled(cells, [column.name for column in _MEASURE_COLUMNS])))
    yield from table(_MEASURE_COLUMNS, rows, "measures")


_MEASURE_COLUMNS = (
    Heading("measure", "what was measured under the shifts"),
    Heading("value", "the mean over the images", number=True),
    Heading("interval", "between these ends the mean over all such images lies, with the confidence of the run", True),
    Heading("rests on", "how many of the images have the number", number=True),
    Heading("meaning", "what the number counts, and which way is better"),
)
_TIME_COLUMNS = (
    Heading("measure", "what was followed from frame to frame"),
    Heading("all", "over all frames"),
    Heading("at rest", "over the frames in which the scene stands still"),
    Heading("rests on", "how many frames or objects have the number"),
    Heading("meaning", "what the number counts"),
)


def _images(output: OutputResult) -> Element | None:
    unstable = sorted((image for image in output.images if image.flips > 0), key=lambda image: -image.flips)
    if not unstable:
        return None
    rows = [
        element("li", element("b", percent_text(image.flips)), " of shifts: ", element("code", plain(image.name, 80)))
        for image in unstable[:_MOST_IMAGES]
    ]
    return element("details", element("summary", "Least stable images"), element("ul", rows))


def _over_time(found: TimeResult) -> Iterator[Element]:
    yield element("h4", "Over time")
    yield element("p", summary(found), class_="facts")
    rows = [
        element(
            "tr",
            labelled(
                [element("th", row.name, scope="row"), *(element("td", cell) for cell in row[1:])],
                [column.name for column in _TIME_COLUMNS],
            ),
        )
        for row in time_rows(found)
    ]
    yield from table(_TIME_COLUMNS, rows, "measures over time")
    yield element("ul", [element("li", sentence) for sentence in sentences(found)])


def layers(found: Verification) -> Iterator[Element]:
    """Maps of the layers that lose most; nothing where none were measured."""
    if not found.layers:
        return
    worst = sorted(enumerate(found.layers), key=lambda item: (-item[1].added, item[0]))[:_MOST_MAPS]
    end = scale_end([layer for _, layer in worst])
    yield element("h3", "Where equivariance is lost")
    yield legend(end)
    figures = []
    for _, layer in worst:
        name = layer.node.name if layer.node is not None and layer.node.name else layer.tensor
        words = [f"error {layer.error:.2f}, {signed_text(layer.added)} here; cosine {layer.cosine:.3f}"]
        if layer.alias_measured is not None:
            expected = percent_text(layer.alias_predicted) or "?"
            words.append(f"alias energy {percent_text(layer.alias_measured)}, expected {expected}")
        caption = element("figcaption", element("code", plain(name, 80)), element("br"), "; ".join(words))
        figures.append(element("figure", caption, map_chart(layer.map, end)))
    yield element("div", figures, class_="maps")


def _figure(caption: str, chart: Element) -> Element:
    return element("figure", element("figcaption", caption), chart)
