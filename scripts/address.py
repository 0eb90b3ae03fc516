"""Write the repository's address into every page and workflow that names it.

    python scripts/address.py          # after a change of [project.urls] in pyproject.toml
    python scripts/address.py --check  # write nothing; exit 1 when a file names another address

``repository`` of ``[project.urls]`` in pyproject.toml is the one place that holds the address. The other links of that
table are written, too: ``issues`` tells which address the files hold now. A fork or a move is one edit and one run.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
HOST = "https://github.com/"
PATTERNS = (
    "*.md",
    "*.yml",
    "pyproject.toml",
    ".github/**/*",
    "docs/**/*.md",
    "rules/*.md",
    "auditor/demo/*.yml",
    "auditor/_version.py",
)
"""Where the address may be named; in pyproject.toml, the other links of the table follow ``repository``."""


def declared(root: Path) -> str:
    """The ``owner/name`` that pyproject.toml declares.

    Raises:
        ValueError: The address is missing or is not one of GitHub.
    """
    return _slug(root, "repository", "")


def written(root: Path) -> str:
    """The ``owner/name`` that the files were written with.

    Raises:
        ValueError: The link to the issues is missing or is not one of GitHub.
    """
    return _slug(root, "issues", "/issues")


def _slug(root: Path, key: str, end: str) -> str:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project.get("urls", {}).get(key, "")
    match = re.fullmatch(re.escape(HOST) + r"([\w.-]+/[\w.-]+)" + re.escape(end), address)
    if match is None:
        raise ValueError(f"pyproject.toml: [project.urls] {key} must be {HOST}owner/name{end}, not {address!r}")
    return match.group(1)


def files(root: Path) -> Iterator[Path]:
    """The text files that may name the address."""
    for path in sorted({path for pattern in PATTERNS for path in root.glob(pattern)}):
        if path.suffix in {".md", ".yml", ".toml", ".py"} or path.name == "CODEOWNERS":
            yield path


def replaced(text: str, old: str, new: str) -> str:
    """``text`` with every whole ``owner/name`` exchanged, and the owner of every team (``@owner/team``)."""
    owner, new_owner = old.partition("/")[0], new.partition("/")[0]
    text = re.sub(rf"(?<![\w.-]){re.escape(old)}(?![\w-])", new, text)
    return re.sub(rf"@{re.escape(owner)}/(?!{re.escape(old.partition('/')[2])}\b)", f"@{new_owner}/", text)


def stale(root: Path) -> dict[Path, str]:
    """The files that name the old address, with their text as it should be."""
    old, new = written(root), declared(root)
    texts = {path: path.read_text(encoding="utf-8") for path in files(root)}
    return {path: replaced(text, old, new) for path, text in texts.items() if replaced(text, old, new) != text}


def main() -> int:
    """Write or check, and say what was done."""
    parser = argparse.ArgumentParser(description="Write the repository's address into every file that names it.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file names another address")
    arguments = parser.parse_args()
    try:
        found = stale(ROOT)
    except ValueError as error:
        sys.exit(str(error))
    for path, text in found.items():
        name = path.relative_to(ROOT).as_posix()
        if arguments.check:
            print(f"{name} names another address: run python scripts/address.py")
        else:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote {name}")
    return 1 if arguments.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
