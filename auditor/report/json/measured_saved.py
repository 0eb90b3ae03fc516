"""A verification read back from JSON. Names of images that were used and the seconds it took are not in there."""

from __future__ import annotations

import math

from auditor.onnxfile.noderef import NodeRef
from auditor.report.json.codec import Cursor
from auditor.text import ModelText
from auditor.verify.result import (
    Curve,
    CurvePoint,
    DataFacts,
    DataKind,
    EquivarianceMap,
    ImageResult,
    Interval,
    LayerResult,
    Measure,
    OutputResult,
    ProtocolKind,
    Provider,
    Rejected,
    SelfTest,
    ShiftAt,
    Shifts,
    Spectrum,
    Task,
    Verification,
)

_MOST_IMAGES = 10_000_000


def read_verification(found: Cursor) -> Verification:
    """The verification at this place of a saved report.

    Raises:
        SavedReportError: The place holds something else.
    """
    test = found.get("self_test")
    assumed = found.get("preset_assumed")  # absent from the reports of older versions
    return Verification(
        provider=_provider(found["provider"]),
        data=_data(found["data"]),
        shifts=_shifts(found["shifts"]),
        outputs=tuple(_output(one) for one in found["outputs"]),
        layers=tuple(_layer(one) for one in found["layers"]),
        self_test=SelfTest(test["passed"].flag, _number(test["agreement"]), _number(test["difference"]))
        if test is not None
        else None,
        incomplete=found["incomplete"].text,
        preprocessing=found["preprocessing"].text,
        shared_batch=found["batch"].integer,
        runs=found["runs"].integer,
        naive_runs=found["naive_runs"].integer,
        seconds=0.0,
        external=tuple((ModelText(one["location"].text), one["sha256"].text) for one in found["external"]),
        notes=tuple(one.text for one in found["notes"]),
        preset_assumed=assumed.text if assumed is not None else "",
    )


def _provider(found: Cursor) -> Provider:
    return Provider(
        asked=found["asked"].text,
        used=found["used"].text,
        placement=tuple((name, count.integer) for name, count in found["compute_nodes"].items()),
        others=tuple((name, count.integer) for name, count in found["other_nodes"].items()),
        onnxruntime=found["onnxruntime"].text,
        threads=found["threads"].integer,
    )


def _data(found: Cursor) -> DataFacts:
    images = found["images"].integer
    if not 0 <= images <= _MOST_IMAGES:
        raise found["images"].wrong("is no number of images")
    return DataFacts(
        kind=found["kind"].one_of(DataKind),
        used=(ModelText(""),) * images,
        rejected=tuple(Rejected(ModelText(one["name"].text), one["reason"].text) for one in found["rejected"]),
        labelled=found["labelled"].integer,
        sha256=found["sha256"].text,
    )


def _shifts(found: Cursor) -> Shifts:
    at, factor = found.get("at"), found.get("factor")
    return Shifts(
        protocol=found["protocol"].one_of(ProtocolKind),
        source=_pair(found["source"]),
        window=_pair(found["window"]),
        radius=found["radius"].integer,
        per_image=found["per_image"].integer,
        distinct=found["distinct"].integer,
        exhaustive=found["exhaustive"].flag,
        seed=found["seed"].integer,
        # Both are absent from the reports of older versions.
        at=ShiftAt.MODEL if at is None else at.one_of(ShiftAt),
        factor=None if factor is None else _number(factor),
    )


def _pair(found: Cursor) -> tuple[int, int]:
    sizes = [one.integer for one in found]
    if len(sizes) != 2:
        raise found.wrong("is no pair")
    return sizes[0], sizes[1]


def _output(found: Cursor) -> OutputResult:
    return OutputResult(
        output=ModelText(found["output"].text),
        task=found["task"].one_of(Task),
        measures=tuple(_measure(one) for one in found["measures"]),
        curves=tuple(_curve(one) for one in found["curves"]),
        images=tuple(_image(one) for one in found["images"]),
        predictions=tuple((one["class"].integer, one["images"].integer) for one in found["predictions"]),
        classes=_index(found, "classes"),
    )


def _measure(found: Cursor) -> Measure:
    return Measure(
        name=found["name"].text,
        value=_number(found["value"]),
        interval=read_interval(found),
        unit=found["unit"].text,
        higher_is_better=found["higher_is_better"].flag,
        per_image=_numbers(found["per_image"]),
    )


def read_interval(found: Cursor) -> Interval | None:
    """The member ``interval`` of what stands at this place; None where it is null."""
    span = found.get("interval")
    if span is None:
        return None
    return Interval(_number(span["low"]), _number(span["high"]), _number(span["confidence"]))


def _curve(found: Cursor) -> Curve:
    points = (
        CurvePoint(_number(one["distance"]), _number(one["value"]), read_interval(one), one["pairs"].integer)
        for one in found["points"]
    )
    return Curve(found["measure"].text, tuple(points))


def _image(found: Cursor) -> ImageResult:
    worst = found.get("worst")
    shift = _numbers(worst) if worst is not None else ()
    return ImageResult(
        name=ModelText(found["name"].text),
        label=_index(found, "label"),
        reference=_index(found, "reference"),
        score=_optional(found, "score"),
        flips=_number(found["flips"]),
        path=_numbers(found["path"]),
        worst=(shift[0], shift[1]) if len(shift) == 2 else None,
        worst_score=_optional(found, "worst_score"),
    )


def _layer(found: Cursor) -> LayerResult:
    tensor = ModelText(found["tensor"].text)
    node = found.get("node")
    nothing = ModelText("")
    cumulative = [None if one.null else float(one.number) for one in found["cumulative"]]
    if len(cumulative) != 2:
        raise found["cumulative"].wrong("is no pair")
    return LayerResult(
        tensor=tensor,
        node=NodeRef(ModelText(node.text), nothing, nothing, tensor, 0) if node is not None else None,
        site=_index(found, "site"),
        cumulative=(cumulative[0], cumulative[1]),
        cosine=_number(found["cosine"]),
        error=_number(found["error"]),
        added=_number(found["added"]),
        map=_map(found["map"]),
        alias_measured=_optional(found, "alias_measured"),
        alias_predicted=_optional(found, "alias_predicted"),
        before=_spectrum(found.get("before")),
        after=_spectrum(found.get("after")),
    )


def _map(found: Cursor) -> EquivarianceMap:
    return EquivarianceMap(
        dy=tuple(one.integer for one in found["dy"]),
        dx=tuple(one.integer for one in found["dx"]),
        cosine=tuple(_numbers(row) for row in found["cosine"]),
        error=tuple(_numbers(row) for row in found["error"]),
    )


def _spectrum(found: Cursor | None) -> Spectrum | None:
    return None if found is None else Spectrum(_numbers(found["frequencies"]), _numbers(found["power"]))


def _number(found: Cursor) -> float:
    """A number; NaN for null, which is not measured."""
    return math.nan if found.null else float(found.number)


def _numbers(found: Cursor) -> tuple[float, ...]:
    return tuple(_number(one) for one in found)


def _optional(found: Cursor, key: str) -> float | None:
    one = found.get(key)
    return None if one is None else float(one.number)


def _index(found: Cursor, key: str) -> int | None:
    one = found.get(key)
    return None if one is None else one.integer
