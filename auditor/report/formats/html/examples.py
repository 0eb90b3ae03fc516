"""What people feel: the pictures whose answers changed, with both answers, and boxes as the picture moves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from auditor.report.formats.html.pictures import data_image, fitting
from auditor.report.formats.html.tree import Child, Element, element
from auditor.report.words.numbers import MINUS, score_text, signed_text
from auditor.text import plain
from auditor.verify.example import ClassChange, Jpeg, MovingBox, MovingJoints, SeenBox, SeenClass, ShownImage
from auditor.verify.measures.moving_joints import MOST_JOINTS
from auditor.verify.result import ImageResult, OutputResult, ShiftAt, Verification
from auditor.verify.shown import most_changed

_OPEN = 4  # pairs that are not folded
_ROWS = 3  # joints told in numbers
_SCORE, _BAR = 92.0, 8.0


def examples(found: Verification, output: OutputResult) -> Iterator[Child]:
    """The images whose answers changed most; nothing where none did."""
    pictures = kept_pictures(found.shown)
    chosen = [(output.images[place], pictures.get(place)) for place in most_changed(output.images)]
    changes = [(image, image.class_change, shown) for image, shown in chosen if image.class_change is not None]
    boxes = [(image, image.moving_box, shown) for image, shown in chosen if image.moving_box is not None]
    joints = [(image, image.moving_joints, shown) for image, shown in chosen if image.moving_joints is not None]
    pixels = "picture" if found.shifts.at is ShiftAt.NATIVE else "model"
    if changes:
        yield element("h3", "What people feel")
        yield element(
            "p",
            "One photograph in two windows, and the answer changes. The strip that one window has and the other has not"
            " is marked at its edge.",
            class_="facts",
        )
        cards = [_pair(image, change, shown, pixels) for image, change, shown in changes]
        yield element("div", cards[:_OPEN], class_="pairs")
        if len(cards) > _OPEN:
            more = element("summary", f"{len(cards) - _OPEN} more")
            yield element("details", more, element("div", cards[_OPEN:], class_="pairs"))
    if boxes:
        words = (
            "Every box is drawn where it was found under another shift, the shift undone. A steady detector would draw"
            " one."
        )
        cards = [_boxes(image, box, shown) for image, box, shown in boxes]
        yield from _drawn_over(words, cards, "highest score", "lowest score")
    if joints:
        words = (
            "Every joint is drawn where it was found under another shift, the shift undone. A steady model would draw"
            f" one dot for each. Up to {MOST_JOINTS} joints are shown, those that move farthest."
        )
        cards = [_figure(image, one, shown) for image, one, shown in joints]
        yield from _drawn_over(words, cards, "no shift", "farthest from there")


def _drawn_over(words: str, cards: Sequence[Element], first: str, second: str) -> Iterator[Child]:
    """Pictures with what all shifts find drawn over them, and what two of the colours mean."""
    yield element("h3", "What people feel")
    yield element("p", words, class_="facts")
    yield element("div", cards, class_="pairs three")
    yield element(
        "p",
        element("span", first, class_="key first"),
        element("span", second, class_="key second"),
        element("span", "other shifts", class_="key other"),
        class_="legend",
    )


def kept_pictures(shown: Sequence[ShownImage], parts: int = 1) -> Mapping[int, ShownImage]:
    """The pictures by the place of their image, as many as one of so many ``parts`` of a page may hold."""
    sizes = (parts * sum(len(part.data) for part in (one.before, one.after) if part is not None) for one in shown)
    return {one.index: one for one, fits in zip(shown, fitting(sizes), strict=True) if fits}


def embedded(found: Verification) -> int:
    """How many pictures the page holds."""
    kept = kept_pictures(found.shown).values()
    return sum(1 if one.after is None else 2 for one in kept)


def _pair(image: ImageResult, change: ClassChange, shown: ShownImage | None, pixels: str) -> Element:
    first, second = change.before, change.after
    pictures = windows_of(shown, change)
    sides = [
        _side("first", first, [(first.answer, first.score), (second.answer, first.other)], pictures[0], "as it was"),
        _side("second", second, [(first.answer, second.other), (second.answer, second.score)], pictures[1],
              moved_words(change.step)),
    ]  # fmt: skip
    changes = second.other - first.score, second.score - first.other
    legend = ", ".join(
        f"class {one.answer} {signed_text(change)}" for one, change in zip((first, second), changes, strict=True)
    )
    return element(
        "figure",
        element("div", sides, class_="sides"),
        element(
            "figcaption",
            element("code", plain(image.name, 60)),
            f" · {moved_words(change.step)}, in pixels of the {pixels}: {legend}",
        ),
        class_="pair",
    )


def windows_of(shown: ShownImage | None, change: ClassChange) -> tuple[Element | None, Element | None]:
    """The two windows of a change with the strips that they do not share; None twice without pictures."""
    if shown is None or shown.after is None:
        return None, None
    return _window(shown.before, change.step, True), _window(shown.after, change.step, False)


def _side(
    kind: str, seen: SeenClass, scores: Sequence[tuple[int, float]], picture: Element | None, tag: str
) -> Element:
    bars = [
        element(
            "div",
            element("span", f"class {answer}"),
            _bar(score, answer == seen.answer),
            element("span", score_text(score)),
        )
        for answer, score in scores
    ]
    return element(
        "div",
        element("div", picture, element("span", tag, class_="tag"), class_="window") if picture is not None else None,
        element("p", element("b", f"class {seen.answer}"), element("b", score_text(seen.score)), class_="answer"),
        element("div", bars, class_="bars"),
        class_=kind,
    )


def _bar(value: float, own: bool) -> Element:
    width = _SCORE * min(max(value, 0.0), 1.0)
    return element(
        "svg",
        element("rect", width=_SCORE, height=_BAR, rx=_BAR / 2, class_="track"),
        element("rect", width=width, height=_BAR, rx=min(_BAR / 2, width / 2), class_="fill" if own else "fill other"),
        class_="score",
        viewBox=f"0 0 {_SCORE:.0f} {_BAR:.0f}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _window(thumbnail: Jpeg, step: tuple[float, float], first: bool) -> Element:
    """The picture with the strips at its edges that the other window does not have."""
    edges = [
        edge
        for edge, there in (
            ("top", step[0] > 0 if first else step[0] < 0),
            ("bottom", step[0] < 0 if first else step[0] > 0),
            ("left", step[1] > 0 if first else step[1] < 0),
            ("right", step[1] < 0 if first else step[1] > 0),
        )
        if there
    ]
    return element("span", _image(thumbnail), class_=" ".join(["strip", *edges]))


def _image(thumbnail: Jpeg) -> Element:
    height, width = thumbnail.size
    return data_image("image/jpeg", thumbnail.data, width=width, height=height)


def moved_words(step: tuple[float, float]) -> str:
    """``window 1 px further right and 2 px up``."""
    down, right = step
    words = []
    if right:
        words.append(f"{abs(right):g} px {'right' if right > 0 else 'left'}")
    if down:
        words.append(f"{abs(down):g} px {'down' if down > 0 else 'up'}")
    return f"window moved {' and '.join(words)}" if words else "the same window"


def _boxes(image: ImageResult, box: MovingBox, shown: ShownImage | None) -> Element:
    below = sum(seen.score < box.threshold for seen in box.seen)
    return element(
        "figure",
        boxes_over(box, shown.before) if shown is not None else None,
        element("p", element("b", f"class {box.answer}"), class_="answer"),
        element("div", box_levels(box), class_="levels"),
        element(
            "figcaption",
            element("code", plain(image.name, 60)),
            f" · below {score_text(box.threshold)} at {below} of {len(box.seen)} positions",
        ),
        class_="pair",
    )


def box_levels(box: MovingBox) -> list[Element]:
    """The highest and the lowest score of a box, and where the picture was."""
    return [
        _level(words, seen, kind)
        for words, seen, kind in (("highest", box.highest, "first"), ("lowest", box.lowest, "second"))
    ]


def _level(words: str, seen: SeenBox, kind: str) -> Element:
    down, right = seen.shift
    where = f"{words}, at {right:+g} px, {down:+g} px".replace("-", MINUS)
    found = score_text(seen.score) if seen.corners is not None else "none"
    return element(
        "div", element("span", where), _bar(seen.score, True), element("span", found), class_=f"level {kind}"
    )


def boxes_over(box: MovingBox, thumbnail: Jpeg) -> Element:
    """The picture with the boxes of all shifts over it, the surest and the least sure on top."""
    tall, wide = box.extent
    others = [seen for seen in box.seen if seen is not box.highest and seen is not box.lowest]
    drawn = [(seen, "other") for seen in others] + [(box.lowest, "second"), (box.highest, "first")]
    lines = [
        element("rect", x=left, y=top, width=max(right - left, 0.0), height=max(bottom - top, 0.0), class_=kind)
        for (left, top, right, bottom), kind in (
            (seen.corners, kind) for seen, kind in drawn if seen.corners is not None
        )
    ]
    outline = element(
        "svg", lines, viewBox=f"0 0 {wide:g} {tall:g}", preserveAspectRatio="none", class_="boxes", role="img",
        aria_label=f"boxes of class {box.answer} under {len(box.seen)} shifts",
    )  # fmt: skip
    return element("div", _image(thumbnail), outline, class_="window")


def _figure(image: ImageResult, moving: MovingJoints, shown: ShownImage | None) -> Element:
    return element(
        "figure",
        joints_over(moving, shown.before) if shown is not None else None,
        element("p", element("b", f"joint {moving.joints[0]} moves {moving.farthest[0]:.1f} px"), class_="answer"),
        element("div", joint_levels(moving), class_="levels"),
        element(
            "figcaption",
            element("code", plain(image.name, 60)),
            f" · farthest from where it is without a shift, over {len(moving.seen)} of the positions",
        ),
        class_="pair",
    )


def joint_levels(moving: MovingJoints) -> list[Element]:
    """How far the joints lie that move farthest."""
    most = moving.farthest[0]
    return [
        element(
            "div",
            element("span", f"joint {joint}"),
            _bar(far / most if most > 0 else 0.0, True),
            element("span", f"{far:.1f} px"),
            class_="level first",
        )
        for joint, far in zip(moving.joints[:_ROWS], moving.farthest, strict=False)
    ]


def joints_over(moving: MovingJoints, thumbnail: Jpeg) -> Element:
    """The picture with the joints of all shifts over it."""
    return element("div", _image(thumbnail), _dots(moving), class_="window")


def _dots(moving: MovingJoints) -> Element:
    """The joints of all shifts, each with a line to where it lies farthest away."""
    tall, wide = moving.extent
    radius = max(tall, wide) / 110
    start, *others = moving.seen
    drawn: list[tuple[str, tuple[float, float]]] = []
    lines = []
    for index, place in enumerate(start.points):
        away = [seen.points[index] for seen in others if math.isfinite(seen.points[index][0])]
        if not away or not math.isfinite(place[0]):
            continue
        end = max(away, key=lambda point: math.dist(point, place))
        lines.append(element("line", x1=place[0], y1=place[1], x2=end[0], y2=end[1], class_="second"))
        drawn += [("other", point) for point in away if point != end] + [("second", end), ("first", place)]
    order = ("other", "second", "first")
    dots = [
        element("circle", cx=x, cy=y, r=radius if kind != "other" else radius * 0.7, class_=kind)
        for kind, (x, y) in sorted(drawn, key=lambda one: order.index(one[0]))
    ]
    return element(
        "svg", lines, dots, viewBox=f"0 0 {wide:g} {tall:g}", preserveAspectRatio="none", class_="boxes", role="img",
        aria_label=f"{len(moving.joints)} joints under {len(moving.seen)} shifts",
    )  # fmt: skip
