"""The path of sampling sites as a picture: the resolution of the feature maps going down like a staircase.

From left to right stand the sites in graph order, from top to bottom the cumulative subsampling factor, an octave per
step. Neighbouring sites with the same step up and down are branches of one step. Each site is a ring that is filled by
its expected alias energy and coloured by its verdict; it links to its row in the table, which says the same in words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from auditor.report.formats.html.tree import Element, element
from auditor.report.words.numbers import axes_text, factor_text, percent_text, shape_text
from auditor.report.words.place import node_name, node_op
from auditor.sampling.result import Analysis, Site, SiteVerdict

MOST_STEPS = 24

_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 12.0, 28.0, 40.0
_OCTAVE, _LOWEST = 68.0, 476.0  # pixels per factor of two, and of the whole stair at most
_RADIUS = 21.0
_TREAD = 22.0  # in front of the first ring of a step that follows on the one before
_ROOMY = 190.0  # a ring and the words beside it, where there is room
_SMALL, _BOLD = 6.5, 7.8  # widths of a character
_AROUND = 2 * _RADIUS + 21.0  # a ring with its halo and the gap to its words
_WIDTH = 1120.0  # what a desktop shows without scrolling
_LONGEST_LABEL = 13
_LONG = 20  # octaves from which a factor is written as a power


@dataclass(frozen=True, slots=True)
class Stair:
    """Sites side by side that go from one cumulative factor to another; sites carry their number in the report."""

    start: Fraction
    end: Fraction
    sites: tuple[tuple[int, Site], ...]


def steps(sites: Sequence[Site]) -> list[Stair]:
    """The sites as steps. Where a site's factor is not known, it is taken to follow on the one before."""
    found: list[Stair] = []
    here = Fraction(1)
    for number, site in enumerate(sites, 1):
        factor = max((abs(value) for value in site.factor), default=Fraction(1))
        known = [abs(value) for value in site.cumulative if value is not None]
        end = max(known) if known else here * factor
        start = end / factor if factor else end
        if found and (found[-1].start, found[-1].end) == (start, end):
            found[-1] = Stair(start, end, (*found[-1].sites, (number, site)))
        else:
            found.append(Stair(start, end, ((number, site),)))
        here = end
    return found


def staircase(analysis: Analysis, link: str) -> Element | None:
    """The picture as an SVG element; None without sites. ``link`` begins the addresses of the rows of the table."""
    every = steps(analysis.sites)
    if not every:
        return None
    shown = every[:MOST_STEPS]
    depth = max(_level(max(step.start, step.end)) for step in shown)
    octave = min(_OCTAVE, _LOWEST / max(depth, 1.0))
    lead = _SMALL * max(map(len, _sizes(analysis).values()), default=4) + _RADIUS + 20
    leads = [lead, *(_TREAD if step.start == last.end else lead for last, step in pairwise(shown))]
    rings = [ring for step in shown for ring in step.sites]
    least = max(_AROUND + max(_BOLD * len(_number(*ring)), _SMALL * len(_operator(ring[1]))) for ring in rings)
    per_site = max((_WIDTH - _LEFT - _RIGHT - sum(leads)) / len(rings), least)
    per_site = min(per_site, max(_ROOMY, least))
    width = _LEFT + sum(leads) + per_site * len(rings) + _RIGHT
    height = _TOP + octave * max(depth, 1.0) + _BOTTOM
    stair = _Stair(analysis, octave, height - 12)
    parts = list(stair.draw(shown, leads, per_site, link))
    words = f"Sampling sites in graph order, down to a factor of {factor_text(max(step.end for step in shown))}."
    return element(
        "svg",
        element("title", words),
        element("g", stair.grid(depth, width), class_="grid"),
        element("path", d=stair.ground(), class_="ground"),
        element("path", d=" ".join(stair.treads), class_="tread"),
        element("path", d=" ".join(stair.jumps), class_="jump") if stair.jumps else None,
        parts,
        class_="staircase",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=width,
        height=height,
        role="group",
    )


