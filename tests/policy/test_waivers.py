from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Need, Rule
from auditor.onnxfile.noderef import NodeRef
from auditor.policy.errors import SettingsError
from auditor.policy.waivers import Waiver, check_waivers, read_waivers, waivers_schema
from auditor.text import ModelText

POOL = Rule("AA101", "strided-max-pool", "", (Severity.ERROR,), lambda _: ())
CONV = Rule("AA102", "strided-conv", "", (Severity.ERROR,), lambda _: ())
UNUSED = Rule("AA902", "unused-waiver", "", (Severity.ERROR,), lambda _: (), needs=frozenset({Need.POLICY}))
RULES = (POOL, CONV, UNUSED)
TABLE: dict[str, Any] = {
    "rule": "AA101",
    "model": "models/seg*.onnx",
    "node": "/stem/*",
    "reason": "retrained in Q3",
    "owner": "vision team",
    "expires": date(2027, 1, 31),
}


def finding(name: str = "/stem/pool", fingerprint: str = "9f3c0123456789ab:1", output: str = "out") -> Finding:
    node = NodeRef(ModelText(name), ModelText("MaxPool"), ModelText(""), ModelText(output), 3)
    return Finding("AA101", "strided-max-pool", Severity.ERROR, "m", node=node, fingerprint=fingerprint)


def waiver(**parts: Any) -> Waiver:
    return Waiver(1, "because", **{"rule": "AA101", **parts})


def test_every_key_of_a_waiver_is_read() -> None:
    (found,) = read_waivers([TABLE])
    assert found == Waiver(
        1, "retrained in Q3", "AA101", "models/seg*.onnx", "/stem/*", "", date(2027, 1, 31), "vision team"
    )
    assert read_waivers([{**TABLE, "expires": "2027-01-31"}]) == (found,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reason": ""}, '"reason"'),
        ({"reason": "  "}, '"reason"'),
        ({"reason": None}, '"reason"'),
        ({"rule": 1}, '"rule"'),
        ({"reasn": "x"}, 'unknown key "reasn" (did you mean "reason"?)'),
        ({"fingerprint": "abc"}, "a fingerprint is written like"),
        ({"expires": "soon"}, "a day such as 2027-01-31"),
        ({"expires": "20270131"}, "a day such as 2027-01-31"),
        ({"expires": datetime(2027, 1, 31, 12, tzinfo=timezone.utc)}, "a day such as 2027-01-31"),
    ],
)
def test_a_waiver_that_says_too_little_or_something_unknown_is_an_error_with_its_number(
    change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match="number 2") as error:
        read_waivers([TABLE, {**TABLE, **change}])
    assert words in str(error.value)


@pytest.mark.parametrize("missing", ["reason", "rule"])
def test_a_waiver_needs_a_reason_and_a_rule_or_a_fingerprint(missing: str) -> None:
    with pytest.raises(ValueError, match=f"number 1 needs a {missing}"):
        read_waivers([{key: value for key, value in TABLE.items() if key != missing}])
    assert read_waivers([{"reason": "x", "fingerprint": "9f3c0123456789ab"}])


def test_the_schema_takes_what_the_reader_takes() -> None:
    good = [{**TABLE, "expires": "2027-01-31"}]
    jsonschema.validate(good, waivers_schema())
    wrong: list[object] = [[{**good[0], "x": "y"}], [{"rule": "AA101"}], [{"reason": "r"}], {}]
    for bad in wrong:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, waivers_schema())
        with pytest.raises(ValueError, match=r"must be tables|number 1"):
            read_waivers(bad)


@pytest.mark.parametrize(
    ("pattern", "place", "speaks"),
    [
        ("*", "models/seg1.onnx", True),
        ("models/seg*.onnx", "models/seg1.onnx", True),
        ("models/seg*.onnx", "other/seg1.onnx", False),
        ("seg1.onnx", "models/seg1.onnx", True),  # without a slash the file name counts
        ("seg*", "models/net.onnx", False),
    ],
)
def test_a_waiver_speaks_of_the_models_that_its_pattern_fits(pattern: str, place: str, speaks: bool) -> None:
    assert waiver(model=pattern).speaks_of(place) is speaks


@pytest.mark.parametrize("word", ["AA101", "strided-max-pool", "AA1", "ALL"])
def test_a_waiver_names_rules_by_code_name_or_prefix(word: str) -> None:
    assert waiver(rule=word).matches(finding(), POOL)
    assert not waiver(rule="AA2").matches(finding(), POOL)


def test_a_waiver_finds_its_node_by_name_and_a_nameless_one_by_its_output() -> None:
    assert waiver(node="/stem/*").matches(finding(), POOL)
    assert not waiver(node="/head/*").matches(finding(), POOL)
    assert waiver(node="pool_out").matches(finding(name="", output="pool_out"), POOL)
    whole = Finding("AA101", "strided-max-pool", Severity.ERROR, "about the whole graph")
    assert waiver().matches(whole, POOL)
    assert not waiver(node="*").matches(whole, POOL)


def test_a_fingerprint_without_its_number_stands_for_all_places_that_look_alike() -> None:
    assert waiver(fingerprint="9f3c0123456789ab:1").matches(finding(), POOL)
    assert not waiver(fingerprint="9f3c0123456789ab:0").matches(finding(), POOL)
    assert waiver(fingerprint="9f3c0123456789ab").matches(finding(), POOL)
    assert not waiver(fingerprint="0000000000000000").matches(finding(), POOL)


def test_a_waiver_holds_up_to_and_on_its_last_day() -> None:
    until = waiver(expires=date(2027, 1, 31))
    assert until.holds(date(2027, 1, 31))
    assert not until.holds(date(2027, 2, 1))
    assert waiver().holds(None)


def test_a_waiver_of_an_unknown_rule_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(SettingsError, match=r'pyproject.toml: waiver number 1: .*did you mean "strided-max-pool"'):
        check_waivers([waiver(rule="strided-pool")], RULES, None, "pyproject.toml")


def test_what_is_said_about_waivers_cannot_be_waived() -> None:
    with pytest.raises(SettingsError, match="AA9 is about the policy itself"):
        check_waivers([waiver(rule="AA9")], RULES, None, "x")
    check_waivers([waiver(rule="ALL")], RULES, None, "x")


def test_an_expiry_without_a_day_to_judge_it_is_refused_rather_than_guessed() -> None:
    with pytest.raises(SettingsError, match="say which day it is"):
        check_waivers([waiver(expires=date(2027, 1, 31))], RULES, None, "x")
