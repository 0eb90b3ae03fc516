"""Writes constraints.txt and lowest.txt: the versions that tests install, and the lowest ones that have to pass.

    python scripts/lock.py

needs `uv` on the path. Both files hold every package that the extra ``dev`` brings, so that plain
``pip install -c FILE -e '.[dev]'`` follows them. constraints.txt has the newest versions of the day, with markers for
every version of Python and every platform. lowest.txt has the lowest versions that pyproject.toml allows, on the lowest
Python, with the newest of what those need in turn.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOWEST_PYTHON = "3.10"
LOCKS = {"constraints.txt": ["--universal"], "lowest.txt": ["--resolution", "lowest-direct"]}


def locked(options: list[str]) -> str:
    """The lines of a lock."""
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--upgrade", *options]
    command += ["--python-version", LOWEST_PYTHON, "--extra", "dev", "pyproject.toml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


def main() -> None:
    """Write both files."""
    for name, options in LOCKS.items():
        head = f"# Written by scripts/lock.py ({' '.join(options)}); do not edit.\n"
        (ROOT / name).write_text(head + locked(options), encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
