"""Refuse a release that does not hold together: ``python scripts/release.py v0.2.0``.

The tag must be the version in the code, and the changelog must have its section, dated, with nothing left *Unreleased*.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSION_FILES = ("auditor/_version.py", "auditor/__init__.py")


def version(root: Path) -> str:
    """The version in the code.

    Raises:
        ValueError: None of the files declares one.
    """
    for name in VERSION_FILES:
        path = root / name
        if path.is_file():
            match = re.search(r'^__version__ = "(.+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
            if match is not None:
                return match.group(1)
    raise ValueError(f"no version in {' or '.join(VERSION_FILES)}")


def complaints(root: Path, tag: str) -> list[str]:
    """What keeps ``tag`` from being released, one line each."""
    current = version(root)
    lines = [] if tag == f"v{current}" else [f"the tag is {tag}, but the code is version {current}: tag v{current}"]
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(current)}\] - \d{{4}}-\d{{2}}-\d{{2}}$", text, re.MULTILINE):
        lines.append(f"CHANGELOG.md has no section `## [{current}] - YYYY-MM-DD`")
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if unreleased is not None and unreleased.group(1).strip():
        lines.append(f"CHANGELOG.md has entries under Unreleased: move them to {current}")
    return lines


def main() -> int:
    """Check, and say what is wrong."""
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/release.py TAG")
    lines = complaints(ROOT, sys.argv[1])
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
