"""How a comparison of kernels is shown: the same numbers in every format, and nothing that a name could start."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import auditor
from auditor.facts.formats import Format
from auditor.facts.report import Problem, ProblemKind
from auditor.facts.resizing import ResizeReport
from auditor.report import RenderOptions
from auditor.report.resize import FORMATS, render_resize
from auditor.resizing.result import ResizeComparison
from auditor.text import ModelText
from auditor.verify.example import Jpeg
from tests.resizing.stripes import bright_or_dark, photos, stripes

HOSTILE = "\x1b[31m::error::<script>alert(1)</script>|`"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> ResizeComparison:
    folder = tmp_path_factory.mktemp("resize")
    images = photos(folder, stripes(16))
    return auditor.resize(bright_or_dark(folder), images=images, resize="cv2-nearest", preset="unit", device="cpu")


def shown(found: ResizeComparison, output_format: Format, options: RenderOptions | None = None) -> str:
    return render_resize(ResizeReport("1.0", "m.onnx", found), output_format, options)


def test_the_terminal_says_the_verdict_the_rows_and_the_line_to_write(found: ResizeComparison) -> None:
    text = shown(found, Format.TEXT, RenderOptions(width=80, unicode=True, terminal=True))
    flat = " ".join(text.split())
    assert "16 pictures of 64 px to 32 px (factor 2)" in flat
    assert "◀ yours. cv2-nearest changes 16 of 16 answers" in flat
    assert "the resize aliases, not the model." in flat
    assert "write: cv2.resize(img, (32, 32), interpolation=cv2.INTER_AREA)" in flat
    assert [line for line in text.split("\n") if line.startswith("  cv2-nearest ◀")]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(found: ResizeComparison, width: int) -> None:
    text = shown(found, Format.TEXT, RenderOptions(width=width, unicode=True, terminal=True))
    assert max(len(line) for line in text.split("\n") if "write:" not in line) <= width


def test_a_verdict_that_rests_on_few_pictures_says_so(tmp_path: Path) -> None:
    images = photos(tmp_path, stripes(5))
    few = auditor.resize(
        bright_or_dark(tmp_path), images=images, resize="cv2-nearest", kernels="cv2-area,cv2-nearest", device="cpu"
    )
    text = " ".join(shown(few, Format.TEXT).split())
    assert "cv2-nearest changes 5 of 5 answers; it rests on 5 pictures, and an interval takes 8" in text
    assert "After a move by one pixel 50 % of the answers change, 0 % behind cv2-area, on 5 pictures." in text
    assert "no intervals: they take 8 pictures with an answer" in text


def test_a_log_gets_ascii_and_no_colour(found: ResizeComparison) -> None:
    assert shown(found, Format.TEXT).isascii()
    assert "\x1b[" not in shown(found, Format.TEXT)
    assert "\x1b[31m" in shown(found, Format.TEXT, RenderOptions(colour=True))


def test_the_document_holds_every_row_and_all_four_lines_of_code(found: ResizeComparison) -> None:
    document = json.loads(shown(found, Format.JSON))
    assert document["schema"] == "aliasaudit-resize/1"
    comparison = document["comparison"]
    assert [row["kernel"] for row in comparison["rows"]] == [row.kernel for row in found.rows]
    assert {line["library"] for line in comparison["code"]} == {"OpenCV", "Pillow", "torchvision", "TensorFlow"}
    assert comparison["judgement"]["verdict"] == "aliases"
    nearest = next(row for row in comparison["rows"] if row["kernel"] == "cv2-nearest")
    assert nearest["agreement"]["pictures"] == 16
    assert nearest["agreement"]["interval"]["confidence"] == 0.95
    assert "thumbnail" not in comparison["changed"][0]["inputs"][0]
    assert found.to_dict()["comparison"] == comparison


def test_markdown_has_a_table_and_the_code(found: ResizeComparison) -> None:
    text = shown(found, Format.MARKDOWN)
    assert "**Cv2-nearest" not in text
    assert "| **`cv2-nearest` (yours)** |" in text
    assert "- OpenCV (yours): `cv2.resize(img, (32, 32), interpolation=cv2.INTER_AREA)`" in text


@pytest.mark.parametrize("max_bytes", [2400, 2000, 1800, 1500, 1200, 1000])
def test_markdown_over_the_limit_ends_on_a_whole_line_says_so_and_closes_what_it_opened(
    found: ResizeComparison, max_bytes: int
) -> None:
    assert "was cut here" not in shown(found, Format.MARKDOWN)
    text = shown(found, Format.MARKDOWN, RenderOptions(max_bytes=max_bytes))
    assert len(text.encode()) <= max_bytes
    assert f"The report was cut here, at {max_bytes} bytes" in text
    assert text.count("<details>") == text.count("</details>")
    assert all(line.endswith(" |") for line in text.splitlines() if line.startswith("| "))


class Page(HTMLParser):
    """What stands in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_shows_the_pictures_and_reaches_nothing_outside(found: ResizeComparison) -> None:
    text = shown(found, Format.HTML)
    page = Page()
    page.feed(text)
    assert page.tags.count("img") > 0
    assert all(source.startswith("data:image/") for source in page.sources)
    assert "img-src data:" in text
    assert len(text) < 1_000_000
    assert "class 0" in page.words
    assert "class 1" in page.words


def test_names_of_models_and_pictures_start_nothing(found: ResizeComparison) -> None:
    changed = tuple(replace(one, name=ModelText(HOSTILE)) for one in found.changed)
    evil = replace(found, model=HOSTILE, changed=changed)
    report = ResizeReport("1.0", HOSTILE, evil, problems=(Problem(ProblemKind.NOT_MEASURED, "gone", HOSTILE),))
    for output_format in FORMATS:
        text = render_resize(report, output_format)
        assert "\x1b" not in text
        assert not [line for line in text.split("\n") if line.startswith("::")]
        assert "<script>alert" not in text or output_format is not Format.HTML


def test_another_format_is_refused_in_one_line(found: ResizeComparison) -> None:
    with pytest.raises(ValueError, match="is written as text, json, markdown, html, not as sarif"):
        shown(found, Format.SARIF)


def test_a_page_counts_the_pictures_that_are_in_it_and_no_others(found: ResizeComparison) -> None:
    large = Jpeg(b"x" * 24_000, (320, 320))
    changed = tuple(
        replace(picture, inputs=tuple(replace(seen, thumbnail=large, detail=b"") for seen in picture.inputs))
        for picture in found.changed
    )
    page = shown(replace(found, changed=changed), Format.HTML)
    embedded = page.count("<img")
    assert 0 < embedded < sum(len(picture.inputs) for picture in changed)
    assert f"pictures embedded: {embedded}" in page


def test_a_notebook_gets_the_page_in_a_frame(found: ResizeComparison) -> None:
    assert found._repr_html_().startswith("<iframe srcdoc=")


def test_a_report_without_numbers_says_why(tmp_path: Path) -> None:
    report = ResizeReport("1.0", "m.onnx", None, problems=(Problem(ProblemKind.NOT_MEASURED, "no pictures", "m.onnx"),))
    for output_format in FORMATS:
        assert "no pictures" in render_resize(report, output_format)
