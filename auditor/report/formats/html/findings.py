"""The parts of the page about findings, what is accepted, and the table of sites."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from auditor.facts.finding import Finding
from auditor.facts.report import Accepted, ModelReport
from auditor.onnxfile.noderef import NodeRef
from auditor.report.formats.html.staircase import verdict_class
from auditor.report.formats.html.tables import Heading, labelled, table
from auditor.report.formats.html.tree import Child, Element, element, prose
from auditor.report.words.numbers import axes_text, json_number, json_share, percent_text, shape_text
from auditor.report.words.place import node_key, node_name, node_op, origin_text, rule_title
from auditor.report.words.sheet import ACCEPTED_WORDS, MEASURED_COLUMN, alias_text
from auditor.sampling.result import Site, SiteVerdict
from auditor.text import ModelText, count_text, plain

if TYPE_CHECKING:
    from auditor.verify.layers.alias import AliasMeasurement
_SHOWN = 6  # places of one rule that are not folded
_BAR = 56.0

_COLUMNS = (
    Heading("#", "the number of the site in the picture above, in the order of the graph", number=True),
    Heading("node", "the node that makes the grid coarser, and where the exporter says it came from"),
    Heading("op", "its operator"),
    Heading("kernel/stride", "the window that it reads and the step between windows, height and width"),
    Heading("factor", "how many times coarser the grid gets here, per axis", number=True),
    Heading("total", "how many times coarser than the input the grid is behind it", number=True),
    Heading("flat", "alias energy of white noise: the share of its power that folds, a property of the filter",
           number=True),
    Heading("expected", "share of the activations that folds, expected on photographs: half to twice that"),
    Heading("verdict", "what the site does to the frequencies that its new grid cannot hold"),
)  # fmt: skip
_MEASURED = Heading(MEASURED_COLUMN, "share of the activations that folded on the pictures of this run", number=True)


def findings(model: ModelReport, summaries: Mapping[str, str], prefix: str) -> Iterator[Child]:
    """The findings by rule, worst first, each with what to do. ``summaries`` are sentences on rules by code."""
    links = {node_key(site.node): number for number, site in reversed([*enumerate(model.analysis.sites, 1)])}
    groups: dict[str, list[Finding]] = {}
    for finding in model.findings:  # worst first, so that a rule stands where its worst finding does
        groups.setdefault(finding.rule, []).append(finding)
    for group in groups.values():
        yield _rule(group, links, summaries, prefix)
    if model.accepted:
        rows = [_accepted(one) for one in model.accepted]
        words = f"{count_text(len(rows), 'accepted finding')} that does not count" if len(rows) == 1 else (
            f"{count_text(len(rows), 'accepted finding')} that do not count")  # fmt: skip
        yield element("details", element("summary", words), element("ul", rows), class_="accepted")


_Links: TypeAlias = Mapping[tuple[ModelText, ModelText, ModelText], int]


def _rule(group: Sequence[Finding], links: _Links, summaries: Mapping[str, str], prefix: str) -> Element:
    first = group[0]
    mixed = any(one.severity is not first.severity for one in group)
    places = [_place(one, links, prefix, mixed) for one in group]
    shown: list[Child] = [element("ul", places[:_SHOWN], class_="places")]
    if len(places) > _SHOWN:
        more = element("summary", f"{len(places) - _SHOWN} more places")
        shown.append(element("details", more, element("ul", places[_SHOWN:], class_="places")))
    advice = dict.fromkeys(one.advice for one in group if one.advice)
    summary = summaries.get(first.rule, "")
    return element(
        "div",
        element(
            "h4",
            _chip(first),
            " ",
            rule_title(first),
            element("span", f"{len(group)} places", class_="count") if len(group) > 1 else None,
        ),
        element("p", prose(summary), class_="facts") if summary else None,
        shown,
        [element("p", element("b", "What to do: "), prose(words), class_="advice") for words in advice],
        class_=f"finding {first.severity.value}",
    )


def _chip(finding: Finding) -> Element:
    return element("span", finding.severity.value, class_=f"chip {finding.severity.value}")


def _place(finding: Finding, links: _Links, prefix: str, mixed: bool) -> Element:
    where: list[Child] = [_chip(finding), " "] if mixed else []
    if finding.node is not None:
        where += [_name(finding.node), " ", element("span", node_op(finding.node), class_="op")]
        number = links.get(node_key(finding.node))
        if number is not None:
            where += [" ", element("a", f"site #{number}", href=f"#{prefix}{number}")]
        origin = origin_text(finding.node.origin)
        if origin:
            where += [" ", element("span", "from ", element("code", origin), class_="origin")]
    return element("li", element("div", where, class_="where") if where else None, prose(finding.message))


def _accepted(one: Accepted) -> Element:
    node = one.finding.node
    facts = [ACCEPTED_WORDS[one.by], plain(one.reason), f"owner {plain(one.owner)}" if one.owner else ""]
    facts.append(f"until {plain(one.expires)}" if one.expires else "")
    where: list[Child] = [" at ", _name(node)] if node is not None else []
    return element("li", rule_title(one.finding), where, ": ", "; ".join(filter(None, facts)))


def sites_table(model: ModelReport, prefix: str) -> Iterator[Element]:
    """Every site with its numbers, in graph order; nothing without sites. Row n has the address ``prefix`` n."""
    sites = model.analysis.sites
    if not sites:
        return
    columns = (*_COLUMNS[:-1], *(() if model.alias is None else (_MEASURED,)), _COLUMNS[-1])
    names = [column.name for column in columns]
    rows = [_row(number, site, prefix, model.alias, names) for number, site in enumerate(sites, 1)]
    yield from table(columns, rows, "sampling sites", "sortable sites")


def _row(number: int, site: Site, prefix: str, measured: AliasMeasurement | None, names: Sequence[str]) -> Element:
    given = site.verdict
    flat, energy = (None, None) if site.alias is None else (site.alias.flat, site.alias.expected)
    words: list[Child] = [_bar(energy), " ", percent_text(energy) or "-"]
    if site.alias is not None and site.alias.missing:
        words.append(element("div", f"not known: {site.alias.missing}", class_="origin"))
    reason = plain(site.reason) if not site.unprotected or given is SiteVerdict.UNKNOWN else ""
    origin = origin_text(site.node.origin)
    known = [abs(value) for value in site.cumulative if value is not None]
    kernel = "/".join(filter(None, (shape_text(site.kernel), axes_text(map(Fraction, site.stride)))))
    cells = [
        _cell([str(number)], str(number)),
        _cell([_name(site.node), element("div", origin, class_="origin") if origin else None]),
        _cell([node_op(site.node)], kind="op"),
        _cell([kernel or "-"]),
        _cell([axes_text(site.factor)], _sortable(map(abs, site.factor))),
        _cell([axes_text(site.cumulative) or "-"], _sortable(known)),
        _cell([percent_text(flat) or "-"], "" if flat is None else str(json_share(flat))),
        _cell([element("span", words)], "" if energy is None else str(json_share(energy)), "energy"),
        *([] if measured is None else [_measured(number, measured)]),
        _cell(
            [
                element(
                    "span",
                    element("span", given.value, class_=f"verdict {verdict_class(given)}"),
                    element("div", reason, class_="origin") if reason else None,
                )
            ]
        ),
    ]
    return element("tr", labelled(cells, names), id=f"{prefix}{number}", class_=verdict_class(given))


def _cell(content: Sequence[Child], value: str | None = None, kind: str | None = None) -> Element:
    """A cell; one with a value is sorted by it, and stands at the right where it has no class of its own."""
    return element("td", content, class_=kind or (None if value is None else "n"), data_value=value)


def _measured(number: int, found: AliasMeasurement) -> Element:
    one = found.sites.get(number - 1)
    value = "" if one is None else str(json_share(one.share))
    return _cell([alias_text(found, number) or "-"], value)


def _bar(share: float | None) -> Element | None:
    if share is None:
        return None
    filled = _BAR * min(max(share, 0.0), 1.0)
    parts = (
        element("rect", class_=kind, width=width, height=8, rx=4) for kind, width in (("track", _BAR), ("fill", filled))
    )
    return element("svg", parts, class_="bar", width=_BAR, height=8, viewBox=f"0 0 {_BAR:.0f} 8", aria_hidden="true")


def _sortable(values: Iterable[Fraction]) -> str:
    known = [json_number(value) for value in values]
    return str(max((value for value in known if value is not None), default=""))


def _name(node: NodeRef) -> Element:
    return element("code", node_name(node))
