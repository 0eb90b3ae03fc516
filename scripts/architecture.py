"""Draw the way of each command through the rooms, from the imports: ``python scripts/architecture.py``.

Writes one SVG per command into docs/pictures/; with ``--check`` it writes nothing and exits with 1 where one is stale.
A box is a room that the command comes to. An arrow says that one room uses another; what follows from two others is not
drawn.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"

ENTRIES: Mapping[str, tuple[str, ...]] = {
    "check": ("auditor.audit.run",),
    "verify": ("auditor.verify.runner",),
    "fix": ("auditor.repair.run",),
}
"""Where the work of a command begins, behind the flags; the report of what was found comes after it."""

WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 120, 36, 170, 60, 16


def way(entries: tuple[str, ...], root: Path = ROOT) -> dict[str, frozenset[str]]:
    """The rooms of the files of ``entries`` and of all that these import in turn: which room uses which.

    Single files of the package (text, files, …) serve every room and are left out.
    """
    modules = {_module(path, root): path for path in (root / "auditor").rglob("*.py")}
    seen: set[str] = set()
    waiting = list(entries)
    arrows: dict[str, set[str]] = {}
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        targets = list(_imported(modules[name], name, frozenset(modules)))
        arrows.setdefault(room(name), set()).update(map(room, targets))
        waiting += targets
    rooms = {name for name in arrows if (root / "auditor" / name / "__init__.py").is_file()} - {""}
    return {name: frozenset(arrows[name] & rooms - {name}) for name in sorted(rooms)}


def room(name: str) -> str:
    """The name below the package: a room, or a single file that all rooms share; empty for the package itself."""
    return name.split(".")[1] if "." in name else ""


def _module(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _imported(path: Path, name: str, modules: frozenset[str]) -> Iterator[str]:
    """The modules of the package that a file imports, at its top or when it runs; imports for types do not count."""
    for node in _running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in names:
            while target and target not in modules:
                target = target.rpartition(".")[0]
            if target and target != name:
                yield target


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from _running(node)


def reduced(arrows: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The arrows without those that a longer way stands for."""

    @cache
    def behind(name: str) -> frozenset[str]:
        return arrows[name].union(*(behind(target) for target in arrows[name]))

    return {
        name: frozenset(target for target in targets if not any(target in behind(other) for other in targets))
        for name, targets in arrows.items()
    }


def levels(arrows: Mapping[str, frozenset[str]]) -> dict[str, int]:
    """The column of each room: the length of the longest way to it from the room that begins."""
    level = dict.fromkeys(arrows, 0)
    for _ in arrows:
        for name, targets in arrows.items():
            for target in targets:
                level[target] = max(level[target], level[name] + 1)
    return level


def picture(command: str, used: Mapping[str, frozenset[str]]) -> str:
    """The SVG of a way, from left to right."""
    arrows = reduced(used)
    level = levels(arrows)
    columns: dict[int, list[str]] = {}
    for name in sorted(arrows, key=lambda name: (level[name], name)):
        columns.setdefault(level[name], []).append(name)
    tallest = max(map(len, columns.values()))
    places = {
        name: (MARGIN + column * ACROSS, MARGIN + round((row + (tallest - len(names)) / 2) * DOWN))
        for column, names in columns.items()
        for row, name in enumerate(names)
    }
    width = 2 * MARGIN + (len(columns) - 1) * ACROSS + WIDTH
    height = 2 * MARGIN + (tallest - 1) * DOWN + HEIGHT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"',
        ' font-family="sans-serif">',
        f"<title>The rooms that {escape(command)} goes through, and which uses which</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">',
        '<path d="M0 0 8 4 0 8z" fill="#777"/></marker></defs>',
    ]
    for name in sorted(arrows):
        x, y = places[name]
        for target in sorted(arrows[name]):
            left, top = places[target]
            begin, end, bend = (x + WIDTH, y + HEIGHT // 2), (left, top + HEIGHT // 2), (left - x - WIDTH) // 2
            path = f"M{begin[0]} {begin[1]}C{begin[0] + bend} {begin[1]} {end[0] - bend} {end[1]} {end[0]} {end[1]}"
            lines.append(f'<path d="{path}" fill="none" stroke="#777" stroke-width="1.5" marker-end="url(#tip)"/>')
    for name, (x, y) in sorted(places.items()):
        middle = f'x="{x + WIDTH // 2}" y="{y + 23}" text-anchor="middle"'
        lines += [
            f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#ede7f6" stroke="#5e35b1"/>',
            f'<text {middle} font-size="15" fill="#222">{escape(name)}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def pictures() -> dict[Path, str]:
    """Every picture as it should be, by its path."""
    return {PICTURES / f"{command}.svg": picture(command, way(entries)) for command, entries in ENTRIES.items()}


def main() -> int:
    """Write or check, and say what was done."""
    parser = argparse.ArgumentParser(description="Draw the way of each command through the rooms.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a picture is stale")
    arguments = parser.parse_args()
    stale = 0
    for path, text in pictures().items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if arguments.check:
            print(f"{path.relative_to(ROOT).as_posix()} is stale: run python scripts/architecture.py")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote {path.relative_to(ROOT).as_posix()}")
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
