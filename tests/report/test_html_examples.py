from __future__ import annotations

from base64 import b64decode
from typing import Any

import html5lib  # type: ignore[import-untyped]
import pytest
from msgspec.structs import replace

from auditor.facts.formats import Format
from auditor.facts.report import ModelReport, Report
from auditor.report import render
from auditor.report.words.measured_headline import lead, sentence
from auditor.text import ModelText
from auditor.verify.example import (
    ClassChange,
    Jpeg,
    MovingBox,
    MovingJoints,
    SeenBox,
    SeenClass,
    SeenJoints,
    ShownImage,
)
from auditor.verify.interval import Interval
from auditor.verify.result import ImageResult, Measure, OutputResult, Task, Track, Verification
from tests.report.evil import evil_report

PICTURE = Jpeg(b"\xff\xd8 a picture", (224, 224))
CHANGE = ClassChange(SeenClass((0, 0), 7, 0.5, 0.25), SeenClass((0, 1), 9, 0.625, 0.125), (0, 1))


def image(name: str = "cat.png", change: ClassChange | None = None, box: MovingBox | None = None) -> ImageResult:
    return ImageResult(ModelText(name), None, None, None, 0.5, (), None, None, class_change=change, moving_box=box)


def measure(name: str, value: float, unit: str = "share", interval: Interval | None = None) -> Measure:
    return Measure(name, value, interval, unit, True, (value,) * 80)


def output(*images: ImageResult, task: Task = Task.CLASSIFICATION, measures: tuple[Measure, ...] = ()) -> OutputResult:
    return OutputResult(ModelText("out"), task, measures, (), images, ())


def verification(*outputs: OutputResult, **changes: Any) -> Verification:
    (model,) = evil_report("net").models
    assert model.verification is not None
    return replace(model.verification, outputs=outputs, layers=(), incomplete="", **changes)


def page(found: Verification) -> Any:
    report = evil_report("net")
    model: ModelReport = replace(report.models[0], verification=found, comparison=None)
    text = render(replace(report, models=(model,), problems=()), Format.HTML)
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


def of_class(root: Any, word: str) -> list[Any]:
    return [one for one in root.iter() if word in (one.get("class") or "").split()]


def words(one: Any) -> str:
    return " ".join("".join(one.itertext()).split())


def test_a_changed_answer_is_shown_as_a_pair_with_both_answers_and_the_shift_between_them() -> None:
    found = verification(output(image(change=CHANGE)), shown=(ShownImage(0, PICTURE, PICTURE),))
    root = page(found)
    (pair,) = of_class(root, "pair")
    text = words(pair)
    assert "class 7" in text
    assert "0.50" in text
    assert "class 9" in text
    assert "0.62" in text
    assert "window moved 1 px right" in text
    assert "class 7 \N{MINUS SIGN}0.38, class 9 +0.38" in text
    pictures = [b64decode(one.get("src").partition(",")[2]) for one in pair.iter("img")]
    assert pictures == [PICTURE.data, PICTURE.data]


@pytest.mark.parametrize(
    ("step", "first", "second"),
    [((0, 1), {"left"}, {"right"}), ((2, 0), {"top"}, {"bottom"}), ((-1, -3), {"bottom", "right"}, {"top", "left"})],
)
def test_the_strip_that_only_one_window_has_is_marked_at_its_edge(
    step: tuple[float, float], first: set[str], second: set[str]
) -> None:
    change = ClassChange(CHANGE.before, CHANGE.after, step)
    root = page(verification(output(image(change=change)), shown=(ShownImage(0, PICTURE, PICTURE),)))
    edges = [set(one.get("class").split()) - {"strip"} for one in of_class(root, "strip")]
    assert edges == [first, second]


def test_without_thumbnails_names_and_scores_stay_and_the_page_may_show_no_picture() -> None:
    root = page(verification(output(image(change=CHANGE))))
    assert not list(root.iter("img"))
    assert "class 9" in words(of_class(root, "pair")[0])
    (policy,) = [one.get("content") for one in root.iter("meta") if one.get("http-equiv")]
    assert "img-src" not in policy


