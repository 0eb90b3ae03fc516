"""The part of the page about what running a model on shifted images showed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.report.formats.html.charts import SHADES, curve_chart, map_chart
from auditor.report.formats.html.tree import Child, Element, element
from auditor.report.words.margins import margin_line
from auditor.report.words.measured import images_words, number
from auditor.report.words.numbers import percent_text
from auditor.report.words.over_time import HEAD, sentences, summary, time_rows
from auditor.text import count_text, plain
from auditor.verify.measures import MEASURES
from auditor.verify.measures.facts import Gate
from auditor.verify.result import DataKind, LayerResult, Measure, OutputResult, Verification
from auditor.verify.time.result import TimeResult

_MOST_MAPS = 12
_MOST_IMAGES = 8


def measured(found: Verification) -> Iterator[Child]:
    """Facts, then for each output its measures and curves, then the layers that lose most."""
    yield element("h3", "Measured on shifted images")
    yield element("p", " · ".join(_facts(found)), class_="facts")
    if found.incomplete:
        yield element("p", f"Incomplete: {plain(found.incomplete, None)}", class_="alert")
    if found.self_test is not None and not found.self_test.passed:
        yield element("p", "The same input gave different answers: this run says nothing about shifts.", class_="alert")
    for output in found.outputs:
        if len(found.outputs) > 1:
            yield element("h4", "Output ", element("code", plain(output.output)))
        yield _measures([one for one in output.measures if not one.protocol])
        if output.margin is not None:
            yield element("p", f"Margin: {margin_line(output.margin)}.")
        charts = [(curve.measure, curve_chart(curve)) for curve in output.curves]
        figures = [_figure(f"{plain(name)} by shift distance", chart) for name, chart in charts if chart is not None]
        if figures:
            yield element("div", figures, class_="figures")
        for beside in found.shifts.perturbations:
            yield element("h4", f"Beside shifts: {plain(beside.meaning)} ", element("code", plain(beside.name)))
            yield _measures([one for one in output.measures if one.protocol == beside.name])
        yield _images(output)
    if found.time is not None:
        yield from _over_time(found.time)
    if found.layers:
        yield from _layers(found.layers)


def headline(found: Verification) -> Measure | None:
    """The measure that stands for all of them at the top of the page."""
    named = (found.measure(facts.name) for facts in MEASURES.values() if facts.gate is Gate.CHANGE)
    return next((one for one in named if one is not None), None)


def interval(measure: Measure) -> str:
    """``90.1 % to 95.2 %``, or nothing where there is none."""
    span = measure.interval
    return "" if span is None else f"{number(span.low, measure.unit)} to {number(span.high, measure.unit)}"


def _facts(found: Verification) -> Iterator[str]:
    data, shifts = found.data, found.shifts
    built_in = ", built-in ones" if data.kind is DataKind.BUILTIN else ""
    yield f"{count_text(len(data.used), 'image')}{built_in}, {count_text(shifts.per_image, 'shifted input')} each"
    yield f"{shifts.protocol.value}, {shifts.reach}, seed {shifts.seed}"
    if shifts.counted:
        yield shifts.counted
    yield plain(found.preprocessing_words, None)
    yield f"{plain(found.provider.used)}, {plain(found.provider.software)}"
    yield from (plain(note) for note in found.notes)


def _measures(measures: Sequence[Measure]) -> Element:
    rows = []
    for one in measures:
        meaning = MEASURES[one.name].meaning if one.name in MEASURES else ""
        better = "higher is better" if one.higher_is_better else "lower is better"
        rows.append(
            element(
                "tr",
                element("th", plain(one.name), scope="row"),
                element("td", number(one.value, one.unit), class_="n"),
                element("td", interval(one) or "-", class_="n"),
                element("td", images_words(one), class_="n"),
                element("td", f"{meaning} ({better})" if meaning else better),
            )
        )
    head = [element("th", words, scope="col", class_=kind) for words, kind in _MEASURE_COLUMNS]
    return _table(head, rows)


_MEASURE_COLUMNS = (("measure", None), ("value", "n"), ("interval", "n"), ("rests on", "n"), ("meaning", None))


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
    head = [element("th", words, scope="col") for words in ("measure", *HEAD[1:])]
    rows = [
        element("tr", element("th", row.name, scope="row"), *(element("td", cell) for cell in row[1:]))
        for row in time_rows(found)
    ]
    yield _table(head, rows)
    yield element("ul", [element("li", sentence) for sentence in sentences(found)])


def _layers(layers: Sequence[LayerResult]) -> Iterator[Element]:
    yield element("h4", "Where equivariance is lost")
    worst = sorted(enumerate(layers), key=lambda item: (-item[1].added, item[0]))[:_MOST_MAPS]
    figures = []
    for _, layer in worst:
        name = layer.node.name if layer.node is not None and layer.node.name else layer.tensor
        words = [f"error {layer.added:+.3f} (in all {layer.error:.3f}), cosine {layer.cosine:.3f}"]
        if layer.alias_measured is not None:
            predicted = percent_text(layer.alias_predicted) or "?"
            words.append(f"alias energy {percent_text(layer.alias_measured)}, expected {predicted}")
        chart = map_chart(layer.map)
        caption = element("figcaption", element("code", plain(name, 80)), element("br"), "; ".join(words))
        figures.append(element("figure", chart, caption))
    yield element("div", figures, class_="maps")
    scale = [element("span", class_=f"swatch q{step}") for step in range(SHADES)]
    yield element(
        "p", "Maps: one cell per shift (right and down from no shift); cosine 1 ", scale, " 0", class_="legend"
    )


def _figure(caption: str, chart: Element) -> Element:
    return element("figure", element("figcaption", caption), chart)


def _table(head: Sequence[Element], rows: Sequence[Element]) -> Element:
    table = element("table", element("thead", element("tr", head)), element("tbody", rows))
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label="measures")
