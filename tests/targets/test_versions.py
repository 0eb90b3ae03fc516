"""Version ranges as users write them, and the words that name targets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.options.general import Selection
from auditor.targets.forms import BY_NAME, FORMS
from auditor.targets.table import load_table, read_targets, target_names
from auditor.targets.versions import version_range

VERSIONS = st.lists(st.integers(0, 40), min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=10", ["10", "10.3", "11"], ["9.9", "8"]),
        ("<10", ["9.9", "8"], ["10", "10.0.1"]),
        (">=2026,<2027", ["2026", "2026.4.1"], ["2025.9", "2027"]),
        ("==3.6", ["3.6", "3.6.1"], ["3.5", "3.7"]),
        ("", ["0", "99"], []),
    ],
)
def test_a_range_holds_the_versions_it_says(text: str, inside: list[str], outside: list[str]) -> None:
    for version in inside:
        assert version_range(text).meets(version_range(f"=={version}")), version
    for version in outside:
        assert not version_range(text).meets(version_range(f"=={version}")), version


@given(VERSIONS, VERSIONS)
def test_a_version_is_below_or_at_another_or_above_it(one: list[int], other: list[int]) -> None:
    this, that = (".".join(map(str, numbers)) for numbers in (one, other))
    length = max(len(one), len(other))
    padded = [numbers + [0] * (length - len(numbers)) for numbers in (one, other)]
    exact = version_range(f">={this},<={this}")
    assert exact.meets(version_range(f"<={that}")) is (padded[0] <= padded[1])


@pytest.mark.parametrize("text", ["10", ">=ten", ">=1,", "~=2", ">=2,<1", ">=1.2.3.4.5"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|no version"):
        version_range(text)


def test_a_comma_before_a_comparison_belongs_to_the_range() -> None:
    read = Selection.options["target"].kind.read
    assert read(["tensorrt>=10,<11, openvino", "mnn"]) == ("tensorrt>=10,<11", "openvino", "mnn")


def test_an_unknown_target_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(ValueError, match='did you mean "openvino"'):
        read_targets(["openvnio"])


@pytest.mark.parametrize("name", target_names())
def test_a_table_names_known_forms_once_and_says_what_happens(name: str) -> None:
    table = load_table(name)
    assert table.same <= BY_NAME.keys()
    listed = [(entry.form, entry.versions.text) for entry in table.entries]
    assert len(set(listed)) == len(listed)
    for entry in table.entries:
        assert entry.form in BY_NAME
        assert entry.does
        assert not entry.does.endswith(".")
        assert entry.evidence or table.measured, entry.form
    assert not table.same & {entry.form for entry in table.entries if entry.versions.reaches(table.versions)}


def test_forms_have_names_of_their_own_and_say_what_to_write_instead() -> None:
    assert len(BY_NAME) == len(FORMS)
    for form in FORMS:
        assert form.words
        assert form.portable.endswith((".", ")")), form.name
