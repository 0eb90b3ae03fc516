"""The checked-in JSON Schemas are those of the classes."""

from __future__ import annotations

import json

import jsonschema  # type: ignore[import-untyped]
import pytest

from auditor.policy.baseline import Baseline, Entry, dump
from scripts.schemas import FOLDER, files

FILES = files()


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_schema_in_the_repository_is_what_the_classes_say(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == FILES[name], "run `python scripts/schemas.py`, and read what changed"


def test_there_is_no_schema_of_a_document_that_is_no_more() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(FILES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_schema_is_valid(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(FILES[name]))


def test_a_baseline_follows_its_schema_and_one_without_its_version_does_not() -> None:
    known = Baseline((Entry("net.onnx", "AA101", "pool", "0f"),), {("net.onnx", "max-sites"): 3})
    document = json.loads(dump(known))
    validator = jsonschema.Draft202012Validator(json.loads(FILES["baseline.json"]))
    validator.validate(document)
    assert not validator.is_valid({"findings": []})
    assert not validator.is_valid(document | {"version": 2})
    assert not validator.is_valid(document | {"findings": [{"rule": "AA101"}]})


@pytest.mark.parametrize("name", ["report.json", "comparison.json", "resize.json"])
def test_every_object_of_a_document_is_described(name: str) -> None:
    for title, definition in json.loads(FILES[name])["$defs"].items():
        assert definition["description"], title
