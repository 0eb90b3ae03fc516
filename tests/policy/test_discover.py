from __future__ import annotations

from pathlib import Path

import pytest

from auditor.policy.discover import find_layer, project_root, read_layer
from auditor.policy.errors import SettingsError


def test_the_nearest_file_wins_and_nothing_is_merged(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.aliasaudit]\nfail-on = "note"\nignore = ["AA1"]\n')
    inner = tmp_path / "package" / "models"
    inner.mkdir(parents=True)
    (tmp_path / "package" / "aliasaudit.toml").write_text('fail-on = "warning"\n')
    layer = find_layer(inner)
    assert layer is not None
    assert set(layer.values) == {"fail-on"}
    assert layer.values["fail-on"] == "warning"
    assert layer.root == tmp_path / "package"


def test_in_one_folder_the_own_file_wins_over_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.aliasaudit]\nfail-on = "note"\n')
    (tmp_path / "aliasaudit.toml").write_text('fail-on = "never"\n')
    layer = find_layer(tmp_path)
    assert layer is not None
    assert layer.values["fail-on"] == "never"
    assert str(layer.origin) == "aliasaudit.toml"


def test_a_pyproject_without_our_table_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.aliasaudit]\nfail-on = "note"\n')
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "pyproject.toml").write_text("[tool.other]\n")
    layer = find_layer(tmp_path / "inner")
    assert layer is not None
    assert layer.root == tmp_path


def test_the_search_ends_at_the_root_of_the_git_checkout(tmp_path: Path) -> None:
    (tmp_path / "aliasaudit.toml").write_text('fail-on = "note"\n')
    (tmp_path / "checkout" / ".git").mkdir(parents=True)
    inner = tmp_path / "checkout" / "models"
    inner.mkdir()
    assert find_layer(inner) is None
    assert project_root(inner) == tmp_path / "checkout"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('fail_on = "error"', 'aliasaudit.toml: unknown key "fail_on" (did you mean "fail-on"?)'),
        ('selct = ["AA1"]', 'aliasaudit.toml: unknown key "selct" (did you mean "select"?)'),
        ('fail-on = "eror"', "aliasaudit.toml: fail-on must be one of error, warning, note, never"),
        ("fail-on = 3", "aliasaudit.toml: fail-on must be one of error, warning, note, never"),
        ('select = "AA1"', "aliasaudit.toml: select must be a list of words"),
        ("select = [1]", "aliasaudit.toml: select must be a list of words"),
        ("limits = 3", "aliasaudit.toml: limits must be a table"),
        ("[limits]\nmax-node = 3", 'aliasaudit.toml: limits has no limit "max-node" (did you mean "max-nodes"?)'),
        ("[limits]\nmax-nodes = true", 'aliasaudit.toml: limits needs a positive integer for "max-nodes"'),
        ('[input-shapes]\nx = "1x-3"', 'aliasaudit.toml: input-shapes entry "x" must be a shape of positive sizes'),
        ("[input-shapes]\nx = [1, 0]", 'aliasaudit.toml: input-shapes entry "x" must be a shape of positive sizes'),
        ('[per-model-ignore]\n"a*" = 3', 'aliasaudit.toml: per-model-ignore entry "a*" must be a list of words'),
        ("[rule]\nAA201 = 3", 'aliasaudit.toml: rule entry "AA201" must be a table'),
        ("[rule.AA201]\nthreshold = [3]", "aliasaudit.toml: rule needs a number, a word, or true or false"),
        ("= 3", "aliasaudit.toml: is not valid TOML"),
    ],
)
def test_a_mistake_is_one_line_with_file_key_and_what_would_be_right(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "aliasaudit.toml").write_text(text)
    with pytest.raises(SettingsError) as error:
        find_layer(tmp_path)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_named_file_must_exist_and_be_meant_for_us(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^no\.toml: cannot be read"):
        read_layer(tmp_path / "no.toml", tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")
    with pytest.raises(SettingsError, match=r"has no \[tool.aliasaudit\] table"):
        read_layer(tmp_path / "pyproject.toml", tmp_path)


def test_folders_of_rules_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "aliasaudit.toml").write_text('rule-dirs = ["ci/rules"]')
    (tmp_path / "inner").mkdir()
    layer = find_layer(tmp_path / "inner")
    assert layer is not None
    assert layer.values["rule-dirs"] == (tmp_path / "ci" / "rules",)
