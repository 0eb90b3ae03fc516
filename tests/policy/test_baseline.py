from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.facts.finding import Finding, Severity
from auditor.onnxfile.noderef import NodeRef
from auditor.policy.baseline import Baseline, Entry, dump, entry, load, match
from auditor.policy.errors import SettingsError
from auditor.text import ModelText
from tests.runner_commands import commands

HOSTILE = "\x1b[31m::error::\n##[group]\u202e\ud800"

ENTRIES = st.builds(
    Entry,
    st.sampled_from(["m.onnx", "models/ä.onnx"]),
    st.sampled_from(["AA101", "AA102"]),
    st.sampled_from(["", "/a", "/b", HOSTILE]),
    st.sampled_from(["aa:0", "aa:1", "bb:0"]),
)


def finding(name: str, fingerprint: str, rule: str = "AA101") -> Finding:
    node = NodeRef(ModelText(name), ModelText("MaxPool"), ModelText(""), ModelText("o"), 0)
    return Finding(rule, "n", Severity.ERROR, "m", node=node, fingerprint=fingerprint)


@given(st.lists(ENTRIES, max_size=12), st.booleans())
def test_a_baseline_reads_back_as_it_was_written_one_line_per_finding(entries: list[Entry], counted: bool) -> None:
    import tempfile

    counts = {("m.onnx", "AA101"): 3.0, ("m.onnx", "max-subsampling"): 2.5} if counted else {}
    text = dump(Baseline(tuple(entries), counts))
    assert text.isascii()
    assert not commands(text)
    assert sum('"fingerprint"' in line for line in text.splitlines()) == len(set(entries))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "b.json")
        path.write_text(text, encoding="utf-8")
        assert load(path) == Baseline(tuple(sorted(set(entries))), counts)
    assert dump(Baseline(tuple(reversed(entries)), counts)) == text


@given(st.lists(ENTRIES, max_size=8), st.lists(ENTRIES, max_size=8))
def test_each_entry_accepts_one_finding_and_the_rest_of_the_entries_are_stale(
    entries: list[Entry], others: list[Entry]
) -> None:
    findings = [finding(one.node, one.fingerprint, one.rule) for one in others]
    found = match(entries, findings)
    assert Counter([*found.used, *found.stale]) == Counter(entries)
    assert len(found.known) == len(found.used)
    for index in set(range(len(findings))) - found.known:  # nothing that is left over would have matched
        one = entry("", findings[index])
        assert not [
            old
            for old in found.stale
            if old.rule == one.rule and (old.fingerprint == one.fingerprint or (one.node and old.node == one.node))
        ]


def test_a_finding_is_known_by_its_fingerprint_first_and_then_by_its_name() -> None:
    entries = [Entry("m", "AA101", "/a", "aa:0"), Entry("m", "AA101", "/b", "bb:0")]
    renamed, moved = finding("/x", "aa:0"), finding("/b", "cc:0")
    assert match(entries, [moved, renamed]).known == {0, 1}
    swapped = match(entries, [finding("/a", "bb:0")])  # the fingerprint says more than the name
    assert [one.node for one in swapped.stale] == ["/a"]
    assert match(entries, [finding("/a", "aa:0", rule="AA102")]).known == frozenset()


def test_nameless_nodes_are_not_taken_for_each_other() -> None:
    assert match([Entry("m", "AA101", "", "aa:0")], [finding("", "bb:0")]).known == frozenset()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not valid JSON"),
        ("[]", "is no baseline of version 1"),
        ('{"version": 2}', "is no baseline of version 1"),
        ('{"version": 1, "findings": 3}', "$.findings: expected"),
        ('{"version": 1, "findings": [{"model": "m"}]}', "$.findings[0]: object missing required field `rule`"),
        ('{"version": 1, "findings": [], "budgets": [{"model": "m", "budget": "AA1", "count": -1}]}', "$.budgets[0]"),
        (
            '{"version": 1, "findings": [], "budgets": [{"model": "m", "budget": "AA1", "count": 1e999}]}',
            "$.budgets[0]",
        ),
        (
            '{"version": 1, "findings": [{"model": "m", "rule": "AA101", "node": 3}]}',
            "$.findings[0].node: expected `str`",
        ),
        ("[" * 200_000, "is not valid JSON"),
    ],
)
def test_a_file_that_is_no_baseline_is_an_error_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        load(path, "b.json")
    assert str(error.value).startswith("baseline b.json: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_baseline_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="`aliasaudit baseline write` makes it"):
        load(tmp_path / "none.json")


def test_a_baseline_holds_no_date_and_nothing_of_a_machine() -> None:
    text = dump(Baseline((Entry("models/m.onnx", "AA101", "/a", "aa:0"),)))
    assert json.loads(text) == {
        "version": 1,
        "findings": [{"model": "models/m.onnx", "rule": "AA101", "node": "/a", "fingerprint": "aa:0"}],
    }
