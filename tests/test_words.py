"""What things are called: one class name, one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_no_class_name_stands_for_two_things() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for folder in ("auditor", "rules"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(path.relative_to(ROOT).as_posix())
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


# Turns that read as translated, with the words to use; the text of the folders is searched without line ends.
TURNS = {
    "is no JSON": "is not valid JSON",
    "is no integer": "must be an integer",
    "files that are no pictures": "skipped 1 non-image file",
    "Use so many": "Use at most N",
    "up to so many": "up to N",
    "bare truth": "Ignore waivers",
    "from this severity on": "at this severity or above",
    "Leave lighter findings out": "Hide findings below this severity",
    "How sure a verdict": "Confidence level of the verdict",
    "is called so": "there is no such rule",
    "the one to replace it": "The current model and its replacement",
    "when they stand still": "once they no longer change",
    "where the grid gets coarser": "at the last downsampling layer",
    "as edits of the PyTorch code": "print the matching PyTorch changes",
    "made inert": "disabled",
    "that harms least": "least harmful",
    "hears of": "called before each",
    "give the file its name": "move the file to its destination",
}


def test_no_text_has_a_turn_that_reads_as_translated() -> None:
    texts = [ROOT / "README.md"]
    for folder in ("auditor", "rules", "docs"):
        texts += [path for end in ("*.py", "*.md") for path in sorted((ROOT / folder).rglob(end))]
    for path in texts:
        text = " ".join(path.read_text(encoding="utf-8").split()).casefold()
        for turn, better in TURNS.items():
            assert turn.casefold() not in text, f"{path.relative_to(ROOT)}: {turn!r}; write {better!r}"
