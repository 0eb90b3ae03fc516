"""Write the generated tables of README.md and of the page of rules: measured results, and the built-in rules.

Run it as ``python scripts/update_readme.py``; with ``--check`` it writes nothing and exits with 1 when one is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import dropwhile, takewhile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
RULES = ROOT / "rules" / "README.md"
ABLATION = ROOT / "docs" / "ablation.md"
sys.path.insert(0, str(ROOT))

from auditor.audit.packs import load_builtin  # noqa: E402 - after the path is set

REPAIR = ROOT / "docs" / "guides" / "repair.md"
LOCKED = ("SqueezeNet 1.0", "MobileNetV2", "EfficientNet-Lite0")
AVERAGED = ("SqueezeNet 1.0", "MobileNetV2 1.0")
REWRITES = {
    "phase average, diagonal, last site": "`phase-average`",
    "test-time averaging, 2 shifts": "`input-average`",
    "blur Tri-3": "`blur`",
}
OF_A_LOCK = ("consistency", "MAC", "MAC, 1 px", "accuracy over shifts", "CPU time")
OF_AN_AVERAGE = ("consistency", "MAC", "MAC, 1 px", "accuracy or agreement", "time")


def results_table() -> str:
    """What rewrites of classifiers gain, from the tables that ``benchmarks/lock.py`` and ``ablation.py`` printed.

    Raises:
        ValueError: A model, a column or a rewrite is not there.
    """
    rows = [
        "| model | `--strategy` | consistency | MAC | MAC, 1 px | accuracy | time |",
        "|---|---|---|---|---|---|---|",
    ]
    for model in LOCKED:
        table = _table(REPAIR, f"**{model}** (")
        rows.append(_row(model, "`grid-lock`", table, "sub-pixel", OF_A_LOCK))
    for model in AVERAGED:
        table = _table(ABLATION, f"### {model} (")
        rows += [_row(model, strategy, table, name, OF_AN_AVERAGE) for name, strategy in REWRITES.items()]
    return "\n".join(rows)


def _table(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table behind the line that begins with a heading."""
    _, found, rest = f"\n{page.read_text(encoding='utf-8')}".partition(f"\n{heading}")
    if not found:
        raise ValueError(f"{page.relative_to(ROOT).as_posix()} has no {heading!r}")
    lines = dropwhile(lambda line: line[:1] != "|", rest.splitlines())
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in takewhile(lambda line: line[:1] == "|", lines)
    ]


def _row(model: str, strategy: str, table: Sequence[Sequence[str]], name: str, columns: Sequence[str]) -> str:
    """One row of the page: the ``columns`` of the row ``name`` of a table."""
    found = next((row for row in table if row[0] == name), None)
    if found is None:
        raise ValueError(f"there is no row {name!r} for {model}")
    cells = [found[table[0].index(column)] for column in columns]
    return f"| {model} | {strategy} | {' | '.join(cells)} |"


def rule_table() -> str:
    """One row per built-in rule, with a link to its page."""
    pack = load_builtin()
    rows = ["| rule | name | severity | flags |", "|---|---|---|---|"]
    for rule in pack.rules:
        page = f"{rule.code.lower()}_{rule.name.replace('-', '_')}.md"
        severities = ", ".join(severity.value for severity in rule.severities)
        rows.append(f"| [{rule.code}]({page}) | `{rule.name}` | {severities} | {rule.summary} |")
    return "\n".join(rows)


PARTS: Mapping[Path, tuple[str, Callable[[], str]]] = {
    README: ("results", results_table),
    RULES: ("rules", rule_table),
}


def replaced(text: str, part: str, content: str) -> str:
    """``text`` with the content between ``<!-- part:begin -->`` and ``<!-- part:end -->`` exchanged.

    Raises:
        ValueError: The markers are not there exactly once, in this order.
    """
    begin, end = f"<!-- {part}:begin -->\n", f"<!-- {part}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"the page must hold {begin.strip()} and {end} once each")
    head, rest = text.split(begin)
    return head + begin + content + "\n" + end + rest.split(end)[1]


def updated(page: Path) -> str:
    """A page as it should be."""
    part, content = PARTS[page]
    return replaced(page.read_text(encoding="utf-8"), part, content())


def main() -> int:
    """Write or check, and say what was done."""
    parser = argparse.ArgumentParser(description="Write the generated tables of README.md and rules/README.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when one is stale")
    check = parser.parse_args().check
    stale = [page for page in PARTS if page.read_text(encoding="utf-8") != updated(page)]
    for page in stale:
        name = page.relative_to(ROOT).as_posix()
        if check:
            print(f"{name} is stale: run python scripts/update_readme.py")
        else:
            page.write_text(updated(page), encoding="utf-8", newline="\n")
            print(f"{name} was updated")
    if not stale:
        print("all pages are current")
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
