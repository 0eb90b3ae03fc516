"""Writes the JSON Schemas of the program's documents into schemas/, so that a change of one shows in review.

python scripts/schemas.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from auditor.report.json.schema import SCHEMAS  # noqa: E402 - after the path is set

FOLDER = ROOT / "schemas"


def files() -> dict[str, str]:
    """The content of every file by its name."""
    return {f"{name}.json": json.dumps(build(), indent=1) + "\n" for name, build in SCHEMAS.items()}


def main() -> None:
    """Write the files, and remove those of documents that there are no more."""
    FOLDER.mkdir(exist_ok=True)
    written = files()
    for path in FOLDER.glob("*.json"):
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"wrote schemas/{name}")


if __name__ == "__main__":
    main()