def test_a_page_says_how_many_pictures_are_in_it() -> None:
    root = page(verification(output(image(change=CHANGE)), shown=(ShownImage(0, PICTURE, PICTURE),)))
    assert "2 pictures embedded, leave them out with --no-thumbnails" in words(root.find(".//footer"))


def test_pictures_of_a_page_stay_below_a_quarter_of_a_megabyte() -> None:
    large = Jpeg(b"x" * 24_000, (320, 320))
    images = [image(f"{number}.png", CHANGE) for number in range(8)]
    root = page(verification(output(*images), shown=tuple(ShownImage(place, large, large) for place in range(8))))
    data = [one.get("src").partition(",")[2] for one in root.iter("img")]
    assert 0 < sum(len(b64decode(text)) for text in data) <= 250_000
    assert len(of_class(root, "pair")) == 8


def test_every_box_of_a_detector_is_drawn_where_it_was_found_and_what_was_not_found_is_said() -> None:
    seen = (
        SeenBox((0, 0), 0.75, (10, 20, 60, 90)),
        SeenBox((0, 4), 0.5, (11, 20, 61, 90)),
        SeenBox((3, 0), 0.0, None),
    )
    box = MovingBox(2, 0.5, (100, 200), seen)
    root = page(verification(output(image(box=box), task=Task.DETECTION), shown=(ShownImage(0, PICTURE),)))
    (drawing,) = of_class(root, "boxes")
    assert drawing.get("viewBox") == "0 0 200 100"
    rectangles = [
        (one.get("class"), one.get("x"), one.get("width")) for one in drawing.iter("{http://www.w3.org/2000/svg}rect")
    ]
    assert rectangles == [("other", "11", "50"), ("first", "10", "50")]
    text = words(of_class(root, "pair")[0])
    assert "lowest, at +0 px, +3 px" in text
    assert "none" in text
    assert "below 0.50 at 1 of 3 positions" in text


def test_every_joint_is_drawn_at_all_its_places_with_a_line_to_the_farthest() -> None:
    nan = float("nan")
    seen = (
        SeenJoints((0, 0), ((10, 20), (50, 60))),
        SeenJoints((0, 1), ((11, 20), (nan, nan))),
        SeenJoints((3, 0), ((10, 24), (50, 61))),
    )
    moving = MovingJoints((4, 2), (4.0, 1.0), (100, 200), seen)
    shown = replace(image(), moving_joints=moving)
    root = page(verification(output(shown, task=Task.KEYPOINTS), shown=(ShownImage(0, PICTURE),)))
    (drawing,) = of_class(root, "boxes")
    svg = "{http://www.w3.org/2000/svg}"
    dots = [(one.get("class"), one.get("cx"), one.get("cy")) for one in drawing.iter(f"{svg}circle")]
    assert sorted(dots) == [
        ("first", "10", "20"), ("first", "50", "60"), ("other", "11", "20"),
        ("second", "10", "24"), ("second", "50", "61"),
    ]  # fmt: skip
    assert [(one.get("x1"), one.get("y2")) for one in drawing.iter(f"{svg}line")] == [("10", "24"), ("50", "61")]
    text = words(of_class(root, "pair")[0])
    assert "joint 4 moves 4.0 px" in text
    assert "joint 2" in text


@pytest.mark.parametrize(
    ("name", "value", "unit", "said"),
    [
        ("keypoint-jitter", 4.25, "px", "Shift the picture and joints move by 4.25 px."),
        ("text-changes", 0.25, "share", "Shift the picture and 25 of 100 lines of text change."),
        ("massc", 0.96, "share", "Shift the picture and 4 of 100 positions change."),
        ("massc", 1.0, "share", "None of the positions changed at any shift tried."),
        ("equivariance-error", 0.12, "ratio", "Shift the picture and the output differs by 0.120 of its own size."),
    ],
)
def test_every_task_has_a_sentence_for_people(name: str, value: float, unit: str, said: str) -> None:
    higher = name == "massc"
    made = output(task=Task.DENSE, measures=(replace(measure(name, value, unit), higher_is_better=higher),))
    assert str(sentence(verification(made))) == said


