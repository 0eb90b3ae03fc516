"""The help of every command: panels, one line per option, examples that work, and the words that a shell completes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import typer

from auditor.choices import suggestion
from auditor.cli import COMMANDS, application
from auditor.cli.examples import EXAMPLES
from auditor.cli.resize import FORMATS as RESIZE_FORMATS
from auditor.cli.tiles import FORMATS as TILES_FORMATS
from auditor.facts.finding import Severity
from auditor.facts.formats import Format
from auditor.options.kinds import number, text, whole
from auditor.options.option import Group, Option, option
from auditor.options.panels import VALUES, Panel, values
from auditor.rewrite.options import Rewriting
from auditor.rewrite.result import Kernel, Lowering, Padding, Refit, Strategy
from auditor.verify.images.preprocess import preset_names
from auditor.verify.perturbation import PerturbationKind
from auditor.verify.result import ProtocolKind, Task

Run = Callable[..., tuple[int, str, str]]

# A renamed option would break scripts; a new one is added to the list in the commit that brings it.
NAMES = set((Path(__file__).parent.parent / "data" / "option_names.txt").read_text(encoding="utf-8").split())
OWN_FORMATS = {"resize": RESIZE_FORMATS, "tiles": TILES_FORMATS}
KNOWN = {**VALUES, "STRATEGY": Rewriting.options["strategy"].kind.words}


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its words, those of groups too."""
    group: Any = typer.main.get_command(application([]))
    for name in COMMANDS:
        command = group.commands[name]
        for part, inner in getattr(command, "commands", {"": command}).items():
            yield f"{name} {part}".strip(), inner


ALL = dict(commands())
EACH = pytest.mark.parametrize("words", list(ALL))


def options(words: str) -> list[Any]:
    return [parameter for parameter in ALL[words].params if parameter.param_type_name == "option"]


def declared_of(words: str) -> dict[str, Option]:
    """The options of a command as they are declared."""
    return dict(getattr(ALL[words].callback, "options", {}))


