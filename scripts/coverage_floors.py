"""Hold the branch coverage of rooms above their floors: ``python scripts/coverage_floors.py`` behind ``coverage run``.

A floor is what a part of the tests reached when it was measured, rounded down to five percent, so all tests reach more.
Raise it when the pipeline shows more; a room without a floor was not measured yet.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FLOORS: Mapping[str, int] = {
    "auditor/audit": 70,
    "auditor/facts": 95,
    "auditor/onnxfile": 70,
    "auditor/policy": 90,
    "auditor/sampling": 70,
    "rules": 95,
}
"""Percent of lines and branches that tests run, by folder."""


def shares(report: Mapping[str, Any]) -> dict[str, float]:
    """The covered share of every room in percent, lines and branches together, from a JSON report of coverage.py."""
    run: dict[str, int] = {}
    there: dict[str, int] = {}
    for name, file in report["files"].items():
        parts = Path(name).as_posix().split("/")
        room = "/".join(parts[:2]) if parts[0] == "auditor" else parts[0]
        summary = file["summary"]
        run[room] = run.get(room, 0) + summary["covered_lines"] + summary["covered_branches"]
        there[room] = there.get(room, 0) + summary["num_statements"] + summary["num_branches"]
    return {room: 100 * run[room] / count for room, count in sorted(there.items()) if count}


def below(found: Mapping[str, float], floors: Mapping[str, int] = FLOORS) -> list[str]:
    """What is below its floor, or was not measured, one line each."""
    lines = []
    for room, floor in floors.items():
        share = found.get(room)
        if share is None:
            lines.append(f"{room} was not measured: is it still there?")
        elif share < floor:
            lines.append(f"{room}: {share:.1f} % of lines and branches, below the floor of {floor} %")
    return lines


def main() -> int:
    """Show every room, and fail where one is below its floor."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.json"
        subprocess.run([sys.executable, "-m", "coverage", "json", "--quiet", "-o", str(path)], check=True)
        found = shares(json.loads(path.read_text(encoding="utf-8")))
    for room, share in found.items():
        print(f"{share:6.1f} %  {room}  (floor {FLOORS.get(room, 'not measured yet')})")
    lines = below(found)
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
