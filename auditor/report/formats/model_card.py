"""The report as a block of a Hugging Face model card: measured values as ``model-index`` metadata, and a short text.

The metadata follows the structure that the Hub documents (``modelcard.md`` of huggingface/hub-docs): each entry of
``model-index`` names a model, and each of its results a task, a dataset, metrics and their source. Strings are quoted
as in JSON, which YAML reads as they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TypeAlias

from auditor._version import REPOSITORY
from auditor.facts.report import ModelReport, Report
from auditor.report import RenderOptions
from auditor.report.formats.markdown_parts import NAME, measurement_words, row
from auditor.report.markdown_page import BLANK, MarkdownPage
from auditor.report.words.grid import subsampling
from auditor.report.words.measured_headline import sentence
from auditor.report.words.numbers import json_number, json_share, number
from auditor.text import count_text, markdown_code, markdown_words, plain
from auditor.verify.measures import MEASURES
from auditor.verify.result import DataKind, Measure, OutputResult, Task, Verification

Tree: TypeAlias = "Mapping[str, Tree] | Sequence[Tree] | str | int | float | None"

# The Hub's names; what it has no task for goes by its word for that.
_TASKS = {
    Task.CLASSIFICATION: "image-classification",
    Task.DENSE: "image-segmentation",
    Task.EMBEDDING: "image-feature-extraction",
    Task.DETECTION: "object-detection",
    Task.KEYPOINTS: "keypoint-detection",
    Task.TEXT: "image-to-text",
    Task.REGRESSION: "other",
}
# The Hub's loader for folders of pictures; it knows no other source that a run can have.
_FOLDER, _OTHER = "imagefolder", "custom"


def render(report: Report, options: RenderOptions) -> str:
    """Metadata in front, where something was measured, and a part of text per model."""
    index = [entry for model in report.models if (entry := _entry(model, report.version))]
    page = MarkdownPage(options.max_bytes)
    if index:
        page.add("---", "model-index:", *_yaml(index, ""), "---", BLANK)
    for place, model in enumerate(report.models):
        if place:
            page.add(BLANK)
        _part(page, model, len(report.models) > 1)
    for problem in report.problems:
        where = f"{markdown_code(problem.path, NAME)}: " if problem.path else ""
        page.add(BLANK, f"Not audited: {where}{markdown_words(problem.message)}")
    page.add(BLANK, f"Made by [aliasaudit]({REPOSITORY}) {markdown_words(plain(report.version))}.")
    return page.text()


def _entry(model: ModelReport, version: str) -> Mapping[str, Tree] | None:
    """The entry of a model; None where nothing was measured that a card can hold."""
    found = model.verification
    if found is None or found.incomplete:
        return None
    results = [result for task in Task if (result := _result(found, task, version))]
    return {"name": plain(PurePosixPath(model.path).stem), "results": results} if results else None


def _result(found: Verification, task: Task, version: str) -> Mapping[str, Tree] | None:
    outputs = [output for output in found.outputs if output.task is task]
    metrics = [
        _metric(measure, output if len(outputs) > 1 else None) for output in outputs for measure in _carded(output)
    ]
    if not metrics:
        return None
    data, folder = found.data, found.data.kind is DataKind.FOLDER
    dataset: dict[str, Tree] = {
        "name": f"{count_text(data.images, 'picture')} of the user, moved by up to {found.shifts.radius} px",
        "type": _FOLDER if folder else _OTHER,
        "args": {
            "images": data.images,
            "pixels_sha256": data.sha256,
            "protocol": found.shifts.protocol.value,
            "radius_px": found.shifts.radius,
            "seed": found.shifts.seed,
            "preprocessing": found.preprocessing,
        },
    }
    if data.kind is DataKind.BUILTIN:
        dataset["name"] = f"{count_text(data.images, 'built-in picture')}, moved by up to {found.shifts.radius} px"
    return {
        "task": {"type": _TASKS[task]},
        "dataset": dataset,
        "metrics": metrics,
        "source": {"name": f"aliasaudit {plain(version)}", "url": REPOSITORY},
    }


def _carded(output: OutputResult) -> Iterator[Measure]:
    """The measures of an output that a card shows: those of the summary of its task."""
    for measure in output.measures:
        facts = MEASURES.get(measure.name)
        if facts is not None and facts.summary and not measure.protocol and math.isfinite(measure.value):
            yield measure


def _metric(measure: Measure, output: OutputResult | None) -> Mapping[str, Tree]:
    facts = MEASURES.get(measure.name)
    heading = measure.name if facts is None else facts.heading
    metric: dict[str, Tree] = {
        "type": measure.name,
        "value": _value(measure.value, measure.unit),
        "name": heading if output is None else f"{heading} of {plain(output.output, NAME)}",
    }
    if measure.interval is not None:
        ends = (measure.interval.low, measure.interval.high)
        metric["args"] = {"interval_95": [_value(end, measure.unit) for end in ends]}
    return metric


def _value(value: float, unit: str) -> int | float | None:
    return json_share(value) if unit == "share" else json_number(value)


def _yaml(value: Tree, indent: str) -> Iterator[str]:
    """A tree as lines of YAML in block style; every list and mapping in it holds something."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _under(f"{indent}{key}:", child, f"{indent}  ")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for child in value:
            if isinstance(child, Mapping):
                first, *rest = _yaml(child, f"{indent}  ")
                yield f"{indent}- {first.lstrip()}"
                yield from rest
            else:
                yield f"{indent}- {_scalar(child)}"