def panels(text: str) -> dict[str, list[str]]:
    """The lines of a help text by the heading above them."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in text.splitlines():
        if line and not line.startswith(" ") and line.endswith(":"):
            title = line[:-1]
        elif line.strip():
            found.setdefault(title, []).append(line)
    return found


@EACH
@pytest.mark.parametrize("columns", [80, 200])
def test_every_option_is_one_line_in_its_panel(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = run(*words.split(), "--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    shown = panels(out)
    for parameter in options(words):
        flag = max(parameter.opts, key=len)
        if parameter.rich_help_panel == Panel.RARE.value:
            assert flag not in out.split()
            continue
        lines = [line for line in shown[parameter.rich_help_panel] if flag in line.replace(",", " ").split()]
        assert len(lines) == 1, flag
        assert parameter.help.rstrip(".").split(" [")[0] in lines[0], flag
    titles = [title for title in shown if title in {panel.value for panel in Panel}]
    assert titles == [panel.value for panel in Panel if panel.value in titles]
    assert Panel.RARE.value not in titles


@EACH
def test_rare_options_and_whole_descriptions_are_a_flag_away(run: Run, words: str) -> None:
    code, out, _ = run(*words.split(), "--help-all")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    shown = {title: " ".join(" ".join(lines).split()) for title, lines in panels(out).items()}
    assert list(shown)[-1] == "Examples"
    for declared in declared_of(words).values():
        assert declared.flag in shown[declared.panel.value].replace(",", " ").split()
        assert declared.help.replace(" ", "") in shown[declared.panel.value].replace(" ", "")
    rare = sum(declared.panel is Panel.RARE for declared in declared_of(words).values())
    short = run(*words.split(), "--help")[1]
    assert (f"\n{rare} more options, and more on each: --help-all\n" in short) is (rare > 0)
    assert run(*words.split(), "--", "--help-all")[1] != out


@EACH
def test_every_option_belongs_to_a_panel(words: str) -> None:
    known = {panel.value for panel in Panel}
    assert [parameter.name for parameter in options(words) if parameter.rich_help_panel not in known] == []


def test_no_option_changes_its_name() -> None:
    names = {f"{words.replace(' ', '/')}:{flag}" for words in ALL for one in options(words) for flag in one.opts}
    assert names == NAMES


@EACH
def test_help_ends_with_examples_that_the_program_can_read(run: Run, words: str) -> None:
    _, out, _ = run(*words.split(), "--help")
    examples = EXAMPLES[words.rsplit(maxsplit=1)[-1]]
    assert "\nExamples:\n" + "".join(f"  {line}\n" for line in examples) in out
    assert re.fullmatch(r"(\n.* --help-all\n)?", out.partition(f"  {examples[-1]}\n")[2])
    assert len(examples) in (2, 3)
    for line in examples:
        program, *arguments = line.split()
        assert program == "aliasaudit"
        assert arguments[: len(words.split())] == words.split()
        ALL[words].make_context(words, arguments[len(words.split()) :])  # raises where an option is unknown


def known_words(command: str, metavar: str) -> tuple[str, ...]:
    """The words that a metavar stands for; some commands write a report of their own, in a few formats."""
    if metavar == "FORMAT" and command in OWN_FORMATS:
        return OWN_FORMATS[command]
    return KNOWN[metavar] if metavar in KNOWN else values(metavar)


@EACH
def test_words_behind_a_metavar_are_listed(run: Run, words: str) -> None:
    shown = panels(run(*words.split(), "--help")[1]).get("Values", [])
    text = " ".join(" ".join(shown).split())
    for parameter in options(words):
        rare = parameter.rich_help_panel == Panel.RARE.value
        for metavar in (parameter.metavar or "").replace("=", "|").split("|"):
            if metavar in KNOWN and not rare:
                assert f"{metavar} {', '.join(known_words(words, metavar))}" in text


@pytest.mark.parametrize(
    ("metavar", "kind"),
    [
        ("FORMAT", Format),
        ("LEVEL", Severity),
        ("STRATEGY", [*Strategy, "auto"]),
        ("KERNEL", Kernel),
        ("BORDER", Padding),
        ("LOWERING", Lowering),
        ("REFIT", Refit),
        ("PRESET", preset_names()),
        ("PROTOCOL", [*ProtocolKind, *PerturbationKind]),
        ("TASK", Task),
    ],
)
def test_what_help_lists_is_what_the_program_takes(metavar: str, kind: Any) -> None:
    assert sorted(KNOWN[metavar]) == sorted(str(one.value) if isinstance(one, Enum) else one for one in kind)


@EACH
def test_a_shell_completes_every_enumerated_value(words: str) -> None:
    for parameter in options(words):
        metavar = (parameter.metavar or "").split("|")[0]
        for word in known_words(words, metavar) or values(parameter.metavar or ""):
            if word.islower() and parameter.name not in ("reports", "report"):
                completed = [item.value for item in parameter.shell_complete(None, word[:2])]
                assert word in completed, (parameter.opts, word)
                assert all(one.startswith(word[:2]) for one in completed)


def test_a_shell_completes_rules_by_code_and_name_and_formats_of_further_reports() -> None:
    (select,) = (one for one in options("check") if "--select" in one.opts)
    assert {item.value for item in select.shell_complete(None, "AA10")} >= {"AA101", "AA105"}
    assert {item.value for item in select.shell_complete(None, "strided-m")} == {"strided-max-pool"}
    (report,) = (one for one in options("check") if "--report" in one.opts)
    assert {item.value for item in report.shell_complete(None, "s")} == {"sarif="}


def test_help_says_the_first_sentence_of_a_description_and_the_default() -> None:
    class Example(Group):
        most: int = option(whole("N", 1), "Skip large images. At most 178.", Panel.IMAGES, default=64)
        share: float | None = option(number("N", 0), "A share, such as 0.5", Panel.IMAGES)
        folder: str | None = option(text("DIR"), "A folder. Walked whole.", Panel.IMAGES, shown="here")

    assert [declared.short_help() for declared in Example.options.values()] == [
        "Skip large images. [default: 64]",
        "A share, such as 0.5",
        "A folder. [default: here]",
    ]


@pytest.mark.parametrize("words", ["check", "fix", "verify", "compare"])
def test_help_imports_neither_onnx_nor_numpy_nor_rich(words: str) -> None:
    code = (
        "import sys; from auditor.cli import main; code = main(sys.argv[1:]);"
        "sys.exit(str([m for m in ('onnx', 'numpy', 'rich', 'onnxruntime') if m in sys.modules] or code))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, *words.split(), "--help"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "0"


def test_choices_of_the_words_are_near_enough_to_be_suggested() -> None:
    assert "phase-average" in suggestion("phase-avrage", KNOWN["STRATEGY"])


@pytest.mark.parametrize("group", [[], ["baseline"]], ids=["program", "baseline"])
def test_a_group_of_commands_shows_its_help_for_help_all_too(run: Run, group: list[str]) -> None:
    code, out, _ = run(*group, "--help-all")
    assert (code, out) == (0, run(*group, "--help")[1])
    assert "Commands:" in out
