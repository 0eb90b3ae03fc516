"""Print the numbers of a JSON report that are outputs of the action, as ``name=value`` lines.

Only numbers leave this file: text of a model in an output could forge another output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def consistencies(report: dict[str, Any]) -> Iterator[float]:
    """The measured consistency of every output of every model."""
    for model in report["models"]:
        for output in (model.get("verification") or {"outputs": []})["outputs"]:
            for measure in output["measures"]:
                if measure["name"] == "consistency" and isinstance(measure["value"], float | int):
                    yield float(measure["value"])


def main() -> None:
    """Read the report that the first argument names."""
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    accepted = sum(len(model["accepted"]) for model in report["models"])
    lines = [f"findings={int(report['summary']['findings'])}", f"accepted={accepted}"]
    if (lowest := min(consistencies(report), default=None)) is not None:
        lines.append(f"consistency={lowest:.4f}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
