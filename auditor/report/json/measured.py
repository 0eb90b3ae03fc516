"""A verification as plain JSON values, and the JSON Schema of that."""

from __future__ import annotations

import math

from auditor.report.json.shapes import Json, list_of, members, optional
from auditor.text import exact
from auditor.verify.result import (
    Curve,
    DataKind,
    EquivarianceMap,
    ImageResult,
    Interval,
    LayerResult,
    Measure,
    OutputResult,
    ProtocolKind,
    ShiftAt,
    Spectrum,
    Task,
    Verification,
)


def verification_json(found: Verification) -> Json:
    """The verification as JSON values. Times are left out, so that two runs of the same thing compare equal."""
    provider, data, shifts = found.provider, found.data, found.shifts
    test = found.self_test
    return {
        "complete": not found.incomplete,
        "incomplete": found.incomplete,
        "provider": {
            "asked": provider.asked,
            "used": provider.used,
            "compute_nodes": dict(provider.placement),
            "other_nodes": dict(provider.others),
            "onnxruntime": provider.onnxruntime,
            "threads": provider.threads,
        },
        "data": {
            "kind": data.kind.value,
            "images": len(data.used),
            "rejected": [{"name": exact(one.name), "reason": one.reason} for one in data.rejected],
            "labelled": data.labelled,
            "sha256": data.sha256,
        },
        "shifts": {
            "protocol": shifts.protocol.value,
            "source": list(shifts.source),
            "window": list(shifts.window),
            "radius": shifts.radius,
            "per_image": shifts.per_image,
            "distinct": shifts.distinct,
            "exhaustive": shifts.exhaustive,
            "seed": shifts.seed,
            "at": shifts.at.value,
            "factor": None if shifts.factor is None else number_json(shifts.factor),
        },
        "preprocessing": found.preprocessing,
        "preset_assumed": found.preset_assumed,
        "runs": found.runs,
        "naive_runs": found.naive_runs,
        "batch": found.shared_batch,
        "self_test": None
        if test is None
        else {
            "passed": test.passed,
            "agreement": number_json(test.agreement),
            "difference": number_json(test.difference),
        },
        "outputs": [_output(output) for output in found.outputs],
        "layers": [_layer(layer) for layer in found.layers],
        "external": [{"location": exact(location), "sha256": digest} for location, digest in found.external],
        "notes": list(found.notes),
    }


