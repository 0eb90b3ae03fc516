"""What a change of model changes for boxes and joints: what both models find under the same shifts of one picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditor.report.formats.html.examples import box_levels, boxes_over, joint_levels, joints_over, kept_pictures
from auditor.report.formats.html.tree import Child, Element, element
from auditor.report.words.numbers import score_text
from auditor.text import plain
from auditor.verify.example import Jpeg, ShownImage
from auditor.verify.result import ImageResult, Verification
from auditor.verify.shown import most_changed

_MOST = 4  # pictures


def both_objects(base: Verification, new: Verification) -> Iterator[Child]:
    """Pictures with the box, or the joints, of each model that its shifts move most; nothing where there are none."""
    places = _chosen(base, new)
    if not places:
        return
    before, after = base.outputs[0].images, new.outputs[0].images
    pictures = _pictures(base, new)
    boxes = any(side[place].moving_box is not None for side in (before, after) for place in places)
    what = "the box whose score" if boxes else "the joints that"
    yield element("h3", "What people feel")
    yield element(
        "p",
        f"One photograph with the base and with this model, and over it {what} shifts move most: drawn where each "
        "shift found it, the shift undone. What is steady lies in one place.",
        class_="facts",
    )
    cards = (_card(before[place], after[place], pictures.get(place)) for place in places)
    yield element("div", cards, class_="pairs")
    first, second = ("highest score", "lowest score") if boxes else ("no shift", "farthest from there")
    yield element(
        "p",
        element("span", first, class_="key first"),
        element("span", second, class_="key second"),
        element("span", "other shifts", class_="key other"),
        class_="legend",
    )


def embedded_objects(base: Verification, new: Verification) -> int:
    """How many pictures :func:`both_objects` puts into the page."""
    before, after = (found.outputs[0].images if found.outputs else () for found in (base, new))
    there = [place for place in _chosen(base, new) if place in _pictures(base, new)]
    return sum(_moves(side[place]) for side in (before, after) for place in there)


def _pictures(base: Verification, new: Verification) -> Mapping[int, ShownImage]:
    """The pictures by the place of their image, as both models show each."""
    shown = {one.index: one for one in (*new.shown, *base.shown)}
    chosen = [shown[place] for place in _chosen(base, new) if place in shown]
    return kept_pictures(chosen, 2)


def _chosen(base: Verification, new: Verification) -> tuple[int, ...]:
    """The places of pictures with something that moves, in turn those that it moves most with either model."""
    if not (base.outputs and new.outputs) or base.data.used != new.data.used or base.shifts.at is not new.shifts.at:
        return ()
    before, after = base.outputs[0].images, new.outputs[0].images
    both = [[place for place in most_changed(side) if _moves(side[place])] for side in (before, after)]
    turns = [place for turn in range(max(map(len, both))) for side in both for place in side[turn : turn + 1]]
    return tuple(dict.fromkeys(turns))[:_MOST]


def _moves(image: ImageResult) -> bool:
    return image.moving_box is not None or image.moving_joints is not None


def _card(before: ImageResult, after: ImageResult, shown: ShownImage | None) -> Element:
    picture = None if shown is None else shown.before
    what = "joint" if before.moving_joints is not None or after.moving_joints is not None else "box"
    sides = (_side(name, image, picture, what) for name, image in (("base", before), ("new", after)))
    return element(
        "figure",
        element("div", sides, class_="sides"),
        element("figcaption", element("code", plain(after.name, 60)), _difference(before, after)),
        class_="pair both",
    )


def _side(name: str, image: ImageResult, picture: Jpeg | None, what: str) -> Element:
    """What one model finds; ``what`` says it where that is nothing."""
    box, joints = image.moving_box, image.moving_joints
    if box is not None:
        drawn = None if picture is None else boxes_over(box, picture)
        below = sum(seen.score < box.threshold for seen in box.seen)
        found = f"class {box.answer}, below {score_text(box.threshold)} at {below} of {len(box.seen)} positions"
        levels = box_levels(box)
    elif joints is not None:
        drawn = None if picture is None else joints_over(joints, picture)
        found, levels = f"joint {joints.joints[0]} moves {joints.farthest[0]:.1f} px", joint_levels(joints)
    else:
        words = f"{name}: no {what} that shifts could be compared on"
        return element("div", element("p", element("b", words), class_="answer"))
    return element(
        "div", drawn, element("p", element("b", f"{name}: {found}"), class_="answer"), element("div", levels)
    )


def _difference(before: ImageResult, after: ImageResult) -> str:
    """By how much less or more it moves with the new model."""
    if before.moving_box is not None and after.moving_box is not None:
        spans = [one.highest.score - one.lowest.score for one in (before.moving_box, after.moving_box)]
        if before.moving_box.answer != after.moving_box.answer:
            return " · each model's own box, of another class"
        return f" · the score moves by {score_text(spans[0])} with the base, by {score_text(spans[1])} now"
    if before.moving_joints is not None and after.moving_joints is not None:
        far = [one.farthest[0] for one in (before.moving_joints, after.moving_joints)]
        return f" · at most {far[0]:.1f} px with the base, {far[1]:.1f} px now"
    return ""
