"""What a change of model changes for people: one picture in two windows, and what both models answer to each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditor.report.formats.html.examples import kept_pictures, moved_words, windows_of
from auditor.report.formats.html.tree import Child, Element, element
from auditor.report.words.numbers import score_text
from auditor.text import plain
from auditor.verify.example import ClassChange, SeenAnswer, ShownImage
from auditor.verify.result import ImageResult, ShiftAt, Verification
from auditor.verify.shown import most_changed

_MOST = 4  # pictures of each kind


@dataclass(frozen=True, slots=True)
class _Case:
    """A picture whose answer changes between two windows with one model; ``other`` are those of the other model."""

    image: ImageResult
    change: ClassChange
    other: tuple[SeenAnswer, SeenAnswer]
    shown: ShownImage | None

    @property
    def steady(self) -> bool:
        """Whether the other model gives one answer to both windows."""
        return self.other[0].answer == self.other[1].answer


def both_answers(base: Verification, new: Verification) -> Iterator[Child]:
    """Pictures whose answer changed with the base and no longer does, and those of which it is the other way round."""
    gone, come = _chosen(base, new)
    if not (gone or come):
        return
    pixels = "picture" if new.shifts.at is ShiftAt.NATIVE else "model"
    yield element("h3", "What people feel")
    yield element(
        "p",
        "One photograph in two windows, and what both models answer to each. The strip that one window has and the"
        f" other has not is marked at its edge. Shifts count pixels of the {pixels}.",
        class_="facts",
    )
    for words, cases, of_base in (
        ("The base changed its answer, this model does not", gone, True),
        ("This model changes its answer, the base did not", come, False),
    ):
        if cases:
            yield element("h4", words)
            yield element("div", (_card(case, of_base) for case in cases), class_="pairs")


def embedded_of_both(base: Verification, new: Verification) -> int:
    """How many pictures :func:`both_answers` puts into the page."""
    cases = [case for chosen in _chosen(base, new) for case in chosen]
    return sum(picture is not None for case in cases for picture in windows_of(case.shown, case.change))


def _chosen(base: Verification, new: Verification) -> tuple[list[_Case], list[_Case]]:
    """The cases with the base alone and with the new model alone; none where their shifts are not the same."""
    if not (base.outputs and new.outputs) or base.data.used != new.data.used or base.shifts.at is not new.shifts.at:
        return [], []
    if base.outputs[0].listed is not None:  # not the same images of both
        return [], []
    before, after = base.outputs[0].images, new.outputs[0].images
    gone = [case for case in _cases(base, before, after) if case.steady]
    come = [case for case in _cases(new, after, before) if case.steady]
    return gone[:_MOST], come[:_MOST]


def _cases(found: Verification, images: Sequence[ImageResult], others: Sequence[ImageResult]) -> Iterator[_Case]:
    pictures = kept_pictures(found.shown, 2)
    for place in most_changed(images):
        change = images[place].class_change
        answers = _by_shift(others[place])
        if change is None:
            continue
        first, second = (answers.get(end.shift) for end in (change.before, change.after))
        if first is not None and second is not None:
            yield _Case(images[place], change, (first, second), pictures.get(place))


def _by_shift(image: ImageResult) -> Mapping[tuple[float, float], SeenAnswer]:
    return {(seen.shift[0], seen.shift[1]): seen for seen in image.answers}


def _card(case: _Case, of_base: bool) -> Element:
    change = case.change
    own = [(change.before.answer, change.before.score), (change.after.answer, change.after.score)]
    other = [(seen.answer, seen.score) for seen in case.other]
    rows = [("base", own), ("new", other)] if of_base else [("base", other), ("new", own)]
    pictures = windows_of(case.shown, change)
    sides = [
        element(
            "div",
            element("div", picture, element("span", tag, class_="tag"), class_="window")
            if picture is not None
            else None,
            (_answer(name, *answers[index], answers[0][0] != answers[1][0]) for name, answers in rows),
            class_=kind,
        )
        for index, (kind, tag, picture) in enumerate(
            zip(("first", "second"), ("as it was", moved_words(change.step)), pictures, strict=True)
        )
    ]
    return element(
        "figure",
        element("div", sides, class_="sides"),
        element("figcaption", element("code", plain(case.image.name, 60)), f" · {moved_words(change.step)}"),
        class_="pair both",
    )


def _answer(name: str, answer: int, score: float, changes: bool) -> Element:
    """What one model answers to one window, marked where it is not what it answers to the other one."""
    return element(
        "p",
        element("span", name, class_="who"),
        element("b", f"class {answer}"),
        element("span", score_text(score)),
        class_="said changes" if changes else "said",
    )
