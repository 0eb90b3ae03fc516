"""The report as one HTML file that a person wants to read: self-contained, dark and light, usable without a mouse.

The content security policy allows the page's own style sheet and its own script by their hashes and nothing else: no
inline styles, no handlers, no network, no images but those that are in the page. Everything that a model names is a
text node or an attribute value of an element tree (:mod:`auditor.report.formats.html.tree`).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

from auditor.facts.finding import Severity
from auditor.facts.report import ModelReport, Report
from auditor.onnxfile.graph import ModelFormat
from auditor.report import RenderOptions
from auditor.report.formats.html.cards import cards, counted, unprotected
from auditor.report.formats.html.findings import findings, sites_table
from auditor.report.formats.html.following import next_step
from auditor.report.formats.html.overview import overview
from auditor.report.formats.html.staircase import MOST_STEPS, Stair, staircase, steps, verdict_class
from auditor.report.formats.html.tree import Child, Element, element, prose, serialised
from auditor.report.words.grid import subsampling
from auditor.report.words.numbers import factor_text
from auditor.report.words.sentence import Sentence
from auditor.report.words.sheet import facts, summary
from auditor.report.words.targets import target_lines
from auditor.sampling.result import Head, HeadKind, SiteVerdict
from auditor.text import count_text, plain

_STYLE, _SCRIPT = "style.css", "page.js"
INDEX = "index.html"
"""The first page of a folder of pages."""

_HEADS = {
    HeadKind.POOLED: "global pooling: a low-pass before each subsampling makes it shift-invariant",
    HeadKind.POSITION_DEPENDENT: "weights per position: no low-pass can make it shift-invariant",
    HeadKind.CLASS_TOKEN: "reads one token after attention",
    HeadKind.ATTENTION: "learned queries read every position by attention: they may say where something is",
    HeadKind.DENSE: "a grid: it should move with the image",
    HeadKind.SEQUENCE: "a sequence: it should move with the input",
    HeadKind.DATA_DEPENDENT: "positions depend on the data",
    HeadKind.UNTRACKED: "the analysis lost track on the way",
    HeadKind.NO_GRID: "depends on no spatial axis",
}
_MOST_HEADS = 12


def render(report: Report, options: RenderOptions) -> str:  # noqa: ARG001 - every renderer has this signature
    """The report as one HTML document."""
    alone = len(report.models) == 1
    title = f"{plain(report.models[0].path).rpartition('/')[2]} - aliasaudit" if alone else "Report - aliasaudit"
    pictures = sum(_embedded(model) for model in report.models)
    footer = f"aliasaudit {plain(report.version)} · {summary(report)}"
    if pictures:
        footer += f" · {pictures} pictures embedded, leave them out with --no-thumbnails"
    return page(title, _body(report), footer, images=pictures > 0)


def folder(report: Report, options: RenderOptions) -> dict[str, str]:  # noqa: ARG001 - as the renderers
    """The report as a folder of pages, by file name: an overview called ``index.html``, and one page per model."""
    names = file_names([model.path for model in report.models])
    footer = f"aliasaudit {plain(report.version)} · {summary(report)}"
    content = [*_notes(report), *(overview(report.models, names) if report.models else ())]
    pages = {INDEX: page("Report - aliasaudit", content or [element("p", "No models were audited.")], footer)}
    summaries = {rule.code: rule.summary for rule in report.rules}
    for name, model in zip(names, report.models, strict=True):
        back = element("p", element("a", "all models", href=INDEX))
        section = element("section", _model(model, 1, summaries, alone=True), id="m1", class_="model")
        title = f"{plain(model.path).rpartition('/')[2]} - aliasaudit"
        pages[name] = page(title, [back, section], footer, images=_embedded(model) > 0)
    return pages


def file_names(paths: Sequence[str]) -> list[str]:
    """A file name for the page of each model, from the model's own; models of one name are told apart by a number."""
    taken = {INDEX}
    names = []
    for path in paths:
        stem = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in _stem(path))
        stem = stem.lstrip(".")[:80] or "model"
        name, number = f"{stem}.html", 2
        while name.lower() in taken:
            name, number = f"{stem}-{number}.html", number + 1
        taken.add(name.lower())
        names.append(name)
    return names


