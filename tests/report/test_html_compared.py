"""The page of a comparison: the verdict first, what both models answer to the same windows, what changed where."""

from __future__ import annotations

from typing import Any

import html5lib  # type: ignore[import-untyped]
import pytest
from msgspec.structs import replace

from auditor.facts.comparison import Comparison, ComparisonVerdict
from auditor.facts.formats import Format
from auditor.report import render
from auditor.report.words.compared_verdict import verdict_sentence
from auditor.text import ModelText
from auditor.verify.example import ClassChange, Jpeg, SeenAnswer, SeenClass, ShownImage
from auditor.verify.result import ImageResult, Verification
from tests.report.evil import WORST, evil_report
from tests.report.test_html_examples import PICTURE, of_class, output, verification, words
from tests.runner_commands import commands

CHANGE = ClassChange(SeenClass((0, 0), 7, 0.5, 0.25), SeenClass((0, 1), 9, 0.625, 0.125), (0, 1))
THUMBNAILS = (ShownImage(0, PICTURE, PICTURE),)


def image(change: ClassChange | None, first: int, second: int, name: str = "cat.png") -> ImageResult:
    """A picture with the answers of one model to two windows."""
    answers = (SeenAnswer((0, 0), first, 0.5), SeenAnswer((0, 1), second, 0.75))
    return ImageResult(ModelText(name), None, None, None, 0.5, (), None, None, class_change=change, answers=answers)


CHANGING, STEADY = image(CHANGE, 7, 9), image(None, 7, 7)


def page(base: Verification, new: Verification, **changes: Any) -> Any:
    report = evil_report("net")
    found = report.models[0].comparison
    assert found is not None
    found = replace(found, base_verification=base, **changes)
    model = replace(report.models[0], verification=new, comparison=found)
    text = render(replace(report, models=(model,), problems=()), Format.HTML)
    assert not commands(text)
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


def test_a_picture_that_no_longer_changes_its_answer_is_shown_with_the_answers_of_both() -> None:
    root = page(verification(output(CHANGING), shown=THUMBNAILS), verification(output(STEADY)))
    (card,) = of_class(root, "both")
    assert [words(one) for one in of_class(card, "said")] == [
        "baseclass 70.50", "newclass 70.50", "baseclass 90.62", "newclass 70.75",
    ]  # fmt: skip
    assert [words(one) for one in of_class(card, "changes")] == ["baseclass 70.50", "baseclass 90.62"]
    assert len(list(card.iter("img"))) == 2
    headings = [words(one) for one in root.iter("h4")]
    assert "The base changed its answer, this model does not" in headings
    assert "This model changes its answer, the base did not" not in headings
    assert "2 pictures embedded" in words(root.find(".//footer"))


def test_a_picture_that_begins_to_change_its_answer_is_told_apart_from_one_that_no_longer_does() -> None:
    root = page(verification(output(STEADY)), verification(output(CHANGING), shown=THUMBNAILS))
    (card,) = of_class(root, "both")
    assert [words(one) for one in of_class(card, "changes")] == ["newclass 70.50", "newclass 90.62"]
    assert "This model changes its answer, the base did not" in [words(one) for one in root.iter("h4")]


def test_pictures_whose_answers_change_with_both_models_are_no_difference() -> None:
    root = page(verification(output(CHANGING), shown=THUMBNAILS), verification(output(CHANGING), shown=THUMBNAILS))
    assert not of_class(root, "both")
    assert "embedded" not in words(root.find(".//footer"))


def test_models_that_were_shown_other_pictures_are_not_set_beside_each_other() -> None:
    base = verification(output(CHANGING), shown=THUMBNAILS)
    other = replace(base.data, used=(ModelText("another.png"),))
    assert not of_class(page(base, verification(output(STEADY), data=other)), "both")


def test_pictures_of_both_models_stay_below_a_quarter_of_a_megabyte() -> None:
    large = Jpeg(b"x" * 24_000, (320, 320))
    shown = tuple(ShownImage(place, large, large) for place in range(8))
    many = output(*(image(CHANGE, 7, 9, f"{number}.png") for number in range(8)))
    still = output(*(image(None, 7, 7, f"{number}.png") for number in range(8)))
    root = page(verification(many, shown=shown), verification(still))
    kept = list(root.iter("img"))
    assert 0 < len(kept) * 24_000 <= 250_000
    assert f"{len(kept)} pictures embedded" in words(root.find(".//footer"))


@pytest.mark.parametrize("verdict", ComparisonVerdict)
def test_the_page_begins_with_the_verdict(verdict: ComparisonVerdict) -> None:
    found = Comparison("models/base.onnx", graph_verdict=verdict)
    said = verdict_sentence(found)
    assert "base.onnx" in str(said) or verdict is ComparisonVerdict.MINIMUM_NOT_HELD
    assert "models/" not in str(said)
    assert verdict.value.replace("-", " ").split()[0] in str(said).lower() or "below the minimum" in str(said)


@pytest.mark.parametrize("name", [WORST, "</script><script>alert(1)</script>"])
def test_names_add_no_element(name: str) -> None:
    def tags(one: str) -> list[str]:
        base = verification(output(image(CHANGE, 7, 9, one)), shown=THUMBNAILS)
        return [str(tag.tag) for tag in page(base, verification(output(image(None, 7, 7, one)))).iter()]

    assert tags(name) == tags("cat.png")
