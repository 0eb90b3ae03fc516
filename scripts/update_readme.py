"""Write the generated parts of README.md: the output of ``aliasaudit demo`` and the table of the built-in rules.

Run it as ``python scripts/update_readme.py``; with ``--check`` it writes nothing and exits with 1 when a part is stale.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
sys.path.insert(0, str(ROOT))

from auditor.audit.packs import load_builtin  # noqa: E402 - after the path is set


def capture() -> str:
    """What ``aliasaudit demo`` prints where no terminal is, as a console block."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "auditor", "demo"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )
    # Findings are what the example is for; anything else is a broken program.
    if done.returncode not in (0, 1):
        raise RuntimeError(f"aliasaudit demo ended with exit code {done.returncode}: {done.stderr.strip()}")
    return f"```console\n$ aliasaudit demo\n{done.stdout.strip()}\n```"


def rule_table() -> str:
    """One row per built-in rule, with a link to its page."""
    pack = load_builtin()
    rows = ["| rule | name | severity | flags |", "|---|---|---|---|"]
    for rule in pack.rules:
        page = f"rules/{rule.code.lower()}_{rule.name.replace('-', '_')}.md"
        severities = ", ".join(severity.value for severity in rule.severities)
        rows.append(f"| [{rule.code}]({page}) | `{rule.name}` | {severities} | {rule.summary} |")
    return "\n".join(rows)


def replaced(text: str, part: str, content: str) -> str:
    """``text`` with the content between ``<!-- part:begin -->`` and ``<!-- part:end -->`` exchanged.

    Raises:
        ValueError: The markers are not there exactly once, in this order.
    """
    begin, end = f"<!-- {part}:begin -->\n", f"\n<!-- {part}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"README.md must hold {begin.strip()} and {end.strip()} once each")
    head, rest = text.split(begin)
    return head + begin + content + end + rest.split(end)[1]


def updated(text: str) -> str:
    """README.md as it should be."""
    return replaced(replaced(text, "capture", capture()), "rules", rule_table())


def main() -> int:
    """Write or check, and say what was done."""
    parser = argparse.ArgumentParser(description="Write the generated parts of README.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a part is stale")
    arguments = parser.parse_args()
    old = README.read_text(encoding="utf-8")
    new = updated(old)
    if old == new:
        print("README.md is current")
        return 0
    if arguments.check:
        print("README.md is stale: run python scripts/update_readme.py")
        return 1
    README.write_text(new, encoding="utf-8", newline="\n")
    print("README.md was updated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
