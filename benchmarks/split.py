"""How much of what shifts change is the sampling grid's, and how much border and content: the lines of the theory.

    python -m benchmarks.split MODEL [--name NAME] [--preset PRESET] [--into docs/theory.md]

The lines are those that ``verify`` prints of a model on its built-in pictures, between the marks of a page.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from auditor import measure
from auditor.report.words.splitting import split_lines
from auditor.verify.result import Verification
from benchmarks.ablation_table import placed

MARKS = "<!-- begin: loss split -->", "<!-- end: loss split -->"


def lines(found: Verification, name: str) -> str:
    """Markdown: the lines in a block, and what they were measured on."""
    told = [line for output in found.outputs for line in split_lines(output)]
    if not told:
        raise SystemExit(f"{name}: verify made no split")
    count = len(found.outputs[0].images)
    block = "\n".join(f"    {line}" for line in told)
    return f"{block}\n\n({name} on {count} built-in pictures.)\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--name", default="SqueezeNet 1.0", help="what the page calls it")
    parser.add_argument("--preset", default="caffe-bgr", help="how its input is prepared")
    parser.add_argument("--limit", type=int, default=64, help="built-in pictures")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="put the lines between the marks of this page")
    given = parser.parse_args(arguments)
    text = lines(measure(given.model, preset=given.preset, images_limit=given.limit, device="cpu"), given.name)
    if given.into is not None:
        page = given.into.read_text(encoding="utf-8")
        given.into.write_text(placed(page, text, MARKS), encoding="utf-8", newline="\n")
    print(text, end="")


if __name__ == "__main__":
    main()
