"""Values that go from one process to another as JSON come back as they were, and nothing else comes back."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.codec import DocumentError
from auditor.text import ModelText
from auditor.verify.measures.task import DistanceMean, ImageMeasures, Row
from auditor.verify.packing import pack, unpack
from auditor.verify.pilot import RunPlan
from auditor.verify.result import ProtocolKind, Track
from auditor.verify.rows import measured_rows
from auditor.verify.worker.client import Worker
from tests.verify.test_rows import CASES, SOURCE, plan_of, planned


@pytest.mark.parametrize("case", CASES)
def test_the_plan_and_the_rows_of_every_task_come_back_as_they_were(tmp_path: Path, case: str) -> None:
    path, settings = planned(tmp_path, CASES[case])
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        plan = plan_of(path, settings, worker)
        rows = list(measured_rows(worker, plan, plan.units(SOURCE)))
    for value in (plan, rows):
        back = unpack(json.loads(json.dumps(pack(value), allow_nan=False)))
        assert type(back) is type(value)
        assert pack(back) == pack(value)
    assert repr(back) == repr(rows)


def test_numbers_come_back_to_the_last_bit() -> None:
    values = (0.1 + 0.2, 1e-300, -0.0, math.inf, -math.inf, 2**80, True, None, Fraction(1, 3), b"\x00\xff", range(3, 9))
    back = unpack(json.loads(json.dumps(pack(values), allow_nan=False)))
    assert back == values
    assert [type(value) for value in back] == [type(value) for value in values]
    assert math.copysign(1, back[2]) == -1
    assert math.isnan(unpack(pack(math.nan)))


def test_names_classes_and_arrays_come_back() -> None:
    track = Track("score", "px", (0.5, math.nan), None, None)
    measured = ImageMeasures({"mac": 0.25}, {"mac": (DistanceMean(1.0, 0.5, 3),)}, 0.0, tracks=(track,))
    row = Row(3, ModelText("\x1b[31mred"), measured, pixels=b"ab")
    back = unpack(json.loads(json.dumps(pack([row, ProtocolKind.CROP, {"a": {1, 2}}, Path("a/b")]))))
    assert repr(back) == repr([row, ProtocolKind.CROP, {"a": {1, 2}}, Path("a/b")])
    assert back[0].name.raw == "\x1b[31mred"
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(unpack(pack(array)), array)


@pytest.mark.parametrize(
    "foreign",
    [
        {"$": "os:system", "command": "true"},
        {"$": "subprocess:Popen", "args": "true"},
        {"$": "auditor.cli.output:say", "text": "x"},
        {"$": "auditor.verify.worker.client:Worker", "device": None},
        {"$": "auditor.verify.measures.task:Row", "index": 1},
        {"$": "auditor.verify.measures.task:DistanceMean", "distance": 1, "value": 1, "pairs": 1, "more": 1},
        {"$": "auditor.verify.nowhere:Row"},
        {"$": "array", "type": "|O", "shape": [1], "value": ""},
        {"$": "fraction", "items": [1, 0]},
        {"$": "tuple"},
        {"value": 1},
        {"$": 3},
        [1, 2],
    ],
    ids=str,
)
def test_what_is_no_value_of_this_package_is_refused(foreign: object) -> None:
    with pytest.raises(DocumentError, match="no value of this version"):
        unpack(foreign)


def _row(**other: object) -> object:
    return pack(Row(3, ModelText("name"), None)) | other


@pytest.mark.parametrize(
    "odd",
    [
        _row(index="3"),
        _row(index=True),
        _row(name="a name"),
        _row(notes=pack(("a", 5))),
        _row(factor=pack((1.0, 1.0, 1.0))),
        _row(perturbed=5),
        {"$": "auditor.verify.measures.task:DistanceMean", "distance": "far", "value": 1, "pairs": 1},
    ],
)
def test_a_field_takes_nothing_but_values_of_its_type(odd: object) -> None:
    with pytest.raises(DocumentError, match=r"no value of this version \(TypeError\)"):
        unpack(odd)


def test_the_type_of_the_whole_can_be_asked_for() -> None:
    packed = pack([Row(3, ModelText("name"), None)])
    assert len(unpack(packed, list[Row[Any]])) == 1
    assert unpack(None, RunPlan | None) is None
    for other in (RunPlan, tuple[Row[Any], ...], list[RunPlan], dict[str, int]):
        with pytest.raises(DocumentError, match="another type"):
            unpack(packed, other)


@pytest.mark.parametrize(
    "value",
    [object(), open, pytest.raises, np.array([object()], dtype=object)],
    ids=["an object", "a built-in function", "a function", "an array of objects"],
)
def test_what_is_not_a_value_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        json.dumps(pack(value))
