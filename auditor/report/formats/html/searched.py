"""What a search among rewrites tried: cost against gain with the names of the points, and a row for each candidate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor.facts.search import SearchFacts, TriedRewrite
from auditor.report.formats.html.axes import round_above
from auditor.report.formats.html.tables import Heading, labelled, table
from auditor.report.formats.html.tree import Child, Element, element, prose
from auditor.report.words.numbers import MINUS
from auditor.text import count_text, plain

_LEFT, _RIGHT, _TOP, _BOTTOM = 72.0, 24.0, 28.0, 44.0
_WIDE, _NARROW, _HEIGHT = 1080.0, 344.0, 320.0
_DOT, _CHARACTER, _LINE = 10.0, 7.4, 16.0
_LONGEST = 44
_SIGNS = {"best": "v-anti-aliased", "within budget": "v-unknown"}
_REFUSED = "v-weak-filter"
_COLUMNS = (
    Heading("#", "the number of the point in the plot", number=True),
    Heading("rewrite", "what was tried, in the order in which it was offered"),
    Heading("time", "seconds per picture over those of the original, timed in turn; predicted from multiply-adds where "
           "it was not timed", number=True),
    Heading("change", "of the measure of the plot, rewritten less original, with its 95 % interval", number=True),
    Heading("loss", "answers lost, in points, by the yardstick above; negative where there are more right ones than "
           "before", number=True),
    Heading("images", "pictures of the last round that it was measured in", number=True),
    Heading("verdict", "what became of it, and the number that stood against it; on the frontier: no other one that "
           "was measured on all pictures is cheaper and gains more"),
)  # fmt: skip
_NAMES = [column.name for column in _COLUMNS]


@dataclass(frozen=True, slots=True)
class _PlacedRewrite:
    """A candidate in the plane: its number in the table, what it costs, and by how much it is better."""

    number: int
    tried: TriedRewrite
    cost: float
    gain: float


def searched(found: SearchFacts) -> Iterator[Child]:
    """The plot and the table of a search."""
    yield element("h3", "Rewrites that were tried")
    lost = f"{100 * found.max_loss:g}\u00a0points"
    words = (
        f"{count_text(len(found.tried), 'rewrite')} on up to {count_text(found.images, 'picture')}; allowed: time at "
        f"most \u00d7{found.max_cost:g}, loss at most {lost} of {found.yardstick}."
    )
    yield element("p", words, class_="facts")
    if found.why:
        yield element("p", element("b", "Why the best: "), prose(f"{plain(found.why)}."))
    elif found.tried:
        yield element("p", "Nothing within the budget surely gained.")
    points = _points(found)
    if points:
        pictures = (_plot(found, points, narrow=narrow) for narrow in (False, True))
        yield element("div", *pictures, class_="card")
    rows = [_row(number, one, found) for number, one in enumerate(found.tried, 1)]
    yield from table(_COLUMNS, rows, "rewrites that were tried")


def _points(found: SearchFacts) -> list[_PlacedRewrite]:
    sign = 1 if found.higher_is_better else -1
    points = []
    for number, one in enumerate(found.tried, 1):
        cost = one.cost if one.time is None else one.time
        if cost is not None and one.change is not None:
            points.append(_PlacedRewrite(number, one, cost, sign * one.change))
    return points


def _row(number: int, one: TriedRewrite, found: SearchFacts) -> Element:
    verdict = element("span", one.verdict, class_=f"verdict {_SIGNS.get(one.verdict, _REFUSED)}")
    star = element("span", " on the frontier", class_="origin") if one.frontier else None
    reason = element("div", plain(one.reason), class_="origin") if one.reason else None
    if one.time is not None:
        time = f"\u00d7{one.time:.2f}"
    else:
        time = "" if one.cost is None else f"\u00d7{one.cost:.3g} predicted"
    ends = () if one.interval is None else (one.interval.low, one.interval.high)
    span = " to ".join(_signed(end, found.unit, bare=True) for end in ends)
    change = "not measured" if one.change is None else _signed(one.change, found.unit)
    cells = [
        element("td", str(number), class_="n"),
        element("th", plain(one.name), scope="row"),
        element("td", time, class_="n"),
        element("td", element("div", change, element("div", span, class_="origin") if span else None), class_="n"),
        element("td", "" if one.loss is None else _signed(one.loss, "share"), class_="n"),
        element("td", str(one.images) if one.images else "", class_="n"),
        element("td", element("div", verdict, star, reason)),
    ]
    return element("tr", labelled(cells, _NAMES))


def _signed(value: float, unit: str, *, bare: bool = False) -> str:
    """A change with its sign and, unless ``bare``, its unit."""
    digits = 1 if unit == "share" else 3
    rounded = round(100 * value if unit == "share" else value, digits) + 0.0  # no minus in front of nothing
    points = "\u00a0points" if unit == "share" and not bare else ""
    return f"{rounded:+.{digits}f}{points}".replace("-", MINUS)


def _plot(found: SearchFacts, points: Sequence[_PlacedRewrite], *, narrow: bool) -> Element:
    """Cost to the right, gain upwards; the original at a factor of 1 and no change."""
    width = _NARROW if narrow else _WIDE
    right, floor = width - _RIGHT, _HEIGHT - _BOTTOM
    costs, gains = [1.0, *(point.cost for point in points)], [0.0, *(point.gain for point in points)]
    across, upward = _PlaneAxis.of(costs, 3 if narrow else 6), _PlaneAxis.of(gains, 4)

    def x(cost: float) -> float:
        return _LEFT + across.place(cost) * (right - _LEFT)

    def y(gain: float) -> float:
        return floor - upward.place(gain) * (floor - _TOP)

    front = [(1.0, 0.0), *sorted((point.cost, point.gain) for point in points if point.tried.frontier)]
    sign = 1 if found.higher_is_better else -1
    unit = "change in points" if found.unit == "share" else "change"
    words = f"{unit}, better is up" if narrow else f"{found.measure}: {unit}, better is up"
    return element(
        "svg",
        element("title", f"{found.measure} against time for {count_text(len(points), 'rewrite')}; better is higher"),
        element("g", (_level(y(tick), _tick(sign * tick, found.unit), right) for tick in upward.ticks)),
        (element("text", f"\u00d7{tick:.4g}", x=x(tick), y=_HEIGHT - 24, text_anchor="middle", class_="tick")
         for tick in across.ticks),
        element("text", words, x=8, y=14, class_="tick"),
        element("text", "time, original = \u00d71", x=right, y=_HEIGHT - 6, text_anchor="end", class_="tick"),
        _limit(x(found.max_cost), found.max_cost, floor) if across.low <= found.max_cost <= across.high else None,
        element("path", d="M" + "L".join(f"{x(cost):.1f} {y(gain):.1f}" for cost, gain in front), class_="frontier")
        if len(front) > 1 else None,
        element("circle", element("title", "the original"), cx=x(1.0), cy=y(0.0), r=4, class_="start"),
        (_dot(point, x(point.cost), y(point.gain)) for point in points),
        () if narrow else _names([(point, x(point.cost), y(point.gain)) for point in points], right),
        class_="chart narrow" if narrow else "chart wide",
        viewBox=f"0 0 {width:.0f} {_HEIGHT:.0f}",
        role="img",
    )  # fmt: skip


def _level(y: float, words: str, right: float) -> Element:
    line = element("line", x1=_LEFT, x2=right, y1=y, y2=y)
    return element("g", line, element("text", words, x=_LEFT - 8, y=y + 4, text_anchor="end"), class_="grid")


def _limit(x: float, cost: float, floor: float) -> Element:
    return element(
        "g",
        element("line", x1=x, x2=x, y1=_TOP, y2=floor),
        element("text", f"at most \u00d7{cost:g}", x=x, y=_TOP - 4, text_anchor="middle"),
        class_="period",
    )


def _dot(point: _PlacedRewrite, x: float, y: float) -> Element:
    kind = "taken" if point.tried.best else "front" if point.tried.frontier else "behind"
    return element(
        "g",
        element("title", point.tried.words or f"{point.tried.name}: {point.tried.verdict}"),
        element("circle", cx=x, cy=y, r=_DOT),
        element("text", str(point.number), x=x, y=y + 4.5, text_anchor="middle"),
        class_=f"tried {kind}",
    )


def _names(placed: Sequence[tuple[_PlacedRewrite, float, float]], right: float) -> Iterator[Element]:
    """The names beside their points, the best first; one that would cover another or a point is left to the table."""
    taken = [(x - _DOT, x + _DOT, y - _DOT, y + _DOT) for _, x, y in placed]
    for point, x, y in sorted(placed, key=lambda place: (not place[0].tried.best, not place[0].tried.frontier)):
        name = plain(point.tried.name)
        name = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
        long = _CHARACTER * len(name)
        for start, anchor in ((x + _DOT + 5, "start"), (x - _DOT - 5 - long, "end")):
            box = (start, start + long, y - _LINE / 2, y + _LINE / 2)
            if box[0] >= _LEFT and box[1] <= right and not any(_covers(box, other) for other in taken):
                taken.append(box)
                edge = box[0] if anchor == "start" else box[1]
                kind = "name taken" if point.tried.best else "name beside"
                yield element("text", name, x=edge, y=y + 4.5, text_anchor=anchor, class_=kind)
                break


def _covers(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _tick(value: float, unit: str) -> str:
    text = f"{100 * value:+.3g}" if unit == "share" else f"{value:+.3g}"
    return "0" if not value else text.replace("-", MINUS)


@dataclass(frozen=True, slots=True)
class _PlaneAxis:
    """From ``low`` to ``high``, both multiples of ``step``."""

    low: float
    high: float
    step: float

    @classmethod
    def of(cls, values: Sequence[float], most: int) -> _PlaneAxis:
        """Around values, with about ``most`` steps and a little room at both ends."""
        least, largest = min(values), max(values)
        room = 0.06 * ((largest - least) or abs(largest) or 1.0)
        step = round_above((largest - least + 2 * room) / most)
        return cls(math.floor((least - room) / step) * step, math.ceil((largest + room) / step) * step, step)

    @property
    def ticks(self) -> list[float]:
        """Where numbers stand."""
        return [
            round(self.low + place * self.step, 9) for place in range(round((self.high - self.low) / self.step) + 1)
        ]

    def place(self, value: float) -> float:
        """Where a value lies, 0 to 1."""
        return (value - self.low) / (self.high - self.low)