def _under(label: str, value: Tree, indent: str) -> Iterator[str]:
    if isinstance(value, (Mapping, list)):
        yield label
        yield from _yaml(value, indent)
    else:
        yield f"{label} {_scalar(value)}"


def _scalar(value: Tree) -> str:
    if isinstance(value, float):
        # YAML 1.1 reads 1e-06 as a word.
        whole, _, digits = f"{value:.6f}".partition(".")
        return f"{whole}.{digits.rstrip('0') or '0'}"
    return json.dumps(value, ensure_ascii=False)


def _part(page: MarkdownPage, model: ModelReport, several: bool) -> None:
    """The heading, what happens when a picture moves, the numbers, and what they were measured with."""
    name = f" of {markdown_code(PurePosixPath(model.path).name, NAME)}" if several else ""
    page.add(f"## Steadiness under shifts{name}", BLANK)
    found = model.verification
    if found is None or found.incomplete:
        page.add(markdown_words(subsampling(model)), BLANK)
        why = f" ({markdown_words(plain(found.incomplete, None))})" if found is not None else ""
        page.add(f"How often its answers change was not measured{why}: `aliasaudit verify --images DIR MODEL` does.")
        return
    said = sentence(found)
    if said is not None:
        accent = f"**{markdown_words(said.accent)}**" if said.accent else ""
        page.add(f"{markdown_words(said.start)}{accent}{markdown_words(said.end)}", BLANK)
    page.add(markdown_words(subsampling(model)), BLANK)
    page.add("| measure | value | 95 % interval | what it is |", "| :-- | --: | :-- | :-- |")
    for output in found.outputs:
        page.rows(_row(measure, output if len(found.outputs) > 1 else None) for measure in _carded(output))
    page.add(BLANK, measurement_words(found))


def _row(measure: Measure, output: OutputResult | None) -> str:
    facts, span = MEASURES.get(measure.name), measure.interval
    heading = markdown_words(measure.name if facts is None else facts.heading)
    return row(
        [
            heading if output is None else f"{heading} of {markdown_code(output.output, NAME)}",
            number(measure.value, measure.unit),
            "-" if span is None else f"{number(span.low, measure.unit)} to {number(span.high, measure.unit)}",
            "" if facts is None else markdown_words(facts.meaning),
        ]
    )
