"""Imports run one way: no room imports a later one, and no files import each other in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# The floors of the house: a room imports only rooms of earlier lines.
FLOORS = (
    {"_version", "text", "unfinished", "demo", "choices", "document"},
    {"files", "system"},
    {"codec"},
    {"options"},
    {"onnxfile"},
    {"sampling"},
    {"pipeline"},
    {"targets"},
    {"verify", "rewrite"},
    {"resizing", "tiling"},
    {"facts"},
    {"finetune"},
    {"policy", "rules"},
    {"audit"},
    {"comparison"},
    {"repair"},
    {"report"},
    {"api"},
    {"shard_api", "tile_api"},
    {"__init__"},
    {"plugins"},
    {"cli"},
    {"__main__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def module(path: Path, root: Path) -> str:
    """The dotted name of a file; ``rules`` travels in the wheel as ``auditor.rules`` and is imported so."""
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    return (f"auditor.{name}" if name.split(".")[0] == "rules" else name).removesuffix(".__init__")


def room(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


def imported(path: Path, name: str) -> Iterator[str]:
    """Everything that a file imports, at its top, for types, or inside functions, as far as it is named."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = name if path.name == "__init__.py" else name.rpartition(".")[0]
                above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{above}.{base}".rstrip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def imports(root: Path) -> dict[str, set[str]]:
    """The files that each file imports, by module name."""
    paths = {module(path, root): path for folder in ("auditor", "rules") for path in (root / folder).rglob("*.py")}
    arrows: dict[str, set[str]] = {}
    for name, path in paths.items():
        arrows[name] = set()
        for target in imported(path, name):
            while target and target not in paths:
                target = target.rpartition(".")[0]
            if target and target != name:
                arrows[name].add(target)
    return arrows


def back_up(arrows: dict[str, set[str]]) -> list[str]:
    """Imports of a room from a room that is not on an earlier floor."""
    return [
        f"{name} -> {target}"
        for name, targets in sorted(arrows.items())
        for target in sorted(targets)
        if room(name) != room(target) and FLOOR[room(name)] <= FLOOR[room(target)]
    ]


def test_every_room_has_its_floor() -> None:
    assert {room(name) for name in imports(ROOT)} <= set(FLOOR)


def test_no_room_imports_a_later_one() -> None:
    assert back_up(imports(ROOT)) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    TopologicalSorter(imports(ROOT)).prepare()


@pytest.mark.parametrize(
    "line",
    [
        "from auditor.cli import output",
        "from auditor import api",
        "import auditor.report.words.sheet",
        "def late():\n    from auditor.policy.settings import Settings",
    ],
)
def test_an_import_back_up_is_seen_however_it_is_written(tmp_path: Path, line: str) -> None:
    for name in ("__init__", "api", "sampling/__init__", "sampling/walk", "cli/output", "policy/settings"):
        (tmp_path / "auditor" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "auditor" / f"{name}.py").touch()
    (tmp_path / "auditor" / "report" / "words").mkdir(parents=True)
    (tmp_path / "auditor" / "report" / "words" / "sheet.py").touch()
    assert back_up(imports(tmp_path)) == []
    (tmp_path / "auditor" / "sampling" / "walk.py").write_text(line, encoding="utf-8")
    assert len(back_up(imports(tmp_path))) == 1


def test_no_file_takes_a_private_name_out_of_another() -> None:
    taken = [
        f"{path.relative_to(ROOT)}: {alias.name}"
        for folder in ("auditor", "rules")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("auditor")
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]
    assert taken == []


def test_no_name_of_the_public_pipeline_hides_a_module_of_it() -> None:
    """``import package.name.module as short`` takes the attribute ``name``, which has to be the module."""
    hidden = [
        f"{path.relative_to(ROOT).parent}: {name}"
        for path in sorted((ROOT / "auditor" / "pipeline").rglob("__init__.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        for name in exported(node)
        if (path.parent / name).is_dir() or (path.parent / f"{name}.py").exists()
    ]
    assert hidden == []


def exported(node: ast.stmt) -> list[str]:
    """The names that a statement of a package gives it."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    return [alias.asname or alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
