"""Print the numbers and the verdict of a JSON report that are outputs of the action, as ``name=value`` lines.

Only numbers and words that stand here leave this file: text of a model in an output could forge another output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# The verdicts of a measured comparison, the worst first.
VERDICTS = ("worse", "minimum-not-held", "undecided", "no-difference-found", "better", "same-model")


def verdict(report: dict[str, Any]) -> str | None:
    """The worst verdict of any model's measured comparison."""
    found = [(model.get("comparison") or {}).get("verdict") for model in report["models"]]
    return next((word for word in VERDICTS if word in found), None)


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
    if (word := verdict(report)) is not None:
        lines.append(f"verdict={word}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
