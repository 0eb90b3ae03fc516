"""Writes constraints.txt, hashes.txt, lowest.txt and .github/tools.txt: what the tests and the workflows install.

    python scripts/lock.py

needs `uv` on the path. The first three hold every package that the extra ``dev`` brings. constraints.txt has the newest
versions of the day, with markers for every version of Python and every platform, so that plain
``pip install -c constraints.txt -e '.[dev]'`` follows them. hashes.txt has the same with the hash of every file, and
what builds the package: the workflows install nothing that was changed after it was locked. lowest.txt has the lowest
versions that pyproject.toml allows, on the lowest Python, with the newest of what those need in turn. .github/tools.txt
has the tools of the workflows, with hashes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOWEST_PYTHON = "3.10"
HASHED = ["--universal", "--generate-hashes"]
LOCKS = {
    "constraints.txt": ["--universal", "--python-version", LOWEST_PYTHON, "--extra", "dev", "pyproject.toml"],
    "hashes.txt": [*HASHED, "--python-version", LOWEST_PYTHON, "--extra", "dev", "pyproject.toml", "-"],
    "lowest.txt": [
        "--resolution",
        "lowest-direct",
        "--python-version",
        LOWEST_PYTHON,
        "--extra",
        "dev",
        "pyproject.toml",
    ],
    ".github/tools.txt": [*HASHED, "--python-version", "3.10", "-"],
}
# What a lock holds beside the project's own: what builds it, of pyproject.toml and for an editable install; and tools.
MORE = {
    "hashes.txt": ["hatchling", "editables"],
    ".github/tools.txt": ["build", "coverage", "cyclonedx-bom", "pip-audit", "pypi-attestations", "twine"],
}


def locked(name: str) -> str:
    """The lines of a lock."""
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--upgrade", *LOCKS[name]]
    if name in MORE:
        command += ["--constraint", "constraints.txt"]  # written before; all can be installed together
    more = "\n".join(MORE.get(name, []))
    done = subprocess.run(command, cwd=ROOT, input=more, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


def main() -> None:
    """Write them all."""
    for name in LOCKS:
        head = "# Written by scripts/lock.py; do not edit.\n"
        (ROOT / name).write_text(head + locked(name), encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