def _stem(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).name.removesuffix(".onnx")


def _embedded(model: ModelReport) -> int:
    if model.verification is None:
        return 0
    if model.comparison is not None and model.comparison.base_verification is not None:
        from auditor.report.formats.html.both_answers import embedded_of_both
        from auditor.report.formats.html.both_objects import embedded_objects

        pair = model.comparison.base_verification, model.verification
        return embedded_of_both(*pair) + embedded_objects(*pair)
    from auditor.report.formats.html.examples import embedded

    return embedded(model.verification)


def page(title: str, content: Iterable[Child], footer: str, style: str = "", images: bool = False) -> str:
    """A whole page around its content; ``title`` and ``footer`` are text.

    ``style`` comes on top of the page's own style sheet; ``images`` lets the page show pictures that are in it.
    """
    style, script = _asset(_STYLE) + style, _asset(_SCRIPT)
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        f"{'img-src data:; ' if images else ''}base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        Element("style", (), (), style),
    )
    body = element(
        "body",
        element("main", content),
        element("footer", footer),
        Element("script", (), (), script),
    )
    return f"<!DOCTYPE html>{serialised(element('html', head, body, lang='en'))}\n"


def _asset(name: str) -> str:
    return "\n" + Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _notes(report: Report) -> Iterator[Child]:
    if report.problems:
        yield element(
            "section",
            element("h2", "The audit is incomplete"),
            element("ul", (_problem(one.path, one.message) for one in report.problems)),
            class_="alert",
        )
    if report.remarks:
        yield element("ul", (element("li", plain(remark, None)) for remark in report.remarks))


def _body(report: Report) -> Iterator[Child]:
    yield from _notes(report)
    if len(report.models) > 1:
        yield from overview(report.models)
    summaries = {rule.code: rule.summary for rule in report.rules}
    for number, model in enumerate(report.models, 1):
        yield element(
            "section", _model(model, number, summaries, len(report.models) == 1), id=f"m{number}", class_="model"
        )
    if not (report.models or report.problems or report.remarks):
        yield element("p", "No models were audited.")


def _problem(path: str, message: str) -> Element:
    return element("li", element("code", plain(path)) if path else None, ": " if path else None, plain(message, None))


def _model(model: ModelReport, number: int, summaries: Mapping[str, str], alone: bool) -> Iterator[Child]:
    prefix = f"m{number}-site-"
    yield _header(model, alone)
    yield from cards(model, prefix)
    if model.comparison is not None:
        from auditor.report.formats.html.compared import compared

        yield from compared(model.comparison, model.verification, model.search)
    if model.search is not None:
        from auditor.report.formats.html.searched import searched

        yield from searched(model.search)
    if model.verification is not None:
        from auditor.report.formats.html.measured import measured

        total = model.analysis.subsampling
        period = int(total) if total is not None and total.denominator == 1 else None
        # A comparison shows the pictures with the answers of both models.
        yield from measured(model.verification, period, with_examples=model.comparison is None)
    picture = staircase(model.analysis, prefix)
    if picture is not None:
        yield element("h3", "Sampling sites")
        yield element("div", picture, class_="scroll picture", tabindex=0, role="region", aria_label="path of sites")
        yield _legend(steps(model.analysis.sites))
    yield from sites_table(model, prefix)
    if model.verification is not None:
        from auditor.report.formats.html.measured import layers

        yield from layers(model.verification)
    if model.findings or model.accepted:
        yield element("h3", "New findings" if model.baselined else "Findings and what to do")
        yield from findings(model, summaries, prefix)
    yield from _heads(model.analysis.heads)
    yield from next_step(model)


