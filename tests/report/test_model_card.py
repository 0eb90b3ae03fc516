"""The block of a model card, read by a YAML parser, by Markdown, and by the library of the Hub itself."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from auditor.facts.formats import Format
from auditor.facts.report import Report
from auditor.report import render
from auditor.text import ModelText
from auditor.verify.interval import Interval
from auditor.verify.measures import MEASURES
from auditor.verify.result import DataKind, Measure, Task, Verification
from tests.report.evil import NAMES, WORST
from tests.report.samples import clean_network
from tests.report.test_measured import FOUND, OUTPUT
from tests.runner_commands import commands, control_bytes

NAMED = [facts.name for facts in MEASURES.values() if facts.summary]


def measure(name: str) -> Measure:
    return Measure(name, 0.5, None, "ratio", True, ())


def measured(found: Verification, path: str = "models/small.onnx") -> Report:
    report = clean_network()
    return replace(report, models=(replace(report.models[0], path=path, verification=found),))


def card(report: Report) -> tuple[Any, str]:
    """The metadata as YAML says, and the text below it."""
    shown = render(report, Format.MODEL_CARD)
    if not shown.startswith("---\n"):
        return None, shown
    _, metadata, text = shown.split("---\n", 2)
    return yaml.safe_load(metadata), text


def with_measures(*measures: Measure) -> Verification:
    return replace(FOUND, outputs=(replace(OUTPUT, output=ModelText("logits"), measures=measures),))


def test_a_measured_model_has_metrics_in_the_structure_that_the_hub_documents() -> None:
    metadata, _ = card(measured(FOUND))
    (entry,) = metadata["model-index"]
    assert entry["name"] == "small"
    (result,) = entry["results"]
    assert result["task"] == {"type": "image-classification"}
    assert result["dataset"]["type"] == "imagefolder"
    assert "2 pictures" in result["dataset"]["name"]
    assert result["dataset"]["args"]["pixels_sha256"] == "ab"
    assert result["metrics"] == [
        {"type": "consistency", "value": 0.773, "name": "consistency", "args": {"interval_95": [0.748, 0.798]}}
    ]
    assert set(result["source"]) == {"name", "url"}


def test_the_library_of_the_hub_reads_the_same_numbers_and_writes_them_back() -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: the Hub's own reader")
    shown = render(measured(FOUND), Format.MODEL_CARD)
    read = hub.ModelCard(shown)
    (value,) = read.data.eval_results
    assert (value.task_type, value.metric_type, value.metric_value) == ("image-classification", "consistency", 0.773)
    assert read.data.to_dict()["model-index"] == card(measured(FOUND))[0]["model-index"]
    assert "Steadiness under shifts" in read.text


def test_the_text_says_what_happens_and_what_it_was_measured_with() -> None:
    _, text = card(measured(FOUND))
    tokens = MarkdownIt().enable("table").parse(text)
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h2"]
    assert "**23 of 100** answers change" in text
    assert "| consistency | 77.3 % | 74.8 % to 79.8 % |" in text
    assert "Measured on 2 images" in text


@pytest.mark.parametrize("unmeasured", [None, replace(FOUND, incomplete="no image could be read")])
def test_what_was_not_measured_has_no_metrics_and_names_the_command(unmeasured: Verification | None) -> None:
    report = clean_network() if unmeasured is None else measured(unmeasured)
    metadata, text = card(report)
    assert metadata is None
    assert "was not measured" in text
    assert "aliasaudit verify" in text


def test_built_in_pictures_are_not_called_the_users() -> None:
    metadata, _ = card(measured(replace(FOUND, data=replace(FOUND.data, kind=DataKind.BUILTIN))))
    dataset = metadata["model-index"][0]["results"][0]["dataset"]
    assert dataset["name"].startswith("2 built-in pictures")
    assert dataset["type"] == "custom"


def test_every_task_has_a_type_and_tasks_stand_apart() -> None:
    outputs = tuple(
        replace(
            OUTPUT, output=ModelText(task.value), task=task, measures=(Measure(name, 0.5, None, "ratio", True, ()),)
        )
        for task, name in zip(Task, [facts.name for facts in MEASURES.values() if facts.summary], strict=False)
    )
    metadata, _ = card(measured(replace(FOUND, outputs=outputs)))
    assert len({result["task"]["type"] for result in metadata["model-index"][0]["results"]}) == len(Task)


def test_two_outputs_of_a_task_are_told_apart() -> None:
    outputs = tuple(replace(OUTPUT, output=ModelText(name)) for name in ("left", "right"))
    metadata, text = card(measured(replace(FOUND, outputs=outputs)))
    (result,) = metadata["model-index"][0]["results"]
    assert [metric["name"] for metric in result["metrics"]] == ["consistency of left", "consistency of right"]
    assert "consistency of `left`" in text


@given(st.floats(0, 1), st.floats(0, 1e9))
def test_numbers_come_back_as_numbers(share: float, ratio: float) -> None:
    found = with_measures(
        Measure("consistency", share, Interval(share, share), "share", True, (share,)),
        Measure("value-change", ratio, None, "ratio", False, (ratio,)),
    )
    metrics = card(measured(found))[0]["model-index"][0]["results"][0]["metrics"]
    assert [metric["value"] for metric in metrics] == [pytest.approx(share, abs=2e-6), pytest.approx(ratio, abs=2e-6)]
    assert all(isinstance(metric["value"], (int, float)) for metric in metrics)


@given(NAMES)
@example(WORST)
def test_names_of_a_model_stay_one_string(name: str) -> None:
    outputs = tuple(replace(OUTPUT, output=ModelText(one)) for one in (name, "other"))
    report = measured(replace(FOUND, outputs=outputs), f"models/{name}.onnx")
    shown = render(report, Format.MODEL_CARD)
    assert not control_bytes(shown)
    assert not commands(shown)
    (entry,) = card(report)[0]["model-index"]
    assert set(entry) == {"name", "results"}
    assert all(set(metric) == {"type", "value", "name", "args"} for metric in entry["results"][0]["metrics"])
