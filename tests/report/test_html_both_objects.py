"""The page of a comparison of detectors, or of keypoint models: what each of the two finds, over the same picture."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from auditor.verify.example import MovingBox, MovingJoints, SeenBox, SeenJoints, ShownImage
from auditor.verify.result import ImageResult, Task, Verification
from tests.report.test_html_compared import page
from tests.report.test_html_examples import PICTURE, image, of_class, output, verification, words

SVG = "{http://www.w3.org/2000/svg}"
THUMBNAIL = (ShownImage(0, PICTURE),)


def box(lowest: float, answer: int = 3) -> MovingBox:
    found = SeenBox((0, 1), lowest, (11, 20, 61, 80)) if lowest else SeenBox((0, 1), 0.0, None)
    return MovingBox(answer, 0.5, (100, 200), (SeenBox((0, 0), 0.9, (10, 20, 60, 80)), found))


def joints(far: float) -> MovingJoints:
    seen = (SeenJoints((0, 0), ((10, 20),)), SeenJoints((0, 1), ((10 + far, 20),)))
    return MovingJoints((7,), (far,), (100, 200), seen)


def detector(*found: MovingBox | None, names: tuple[str, ...] = ("a.png", "b.png"), **changes: Any) -> Verification:
    images = [image(name, box=one) for name, one in zip(names, found, strict=False)]
    return verification(output(*images, task=Task.DETECTION), **changes)


def corners(drawing: Any) -> list[str]:
    return sorted(str(one.get("x")) for one in drawing.iter(f"{SVG}rect") if one.get("x"))


def test_the_boxes_of_both_models_are_drawn_over_the_one_picture() -> None:
    root = page(detector(box(0.1), shown=THUMBNAIL), detector(box(0.8)))
    (card,) = of_class(root, "both")
    assert [corners(one) for one in of_class(card, "boxes")] == [["10", "11"], ["10", "11"]]
    assert len(list(card.iter("img"))) == 2
    said = words(card)
    assert "base: class 3, below 0.50 at 1 of 2 positions" in said
    assert "new: class 3, below 0.50 at 0 of 2 positions" in said
    assert "the score moves by 0.80 with the base, by 0.10 now" in said
    assert "2 pictures embedded" in words(root.find(".//footer"))


def test_a_picture_in_which_one_model_finds_nothing_says_so() -> None:
    (card,) = of_class(page(detector(box(0.1), shown=THUMBNAIL), detector(None)), "both")
    assert "new: no box that shifts could be compared on" in words(card)
    assert len(of_class(card, "boxes")) == 1


def test_boxes_of_other_classes_are_not_held_against_each_other() -> None:
    (card,) = of_class(page(detector(box(0.1), shown=THUMBNAIL), detector(box(0.8, answer=5))), "both")
    assert "each model's own box, of another class" in words(card)
    assert "by 0.10 now" not in words(card)


def test_the_picture_that_moves_most_with_either_model_is_shown() -> None:
    base, new = detector(box(0.1), box(0.85)), detector(box(0.88), box(0.0))
    names = [words(one).split(" ")[0] for one in page(base, new).iter("figcaption")]
    assert {"a.png", "b.png"} <= set(names)


def test_the_joints_of_both_models_are_drawn_over_the_one_picture() -> None:
    def figure(far: float) -> ImageResult:
        return replace(image(), moving_joints=joints(far))

    def found(far: float, **changes: Any) -> Verification:
        return verification(output(figure(far), task=Task.KEYPOINTS), **changes)

    root = page(found(4.0, shown=THUMBNAIL), found(1.5))
    (card,) = of_class(root, "both")
    ends = [one.get("x2") for drawing in of_class(card, "boxes") for one in drawing.iter(f"{SVG}line")]
    assert ends == ["14", "11.5"]
    assert "base: joint 7 moves 4.0 px" in words(card)
    assert "at most 4.0 px with the base, 1.5 px now" in words(card)


def test_without_pictures_the_numbers_stay() -> None:
    root = page(detector(box(0.1)), detector(box(0.8)))
    (card,) = of_class(root, "both")
    assert not of_class(card, "boxes")
    assert "by 0.10 now" in words(card)
    assert "embedded" not in words(root.find(".//footer"))