class _Stair:
    """The outline of the stair while it is walked from left to right."""

    def __init__(self, analysis: Analysis, octave: float, floor: float) -> None:
        self._octave = octave
        self._floor = floor
        self._sizes = _sizes(analysis)
        self._points: list[tuple[float, float]] = []
        self.treads: list[str] = []
        self.jumps: list[str] = []

    def draw(self, shown: Sequence[Stair], leads: Sequence[float], per_site: float, link: str) -> Iterator[Element]:
        """Walk down: the sizes and the rings, which stand over everything else."""
        x, here = float(_LEFT), shown[0].start
        yield self._size(x, here)
        for step, lead in zip(shown, leads, strict=True):
            top, bottom = self._y(step.start), self._y(step.end)
            if step.start != here:  # another branch, or a grid that was made finer again
                self.jumps.append(f"M{x:.1f} {self._y(here):.1f}V{top:.1f}")
                yield self._size(x, step.start)
            places = [x + lead + index * per_site for index in range(len(step.sites))]
            end = places[-1] + per_site
            self.treads += [f"M{x:.1f} {top:.1f}H{places[-1]:.1f}", f"M{places[0]:.1f} {bottom:.1f}H{end:.1f}"]
            self.treads += [f"M{place:.1f} {top:.1f}V{bottom:.1f}" for place in places]
            self._points += [(x, top), (places[-1], top), (places[-1], bottom), (end, bottom)]
            yield self._size(places[-1], step.end)
            for place, (number, site) in zip(places, step.sites, strict=True):
                yield _ring(number, site, place, (top + bottom) / 2, f"#{link}{number}")
            x, here = end, step.end

    def ground(self) -> str:
        """The outline of what lies below the treads."""
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in self._points)
        return f"M{self._points[0][0]:.1f} {self._floor:.1f}L{line}L{self._points[-1][0]:.1f} {self._floor:.1f}Z"

    def grid(self, depth: float, width: float) -> Iterator[Element]:
        """A line per octave, labelled with the factor."""
        every = max(1, math.ceil(depth / 8))
        for level in range(0, math.floor(depth + 1e-9) + 1, every):
            y = _TOP + level * self._octave
            yield element("line", x1=_LEFT - 8, x2=width - 8, y1=y, y2=y)
            words = f"÷ {2**level}" if level < _LONG else f"÷ 2^{level}"
            yield element("text", words, x=_LEFT - 16, y=y + 4, text_anchor="end")

    def _y(self, factor: Fraction) -> float:
        return _TOP + _level(factor) * self._octave

    def _size(self, x: float, factor: Fraction) -> Element:
        """The size of the grid, below a tread."""
        words = self._sizes.get(factor, f"1/{factor_text(factor)}")
        return element("text", words, x=x + 6, y=self._y(factor) + 17, class_="size")


def _ring(number: int, site: Site, x: float, y: float, address: str) -> Element:
    given = site.verdict
    share = site.alias.expected if site.alias is not None else None
    around = 2 * math.pi * _RADIUS
    words = percent_text(share) or "?"
    reads = f"{node_name(site.node)}: {node_op(site.node)}, factor {axes_text(site.factor)}, {given.value}"
    arc = None
    if share is not None:
        filled = around * min(max(share, 0.0), 1.0)
        arc = element("circle", cx=x, cy=y, r=_RADIUS, class_="arc", stroke_dasharray=f"{filled:.2f} {around:.2f}",
                      transform=f"rotate(-90 {x:.2f} {y:.2f})")  # fmt: skip
    beside = x + _RADIUS + 10
    return element(
        "a",
        element("title", f"#{number} {reads}; {words} of the power is expected to fold"),
        element("circle", cx=x, cy=y, r=_RADIUS + 5, class_="halo"),
        element("circle", cx=x, cy=y, r=_RADIUS, class_="track"),
        arc,
        element("text", words.replace(" ", ""), x=x, y=y + 4, class_="share", text_anchor="middle"),
        element("text", _number(number, site), x=beside, y=y - 3, class_="number"),
        element("text", _operator(site), x=beside, y=y + 13, class_="op"),
        href=address,
        class_=f"site {verdict_class(given)}",
    )


def verdict_class(given: SiteVerdict) -> str:
    """The class that colours a verdict."""
    return f"v-{given.value.replace(' ', '-')}"


def _level(factor: Fraction) -> float:
    """Octaves below the input; strides of a hostile file have more digits than a float."""
    if factor <= 1:
        return 0.0
    return math.log2(factor.numerator) - math.log2(factor.denominator)


def _number(number: int, site: Site) -> str:
    kernel = shape_text(site.kernel)
    return f"#{number} {kernel}".rstrip() if len(kernel) <= _LONGEST_LABEL else f"#{number}"


def _operator(site: Site) -> str:
    text = node_op(site.node)
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def _sizes(analysis: Analysis) -> dict[Fraction, str]:
    """The size of the grid by its cumulative factor, where it is known: of the input and of what the sites make."""
    sizes: dict[Fraction, str] = {}
    spatial = [analysis.sources[index] for index in sorted(analysis.spatial)]
    if spatial:
        sizes[Fraction(1)] = "x".join(str(source.size) for source in spatial if source.input == spatial[0].input)
    for site in analysis.sites:
        known = [abs(value) for value in site.cumulative if value is not None]
        if known and site.size:
            sizes.setdefault(max(known), "x".join(map(str, site.size)))
    return sizes
