"""Write the generated tables of README.md and of the page of rules: measured results, and the built-in rules.

Run it as ``python scripts/update_readme.py``; with ``--check`` it writes nothing and exits with 1 when one is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
RULES = ROOT / "rules" / "README.md"
ABLATION = ROOT / "docs" / "ablation.md"
sys.path.insert(0, str(ROOT))

from auditor.audit.packs import load_builtin  # noqa: E402 - after the path is set

MODELS = ("SqueezeNet 1.0", "MobileNetV2 1.0")
REWRITES = {
    "phase average, diagonal, last site": "`phase-average`",
    "test-time averaging, 2 shifts": "`input-average`",
    "blur Tri-3": "`blur`",
}
COLUMNS = ("consistency", "MAC", "MAC, 1 px", "accuracy or agreement", "time")


def results_table() -> str:
    """What rewrites of two classifiers gain, from the tables that ``benchmarks/ablation.py`` printed.

    Raises:
        ValueError: A model, a column or a rewrite is not there.
    """
    text = ABLATION.read_text(encoding="utf-8")
    rows = [
        "| model | `--strategy` | consistency | MAC | MAC, 1 px | accuracy | time |",
        "|---|---|---|---|---|---|---|",
    ]
    for model in MODELS:
        _, heading, rest = text.partition(f"\n### {model} (")
        if not heading:
            raise ValueError(f"docs/ablation.md has no section on {model}")
        table = [[cell.strip() for cell in line.strip("|").split("|")] for line in rest.splitlines() if line[:1] == "|"]
        chosen = [table[0].index(name) for name in COLUMNS]
        by_name = {row[0]: row for row in reversed(table)}
        for name, strategy in REWRITES.items():
            if name not in by_name:
                raise ValueError(f"docs/ablation.md has no row {name!r} for {model}")
            rows.append(f"| {model} | {strategy} | " + " | ".join(by_name[name][place] for place in chosen) + " |")
    return "\n".join(rows)


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