def _header(model: ModelReport, alone: bool) -> Element:
    """The file, then what the report says of it in one sentence, and what stands behind that."""
    folder, _, file = model.path.rpartition("/")
    words, kind = _pill(model)
    said, behind = _of_the_graph(model), [subsampling(model), *(f"T{line[1:]}." for line in target_lines(model))]
    if model.verification is not None:
        from auditor.report.words.measured_headline import lead, sentence

        said, behind = sentence(model.verification) or said, [*lead(model.verification), *behind]
    tone = None
    if model.comparison is not None:
        from auditor.report.formats.html.compared import TONES
        from auditor.report.words.compared_verdict import reason, verdict_sentence

        said = verdict_sentence(model.comparison)
        sign, kind = TONES[model.comparison.headline]
        words, tone = f"{sign} {model.comparison.headline.value.replace('-', ' ')}", kind
        why = reason(model.comparison)
        behind = [f"{why[:1].upper()}{why[1:]}."] if why else []
    title = [said.start, element("em", said.accent, class_=tone) if said.accent else None, said.end]
    return element(
        "header",
        element(
            "div",
            element(
                "div",
                element("p", element("code", plain(file)), class_="subject"),
                element("p", element("code", f"{plain(folder)}/") if folder else None, " " if folder else None,
                        " · ".join(facts(model)), class_="facts"),
            ),
            element("span", words, class_=f"verdict-pill {kind}"),
            class_="head",
        ),
        element("h1" if alone else "h2", title, class_="sentence"),
        element("p", prose(" ".join(behind)), class_="lead"),
    )  # fmt: skip


def _of_the_graph(model: ModelReport) -> Sentence:
    """What the static audit found, in one sentence."""
    sites, left = len(model.analysis.sites), unprotected(model)
    if model.format is not ModelFormat.ONNX:
        return Sentence("", "", "The graph of this model was not audited.")
    if not sites:
        return Sentence("", "", "No sampling site was found.")
    if not left:
        return Sentence("", "", "Every sampling site has a low-pass.")
    have = "has" if left == 1 else "have"
    return Sentence("", f"{left} of {count_text(sites, 'sampling site')}", f" {have} no low-pass.")


_SIGNS = {Severity.ERROR: "■", Severity.WARNING: "▲", Severity.NOTE: "●"}


def _pill(model: ModelReport) -> tuple[str, str]:
    """How many findings of the worst severity there are, with its sign and its class."""
    if model.verification is not None and model.verification.incomplete:
        return "○ incomplete", "open"
    counts = counted(model)
    worst = next((severity for severity, count in counts.items() if count), None)
    if worst is None:
        return "✓ no findings", "good"
    return f"{_SIGNS[worst]} {count_text(counts[worst], worst.value)}", worst.value


def _legend(every: Sequence[Stair]) -> Element:
    shown = {site.verdict for step in every for _, site in step.sites}
    verdicts = [
        element("span", one.value, class_=f"verdict {verdict_class(one)}")
        for one in SiteVerdict
        if one is not SiteVerdict.LABELS or one in shown
    ]
    words = (
        "A ring is filled by the expected alias energy: the share of the power that is expected to fold, half to twice"
        " that on photographs. The flat one is of white noise, and says whether the filter is a low-pass."
    )
    if any(last.end != step.start for last, step in pairwise(every[:MOST_STEPS])):
        words += " Dashed: back to a finer grid, on another branch or by upsampling."
    if len(every) > MOST_STEPS:
        words += f" The first {MOST_STEPS} of {len(every)} steps are shown; the table has all."
    return element("p", verdicts, " ", words, class_="legend")


def _heads(heads: Sequence[Head]) -> Iterator[Element]:
    if not heads:
        return
    yield element("h3", "Outputs")
    rows = [
        element("li", element("code", plain(head.output)), f": {'; '.join(_head_facts(head))}")
        for head in heads[:_MOST_HEADS]
    ]
    if len(heads) > _MOST_HEADS:
        rows.append(element("li", f"and {len(heads) - _MOST_HEADS} more"))
    yield element("ul", rows, class_="heads")


def _head_facts(head: Head) -> Iterator[str]:
    yield _HEADS[head.kind]
    if head.kind is HeadKind.DENSE and head.global_context:
        yield "every place has seen the whole input"
    if head.subsampling is not None:
        yield f"cumulative factor {factor_text(head.subsampling)}"