@pytest.mark.parametrize("name", ["</script><script>alert(1)</script>", '"><img src=x>', "::error::"])
def test_a_name_of_a_picture_stays_text(name: str) -> None:
    plain, hostile = (page(verification(output(image(one, CHANGE)))) for one in ("cat.png", name))
    assert [one.tag for one in plain.iter()] == [one.tag for one in hostile.iter()]


def test_the_sentence_tells_what_happens_to_one_hundred_answers() -> None:
    steady, near = measure("consistency", 0.84), measure("top1-change", 0.1)
    assert str(sentence(verification(output(measures=(steady,))))) == "Shift the picture and 16 of 100 answers change."
    found = sentence(verification(output(measures=(steady, near))))
    assert str(found) == "Shift the picture and 16 of 100 answers change. One pixel can be enough."
    assert found is not None
    assert found.accent == "16 of 100"


def test_the_sentence_never_rounds_a_change_away_and_invents_none() -> None:
    almost = sentence(verification(output(measures=(measure("consistency", 0.9999),))))
    assert str(almost) == "Shift the picture and 1 of 100 answers change."
    assert str(sentence(verification(output(measures=(measure("consistency", 1.0),))))) == (
        "No answer changed at any shift tried."
    )


def test_nothing_is_said_of_a_measurement_that_is_incomplete_or_holds_no_number() -> None:
    steady = output(measures=(measure("consistency", 0.84),))
    assert sentence(replace(verification(steady), incomplete="interrupted after 3 images")) is None
    assert sentence(verification(output(measures=(measure("consistency", float("nan")),)))) is None


def test_boxes_that_come_and_go_are_told_as_boxes() -> None:
    jitter = measure("centre-jitter", 1.25, "px")
    lost = output(task=Task.DETECTION, measures=(jitter, measure("flicker", 0.3)))
    assert str(sentence(verification(lost))) == "Shift the picture and 30 of 100 boxes come or go."
    kept = output(task=Task.DETECTION, measures=(jitter, measure("flicker", 0.0)))
    assert str(sentence(verification(kept))) == "No box came or went; their centres move by 1.25 px."


def test_few_pictures_are_said_to_be_few_and_many_are_not() -> None:
    mac = measure("mac", 0.1, "probability", Interval(0.06, 0.15, 0.95))
    found = verification(output(measures=(mac,)))
    behind = " ".join(lead(found))
    assert "the winning score moves by 0.100 on average (0.060 to 0.150)" in behind
    assert "rest on 1 image, so intervals are wide" in behind
    many = replace(found, data=replace(found.data, used=(ModelText("a"),) * 80))
    assert "wide" not in " ".join(lead(many))
    without = replace(mac, name="consistency", per_image=(0.9, *[float("nan")] * 79))
    behind = " ".join(lead(replace(many, outputs=(output(measures=(without,)),))))
    assert "rest on 1 of 80 images" in behind


def test_a_report_without_a_measurement_has_no_pairs() -> None:
    report: Report = evil_report("net")
    model = replace(report.models[0], verification=None, comparison=None)
    text = render(replace(report, models=(model,)), Format.HTML)
    assert "What people feel" not in text


def test_a_path_is_drawn_for_a_phone_too_with_fewer_numbers_and_at_its_own_size() -> None:
    track = Track("box 1, class 2: score", "probability", tuple(step % 8 / 8 for step in range(65)), 8, 0.5)
    made = output(replace(image(), tracks=(track,)), task=Task.DETECTION)
    root = page(verification(made))
    (wide,), (narrow,) = of_class(root, "wide"), of_class(root, "narrow")
    assert (wide.get("viewBox"), narrow.get("viewBox")) == ("0 0 1080 220", "0 0 344 220")
    ticks = [sum(words(one).isdigit() for one in of_class(chart, "tick")) for chart in (wide, narrow)]
    assert ticks[1] <= 5 < ticks[0]
    ends = [float(one.get("x")) + 7 * len(words(one)) for one in of_class(narrow, "name")]
    assert max(ends) <= 344
