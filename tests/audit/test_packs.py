"""Loading rule packs: ours, a folder of the user's, and those that installed packages offer."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from auditor.audit import packs
from auditor.audit.packs import HEADINGS, InstalledPack, PackError, installed, load_builtin, load_folder
from auditor.demo import demo_model

ROOT = Path(__file__).resolve().parents[2]

RULE = """
from auditor.facts.rule import Rule

RULE = Rule(code="{code}", name="{name}", summary="Nothing.", severities=(), check=lambda context: ())
"""
PAGE = "# Title\n\n" + "\n\n".join(f"## {heading}\n\nText." for heading in HEADINGS) + "\n"


def write_pack(folder: Path, name: str, prefix: str = "XY", api: object = 1, extra: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack.toml").write_text(f'name = "{name}"\nprefix = "{prefix}"\napi = {api}\n{extra}')
    (folder / "__init__.py").touch()
    return folder


def write_rule(folder: Path, stem: str, code: str, name: str, page: str | None = PAGE) -> None:
    (folder / f"{stem}.py").write_text(RULE.format(code=code, name=name))
    if page is not None:
        (folder / f"{stem}.md").write_text(page)


def test_the_builtin_pack_has_the_promised_rules_in_order_of_their_codes() -> None:
    pack = load_builtin()
    codes = [rule.code for rule in pack.rules]
    assert codes == sorted(codes)
    assert {*codes} >= {*(f"AA{number}" for number in (*range(101, 110), *range(201, 206), 301))}
    assert pack.prefix == "AA"
    assert {rule.check.__module__.rpartition(".")[0] for rule in pack.rules} == {"auditor.rules"}


def test_a_page_is_found_by_its_code_only() -> None:
    pack = load_builtin()
    assert pack.page("AA201").startswith("# AA201 cumulative-subsampling\n")
    with pytest.raises(KeyError):
        pack.page("AA999")


def test_the_builtin_rules_come_from_beside_the_package_when_a_wheel_was_installed(tmp_path: Path) -> None:
    checkout = Path(packs.__file__).parents[2]
    (tmp_path / "auditor").mkdir()
    for source in (checkout / "auditor").rglob("*.py"):
        target = tmp_path / source.relative_to(checkout)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    (tmp_path / "auditor" / "rules").mkdir()
    for source in (checkout / "rules").iterdir():
        if source.is_file():
            (tmp_path / "auditor" / "rules" / source.name).write_bytes(source.read_bytes())
    # A project of that name in site-packages is not ours.
    write_pack(tmp_path / "rules", "stranger")
    code = "from auditor.audit.packs import load_builtin as load; print(load().folder, len(load().rules))"
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert out.split() == [str(tmp_path / "auditor" / "rules"), str(len(load_builtin().rules))]


def test_loading_rules_imports_neither_onnx_nor_a_runtime() -> None:
    code = (
        "import sys; from auditor.audit.packs import load_builtin; load_builtin();"
        "print({'onnx', 'onnxruntime', 'importlib.metadata'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-S", "-c", _with_path(code)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def _with_path(code: str) -> str:
    return f"import sys; sys.path[:0] = {sys.path!r}; {code}"


def test_a_folder_of_the_users_loads_like_ours(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, "users-own")
    write_rule(folder, "xy102_second", "XY102", "second")
    write_rule(folder, "xy101_first_thing", "XY101", "first-thing")
    (folder / "_helpers.py").write_text("raise RuntimeError('helpers are imported by rules only')")
    pack = load_folder(folder)
    assert (pack.name, pack.prefix, [rule.code for rule in pack.rules]) == ("users-own", "XY", ["XY101", "XY102"])
    assert pack.page("XY101") == PAGE
    assert "auditor_pack_users_own" in sys.modules


def test_a_second_load_of_the_same_folder_gives_the_same_rules(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, "loaded-twice")
    write_rule(folder, "xy101_a", "XY101", "a")
    assert load_folder(folder).rules[0] is load_folder(folder).rules[0]


def test_another_folder_of_a_name_already_loaded_is_refused(tmp_path: Path) -> None:
    for side in ("left", "right"):
        write_rule(write_pack(tmp_path / side, "same-name"), "xy101_a", "XY101", "a")
    load_folder(tmp_path / "left")
    with pytest.raises(PackError, match=r"same name is already loaded from .*left"):
        load_folder(tmp_path / "right")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ({"prefix": "AA"}, "prefix AA belongs to the built-in rules"),
        ({"prefix": "x1"}, "prefix must be 2 to 8 capital letters"),
        ({"api": 2}, "api must be 1"),
        ({"api": '"1"'}, "api must be 1"),
        ({"extra": "codes = 3"}, "unknown key 'codes'"),
        ({"extra": "="}, "TOMLDecodeError"),
    ],
)
def test_a_wrong_pack_toml_is_refused_in_one_line(tmp_path: Path, toml: dict[str, str], message: str) -> None:
    folder = write_pack(tmp_path, "wrong-toml", **toml)
    write_rule(folder, "xy101_a", "XY101", "a")
    with pytest.raises(PackError, match=message) as caught:
        load_folder(folder)
    assert "pack.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_no_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="name must be a kebab-case word"):
        load_folder(write_pack(tmp_path, "../up"))


def test_a_folder_that_is_no_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"pack\.toml: No such file"):
        load_folder(tmp_path / "absent")


def test_a_pack_without_rules_or_without_init_is_refused(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, "empty-pack")
    with pytest.raises(PackError, match="no rules"):
        load_folder(folder)
    folder = write_pack(tmp_path / "plain", "plain-folder")
    (folder / "__init__.py").unlink()
    with pytest.raises(PackError, match=r"add an \(empty\) __init__\.py"):
        load_folder(folder)


@pytest.mark.parametrize(
    ("number", "stem", "code", "name", "page", "message"),
    [
        (1, "xy101_a", "ZZ101", "a", PAGE, "code 'ZZ101' must be XY and three digits"),
        (2, "xy101_a", "XY1011", "a", PAGE, "three digits"),
        (3, "xy101_a", "XY101", "A_b", PAGE, "kebab-case"),
        (4, "xy101_a", "XY101", "b", PAGE, r"must be called xy101_b\.py"),
        (5, "xy101_a", "XY101", "a", None, r"xy101_a\.md: No such file .* every rule needs a page"),
        (6, "xy101_a", "XY101", "a", PAGE.replace("## Example", "## Examples"), "headings must be What it does"),
        (7, "xy101_a", "XY101", "a", PAGE + "\n## More\n", "headings"),
    ],
)
def test_a_wrong_rule_is_refused_in_one_line(
    tmp_path: Path, number: int, stem: str, code: str, name: str, page: str | None, message: str
) -> None:
    folder = write_pack(tmp_path, f"wrong-rule-{'abcdefgh'[number]}")
    write_rule(folder, stem, code, name, page)
    with pytest.raises(PackError, match=message) as caught:
        load_folder(folder)
    assert "\n" not in str(caught.value)


def test_two_rules_with_one_code_are_refused(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, "twin-codes")
    write_rule(folder, "xy101_a", "XY101", "a")
    write_rule(folder, "xy101_b", "XY101", "b")
    with pytest.raises(PackError, match="two rules have the code XY101"):
        load_folder(folder)


def test_code_that_fails_is_reported_with_its_file_and_can_be_loaded_once_mended(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, "failing-code")
    (folder / "__init__.py").write_text("raise ValueError('first\\nsecond')")
    write_rule(folder, "xy101_a", "XY101", "a")
    with pytest.raises(PackError, match=r"__init__\.py:1: ValueError: first second"):
        load_folder(folder)
    (folder / "__init__.py").write_text("# mended, and of another length than before")
    (folder / "xy101_a.py").write_text("RULE = 3")
    with pytest.raises(PackError, match="must export RULE"):
        load_folder(folder)


def test_a_rule_that_cannot_be_imported_is_reported_with_its_file(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, "syntax-error")
    write_rule(folder, "xy101_a", "XY101", "a")
    (folder / "xy101_a.py").write_text("def\n")
    with pytest.raises(PackError, match=r"xy101_a\.py:1: SyntaxError"):
        load_folder(folder)


def offer(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    found = EntryPoints(EntryPoint(name, value, packs.GROUP) for name, value in points)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: found.select(group=group))


def test_installed_packs_are_listed_without_running_their_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_pack(tmp_path / "dormant_pack", "dormant")
    (folder / "__init__.py").write_text("raise RuntimeError('loaded')")
    monkeypatch.syspath_prepend(tmp_path)
    offer(monkeypatch, ("ZZ", "other.rules"), ("XY", "dormant_pack"))
    assert [(pack.prefix, pack.module) for pack in installed()] == [("XY", "dormant_pack"), ("ZZ", "other.rules")]
    with pytest.raises(PackError, match="rule pack dormant_pack: RuntimeError: loaded"):
        installed()[0].load()


def test_an_installed_pack_loads_under_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rule(write_pack(tmp_path / "installed_pack", "installed"), "xy101_a", "XY101", "a")
    monkeypatch.syspath_prepend(tmp_path)
    pack = InstalledPack("XY", "installed_pack", "dist").load()
    assert [rule.code for rule in pack.rules] == ["XY101"]
    assert pack.rules[0].check.__module__ == "installed_pack.xy101_a"


@pytest.mark.parametrize(("prefix", "message"), [("ZZ", "announced as ZZ but"), ("AA", "announced as AA but")])
def test_an_installed_pack_must_keep_the_prefix_it_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str, message: str
) -> None:
    name = f"announced_{prefix.lower()}"
    write_rule(write_pack(tmp_path / name, "announced"), "xy101_a", "XY101", "a")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PackError, match=message):
        InstalledPack(prefix, name, "dist").load()


def test_an_installed_pack_may_not_take_the_builtin_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rule(write_pack(tmp_path / "impostor", "impostor", prefix="AA"), "aa101_a", "AA101", "a")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PackError, match="belongs to the built-in rules"):
        InstalledPack("AA", "impostor", "dist").load()


def written_by_the_page(folder: Path) -> Path:
    """The rule pack of CONTRIBUTING.md, made of what stands there and nothing else."""
    page = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## A rule pack of your own")[2]
    pack = folder / "xy-rules"
    pack.mkdir()
    (pack / "__init__.py").touch()
    for language, name in (
        ("toml", "pack.toml"),
        ("python", "xy101_wide_stride.py"),
        ("markdown", "xy101_wide_stride.md"),
    ):
        text = page.partition(f"```{language}\n")[2].partition("\n```")[0]
        (pack / name).write_text(text + "\n", encoding="utf-8")
    return pack


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "auditor", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_pack_of_the_page_works_at_the_first_try(tmp_path: Path) -> None:
    written_by_the_page(tmp_path)
    shown = run(tmp_path, "rule", "XY101", "--rules", "xy-rules")
    assert (shown.returncode, "Flags strides above" in shown.stdout) == (0, True), shown.stderr
    options = ["--rules", "xy-rules", "--fail-on", "warning", "--select", "XY"]
    assert run(tmp_path, "check", *options, str(demo_model())).returncode == 0
    (tmp_path / "aliasaudit.toml").write_text("[rule.XY101]\nlargest = 1\n", encoding="utf-8")
    done = run(tmp_path, "check", *options, str(demo_model()))
    assert (done.returncode, "XY101 wide-stride at" in done.stdout) == (1, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("            yield Finding(", "            1 / 0\n            yield Finding(", 10, "ZeroDivisionError"),
        (
            "                rule=RULE.code,",
            '                rule="XY999",',
            None,
            "check must yield findings of XY101",
        ),
        (
            "    for site in",
            "    yield 3  # type: ignore\n    for site in",
            None,
            "check must yield auditor.Finding, not int",
        ),
    ],
)
def test_a_rule_of_a_user_that_fails_is_blamed_by_pack_file_and_line(
    tmp_path: Path, old: str, new: str, line: int | None, words: str
) -> None:
    pack = written_by_the_page(tmp_path)
    rule = pack / "xy101_wide_stride.py"
    text = rule.read_text(encoding="utf-8").replace(old, new, 1).replace('"largest": 2', '"largest": 1')
    rule.write_text(text, encoding="utf-8")
    done = run(tmp_path, "check", "--rules", "xy-rules", str(demo_model()))
    assert done.returncode == 2
    said = done.stdout + done.stderr
    assert "rule XY101 of the rule pack xy-rules failed at" in said
    assert str(rule) + (f":{line}" if line is not None else "") in said
    assert words in said
    assert "please report this" not in said
    assert run(tmp_path, "check", "--rules", "xy-rules", "--ignore", "XY101", str(demo_model())).returncode != 2
    assert run(tmp_path, "baseline", "write", "--rules", "xy-rules", str(demo_model())).returncode == 2


def test_a_rule_module_that_cannot_be_imported_is_blamed_by_its_line(tmp_path: Path) -> None:
    rule = written_by_the_page(tmp_path) / "xy101_wide_stride.py"
    text = rule.read_text(encoding="utf-8")
    rule.write_text("1 / 0\n" + text, encoding="utf-8")
    done = run(tmp_path, "check", "--rules", "xy-rules", str(demo_model()))
    assert (done.returncode, f"{rule}:1: ZeroDivisionError" in done.stderr) == (2, True), done.stderr
    rule.write_text(text + "\ndef (\n", encoding="utf-8")
    done = run(tmp_path, "check", "--rules", "xy-rules", str(demo_model()))
    assert (done.returncode, f"{rule}:{len(text.splitlines()) + 2}: SyntaxError" in done.stderr) == (2, True), (
        done.stderr
    )
