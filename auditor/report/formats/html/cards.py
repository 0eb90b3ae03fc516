"""The few numbers at the top of a model's section, each in a card, and below them what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditor.facts.finding import Severity
from auditor.facts.report import ModelReport
from auditor.report.formats.html.tables import Heading, meanings
from auditor.report.formats.html.tree import Child, Element, element
from auditor.report.words.numbers import factor_text, percent_text
from auditor.report.words.place import node_name
from auditor.sampling.result import SiteVerdict
from auditor.text import count_text, plain

_LONGEST = 40
_FOLDS = (SiteVerdict.ALIASED, SiteVerdict.WEAK_FILTER)
_WORST_FIRST = sorted(Severity, key=lambda severity: -severity.rank)
_FINDINGS = "places that a rule speaks about, of all severities; those that are accepted do not count"
_FACTOR = "how many times coarser than the input the coarsest grid is: only shifts by multiples of it can be exact"
_SITES = "nodes that make the grid coarser without a low-pass in front, of all such nodes"
_EXPECTED = "share of the activations that is expected to fold at the worst site, half to twice that on photographs"
_FLAT = "share of white noise that folds at the worst site"


@dataclass(frozen=True, slots=True)
class _Card:
    """A number with its name above it, what stands below it, its colour, and what it means."""

    label: str
    value: str
    below: Sequence[Child]
    kind: str
    meaning: str

    @property
    def element(self) -> Element:
        """The card as it stands on the page."""
        parts = [part for index, child in enumerate(self.below) for part in ((" · ", child) if index else (child,))]
        return element(
            "div",
            element("dt", self.label),
            element("dd", element("b", self.value), element("span", parts)),
            class_=f"tile {self.kind}".strip(),
            title=self.meaning or None,
        )


def cards(model: ModelReport, prefix: str) -> Iterator[Element]:
    """The cards of a model; ``prefix`` begins the addresses of its sites."""
    shown = list(_cards(model, prefix))
    yield element("dl", (card.element for card in shown), class_="tiles")
    explained = [Heading(card.label, card.meaning) for card in shown if card.meaning]
    if explained:
        yield meanings(explained, "What the numbers mean")


def counted(model: ModelReport) -> Mapping[Severity, int]:
    """How many findings there are of each severity, the worst first."""
    return {severity: sum(one.severity is severity for one in model.findings) for severity in _WORST_FIRST}


def unprotected(model: ModelReport) -> int:
    """How many sites have no anti-aliasing."""
    return sum(site.unprotected for site in model.analysis.sites)


def _cards(model: ModelReport, prefix: str) -> Iterator[_Card]:
    sites, total = model.analysis.sites, model.analysis.subsampling
    if model.comparison is not None and model.comparison.measured:
        from auditor.report.formats.html.compared import numbers

        for label, value, below, meaning in numbers(model.comparison):
            yield _Card(label, value, [below], "change", meaning)
    counts = counted(model)
    worst = next((severity for severity, count in counts.items() if count), None)
    found = [element("span", count_text(count, severity.value)) for severity, count in counts.items() if count]
    kind = worst.value if worst is not None else "good"
    yield _Card("findings", str(len(model.findings)), found or ["none"], kind, _FINDINGS)
    if model.verification is not None and model.comparison is None:
        yield from _measured(model)
    if model.comparison is None:
        factor = "-" if total is None else factor_text(total)
        yield _Card("cumulative factor", factor, ["of the input grid"], "", _FACTOR)
    left = unprotected(model)
    of = f"of {len(sites)}" if sites else "there are no sites"
    yield _Card("sites without anti-aliasing", str(left), [of], "" if left else "good", _SITES)
    if model.comparison is None:
        yield from _worst(model, prefix)


def _measured(model: ModelReport) -> Iterator[_Card]:
    """The measure that the headline is about."""
    from auditor.report.formats.html.measured import interval
    from auditor.report.words.measured_headline import headline_measure
    from auditor.report.words.numbers import number
    from auditor.verify.measures import MEASURES

    measure = None if model.verification is None else headline_measure(model.verification)
    if measure is not None:
        below = interval(measure) or "too few images for an interval"
        meaning = MEASURES[measure.name].meaning if measure.name in MEASURES else ""
        yield _Card(plain(measure.name), number(measure.value, measure.unit), [below], "", meaning)


def _worst(model: ModelReport, prefix: str) -> Iterator[_Card]:
    """The site at which most folds."""
    sites = model.analysis.sites
    folding = [(site.alias, index) for index, site in enumerate(sites, 1) if site.alias and site.verdict in _FOLDS]
    known = [(alias.expected, index) for alias, index in folding if alias.expected is not None]
    judged = known or [(alias.flat, index) for alias, index in folding]
    if judged:
        energy, index = max(judged, key=lambda item: (item[0], -item[1]))
        name = element("a", f"#{index} {_short(node_name(sites[index - 1].node))}", href=f"#{prefix}{index}")
        label = "worst expected alias" if known else "worst alias of a flat spectrum"
        yield _Card(label, percent_text(energy), [name], "", _EXPECTED if known else _FLAT)


def _short(name: str) -> str:
    """A name in the room of a card: both ends of it say most."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST // 2]}…{name[-_LONGEST // 2 :]}"
