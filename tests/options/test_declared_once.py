"""An option is declared once: flag, key of the settings and keyword of Python callers come from the same field."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

import auditor
from auditor.cli import COMMANDS, application
from auditor.finetune.result import Schedule
from auditor.options.general import Selection
from auditor.options.measuring import Measuring
from auditor.options.option import Group, Option
from auditor.options.thresholds import Thresholds
from auditor.options.training import Training
from auditor.policy.keys import KEYS, settings_schema
from auditor.rewrite.options import Rewriting, rewrite_options
from auditor.rewrite.result import Options

ROOT = Path(__file__).parents[2]


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its words, those of groups too."""
    group: Any = typer.main.get_command(application([]))
    for name in COMMANDS:
        for part, inner in getattr(group.commands[name], "commands", {"": group.commands[name]}).items():
            yield f"{name} {part}".strip(), inner


ALL = dict(commands())
DECLARED = [declared for group in Group.__subclasses__() for declared in group.options.values()]


def alike_but_for_values(one: Option, other: Option) -> bool:
    """Whether two options are one declaration whose values a command narrows."""
    return all(getattr(one, name) == getattr(other, name) for name in Option.__slots__ if name != "kind")


def options(words: str) -> dict[str, Option]:
    """The options of a command as they are declared."""
    return dict(getattr(ALL[words].callback, "options", {}))


@pytest.mark.parametrize("words", ALL)
def test_every_flag_of_a_command_is_that_of_a_field(words: str) -> None:
    taken = options(words)
    flags = [parameter for parameter in ALL[words].params if parameter.param_type_name == "option"]
    assert {parameter.name for parameter in flags} == set(taken)
    for parameter in flags:
        declared = taken[parameter.name]
        # A command may narrow the values of an option, and nothing else of it.
        assert any(one is declared or alike_but_for_values(one, declared) for one in DECLARED)
        assert set(parameter.opts) == set(declared.flags)
        assert parameter.metavar == declared.kind.metavar
        assert parameter.help.startswith(declared.sentence)


def test_every_key_of_a_settings_file_is_read_by_the_field_of_its_flag() -> None:
    keys = {declared.key: declared for declared in DECLARED if declared.table == "" and declared.stands_for is None}
    for key, declared in keys.items():
        assert KEYS[key].read is declared.kind.read
        assert KEYS[key].schema is declared.kind.schema
    flags = {declared.key for words in ALL for declared in options(words).values() if declared.table == ""}
    assert flags - {"waiver"} == set(keys)
    properties = settings_schema()["properties"]
    for table, group in (("verify", Measuring), ("compare", Thresholds)):
        in_files = {declared.key for declared in group.options.values() if not declared.trusted}
        assert set(properties[table]["properties"]) == in_files


def test_no_key_is_declared_twice() -> None:
    keys = Counter((declared.table, declared.key) for declared in DECLARED if declared.table is not None)
    assert [key for key, times in keys.items() if times > 1] == []


def test_every_keyword_of_python_is_read_by_the_field_of_its_flag() -> None:
    measured = options("verify")
    for name, declared in Measuring.by_keyword().items():
        assert measured[declared.name] is declared, name
    for name, declared in vars(auditor.fix)["options"].items():
        assert options("fix")[name] is declared


def test_a_python_caller_finds_every_option_of_fix_in_its_signature_and_its_documentation() -> None:
    keywords = inspect.signature(auditor.fix).parameters
    for name, declared in vars(auditor.fix)["options"].items():
        assert keywords[name].default == declared.default
        assert f"\n        {name}: " in str(auditor.fix.__doc__)


def test_one_name_is_no_list_of_names() -> None:
    with pytest.raises(TypeError, match=r"^sites must be a list of names such as \['pool'\]"):
        auditor.fix("net.onnx", None, strategy="blur", sites="pool")


def test_defaults_of_a_rewrite_are_those_that_strategies_have() -> None:
    assert rewrite_options(Rewriting()) == Options()


def test_defaults_of_a_training_are_those_of_its_schedule() -> None:
    training = Training()
    assert all(getattr(training, field.name) == field.default for field in fields(Schedule))


def test_words_of_a_flag_are_separated_by_commas_and_folders_are_not() -> None:
    select, folders = Selection.options["select"].kind, Selection.options["rules"].kind
    assert select.read(select.typed(["AA1, AA2", "AA3"])) == ("AA1", "AA2", "AA3")
    assert folders.read(folders.typed(["a,b"])) == ("a,b",)
    with pytest.raises(ValueError, match="must be a list of words"):
        select.read("AA1")


@pytest.mark.parametrize("declared", DECLARED, ids=lambda declared: f"{declared.flag} {declared.kind.metavar}")
def test_a_default_is_a_value_that_the_option_takes(declared: Option) -> None:
    if declared.default is not None:
        assert declared.kind.read(declared.default) == declared.default


def test_a_value_that_was_read_is_read_the_same_again() -> None:
    texts = {"size": "8x9", "mean": "1,2,3", "feed": "a=1,b=2", "scale": "1/255", "device": "cuda:1", "labels": "x.csv"}
    once = Measuring.from_keys(texts)
    assert Measuring.from_keys({key: getattr(once, key) for key in texts}) == once
    assert once.size == (8, 9)
    assert once.feed == {"a": 1.0, "b": 2.0}


SCRATCH = """    images: str | None = option(
"""
PROGRAM = """
import json
from auditor.cli import main
from auditor.finetune.result import Schedule
from auditor.options.general import Selection
from auditor.options.measuring import Measuring
from auditor.policy.errors import SettingsError
from auditor.policy.keys import settings_schema
from auditor.policy.settings import Source, ValueOrigin
from auditor.policy.validate import check_values
from auditor.verify.options import read_keywords

file = ValueOrigin(Source.FILE, "aliasaudit.toml")
found = {"settings": check_values({"verify": {"brightness": 2}}, file)["verify"]}
found["schema"] = settings_schema()["properties"]["verify"]["properties"]["brightness"]["minimum"]
for name, call in {
    "misspelt": lambda: check_values({"verify": {"brightnes": 2}}, file),
    "python": lambda: read_keywords({"brightness": "much"}),
}.items():
    try:
        call()
    except (SettingsError, ValueError) as error:
        found[name] = str(error)
found["code"] = main(["verify", "--brightness", "much", "x.onnx"])
print(json.dumps(found))
main(["verify", "--help"])
"""


def test_a_new_field_is_an_option_everywhere(tmp_path: Path) -> None:
    for folder in ("auditor", "rules"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    group = tmp_path / "auditor" / "options" / "measuring.py"
    field = '    brightness: float = option(number("FACTOR", 0), "Multiply pixels first.", Panel.IMAGES, default=1.0)\n'
    text = group.read_text(encoding="utf-8")
    assert text.count(SCRATCH) == 1
    group.write_text(text.replace(SCRATCH, field + SCRATCH), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    document, _, shown = done.stdout.partition("\n")
    found = json.loads(document)
    assert found["settings"] == {"brightness": 2}
    assert found["schema"] == 0
    assert 'has no option "brightnes" (did you mean "brightness"?)' in found["misspelt"]
    assert found["python"] == "brightness must be a number of 0 or more; it is 'much'"
    assert found["code"] == 2
    assert "brightness must be a number of 0 or more; it is 'much'" in done.stderr
    assert "  --brightness FACTOR      Multiply pixels first. [default: 1]" in shown