def number_json(value: float | None) -> float | None:
    """Six significant digits; None for what is not known or not finite."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None


def _numbers(values: tuple[float, ...]) -> list[float | None]:
    return [number_json(value) for value in values]


def interval_json(interval: Interval | None) -> Json | None:
    """An interval as JSON values; None where there is none."""
    if interval is None:
        return None
    return {"low": number_json(interval.low), "high": number_json(interval.high), "confidence": interval.confidence}


def _output(output: OutputResult) -> Json:
    return {
        "output": exact(output.output),
        "task": output.task.value,
        "measures": [_measure(measure) for measure in output.measures],
        "curves": [_curve(curve) for curve in output.curves],
        "images": [_image(image) for image in output.images],
        "classes": output.classes,
        "predictions": [{"class": index, "images": count} for index, count in output.predictions],
    }


def _measure(measure: Measure) -> Json:
    return {
        "name": measure.name,
        "value": number_json(measure.value),
        "interval": interval_json(measure.interval),
        "unit": measure.unit,
        "higher_is_better": measure.higher_is_better,
        "images": measure.images,
        "per_image": _numbers(measure.per_image),
    }


def _curve(curve: Curve) -> Json:
    points = [
        {
            "distance": number_json(point.distance),
            "value": number_json(point.value),
            "interval": interval_json(point.interval),
            "pairs": point.pairs,
        }
        for point in curve.points
    ]
    return {"measure": curve.measure, "points": points}


def _image(image: ImageResult) -> Json:
    return {
        "name": exact(image.name),
        "label": image.label,
        "reference": image.reference,
        "score": number_json(image.score),
        "flips": number_json(image.flips),
        "path": _numbers(image.path),
        "worst": None if image.worst is None else _numbers(image.worst),
        "worst_score": number_json(image.worst_score),
    }


def _layer(layer: LayerResult) -> Json:
    return {
        "tensor": exact(layer.tensor),
        "node": None if layer.node is None else exact(layer.node.name),
        "site": layer.site,
        "cumulative": [number_json(factor) for factor in layer.cumulative],
        "factor": None if layer.factor is None else _numbers(layer.factor),
        "cosine": number_json(layer.cosine),
        "error": number_json(layer.error),
        "added": number_json(layer.added),
        "map": _map(layer.map),
        "alias_measured": number_json(layer.alias_measured),
        "alias_predicted": number_json(layer.alias_predicted),
        "before": _spectrum(layer.before),
        "after": _spectrum(layer.after),
    }


def _map(grid: EquivarianceMap) -> Json:
    return {
        "dy": list(grid.dy),
        "dx": list(grid.dx),
        "cosine": [_numbers(row) for row in grid.cosine],
        "error": [_numbers(row) for row in grid.error],
    }


def _spectrum(spectrum: Spectrum | None) -> Json | None:
    if spectrum is None:
        return None
    return {"frequencies": _numbers(spectrum.frequencies), "power": _numbers(spectrum.power)}


_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_NUMBER: Json = {"type": ["number", "null"]}
_SHARE: Json = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_BOOL: Json = {"type": "boolean"}
_PAIR: Json = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}


def verification_schema() -> Json:
    """The JSON Schema of :func:`verification_json`; ``null`` is a value that was not measured."""
    counts: Json = {"type": "object", "additionalProperties": _COUNT}
    interval = optional(members(low=_NUMBER, high=_NUMBER, confidence={"type": "number"}))
    numbers = list_of(_NUMBER)
    measure = members(
        name=_TEXT,
        value=_NUMBER,
        interval=interval,
        unit={"enum": ["share", "probability", "px", "ratio"]},
        higher_is_better=_BOOL,
        images=_COUNT,
        per_image=numbers,
    )
    point = members(distance=_NUMBER, value=_NUMBER, interval=interval, pairs=_COUNT)
    index: Json = {"type": ["integer", "null"]}
    image = members(
        name=_TEXT,
        label=index,
        reference=index,
        score=_SHARE,
        flips=_NUMBER,
        path=numbers,
        worst=optional(numbers),
        worst_score=_SHARE,
    )
    spectrum = optional(members(frequencies=numbers, power=numbers))
    integers: Json = list_of({"type": "integer"})
    layer = members(
        tensor=_TEXT,
        node={"type": ["string", "null"]},
        site=index,
        cumulative=numbers,
        factor=optional(numbers),
        cosine=_NUMBER,
        error=_NUMBER,
        added=_NUMBER,
        map=members(dy=integers, dx=integers, cosine=list_of(numbers), error=list_of(numbers)),
        alias_measured=_SHARE,
        alias_predicted=_SHARE,
        before=spectrum,
        after=spectrum,
    )
    return members(
        complete=_BOOL,
        incomplete=_TEXT,
        provider=members(
            asked=_TEXT, used=_TEXT, compute_nodes=counts, other_nodes=counts, onnxruntime=_TEXT, threads=_COUNT
        ),
        data=members(
            kind={"enum": [kind.value for kind in DataKind]},
            images=_COUNT,
            rejected=list_of(members(name=_TEXT, reason=_TEXT)),
            labelled=_COUNT,
            sha256=_TEXT,
        ),
        shifts=members(
            protocol={"enum": [kind.value for kind in ProtocolKind]},
            source=_PAIR,
            window=_PAIR,
            radius=_COUNT,
            per_image=_COUNT,
            distinct=_COUNT,
            exhaustive=_BOOL,
            seed={"type": "integer"},
            at={"enum": [at.value for at in ShiftAt]},
            factor=_NUMBER,
        ),
        preprocessing=_TEXT,
        preset_assumed=_TEXT,
        runs=_COUNT,
        naive_runs=_COUNT,
        batch=_COUNT,
        self_test=optional(members(passed=_BOOL, agreement=_SHARE, difference=_NUMBER)),
        outputs=list_of(
            members(
                output=_TEXT,
                task={"enum": [task.value for task in Task]},
                measures=list_of(measure),
                curves=list_of(members(measure=_TEXT, points=list_of(point))),
                images=list_of(image),
                classes=index,
                predictions=list_of(members(**{"class": _COUNT, "images": _COUNT})),
            )
        ),
        layers=list_of(layer),
        external=list_of(members(location=_TEXT, sha256=_TEXT)),
        notes=list_of(_TEXT),
    )
