"""Run the notebooks of the documentation, and keep what their cells show: ``python -m scripts.notebook``.

A notebook is plain JSON (nbformat 4.5). Its cells are run one after the other in one namespace and in an empty folder,
as a kernel would; Jupyter and its kernel, of which nothing else here has a use, are not needed. What a cell prints is
kept, and the value of its last line as text and as a picture. Frames with a whole page are left out: a viewer that runs
nothing does not show them, and they would be the most of the file.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "docs" / "notebook").glob("*.ipynb"))

Cell = dict[str, Any]


def read(path: Path) -> dict[str, Any]:
    """A notebook as it stands in its file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def run(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with what its cells show today. Runs in a temporary folder of its own."""
    space: dict[str, Any] = {"__name__": "__main__"}
    cells, count = [], 0
    with tempfile.TemporaryDirectory() as folder, _within(folder):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                count += 1
                cell = {**cell, "execution_count": count, "outputs": list(_outputs(cell, space, count))}
            cells.append(cell)
    return {**notebook, "cells": cells}


def source(cell: Cell) -> str:
    """The text of a cell."""
    return "".join(cell["source"])


def text(notebook: dict[str, Any]) -> str:
    """The file of a notebook, as Jupyter writes it."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def _within(folder: str) -> Iterator[None]:
    here = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)


def _outputs(cell: Cell, space: dict[str, Any], count: int) -> Iterator[Cell]:
    tree = ast.parse(source(cell))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), space)  # noqa: S102 - a notebook of this repository
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), space)  # noqa: S307 - as above
    if printed.getvalue():
        yield {"name": "stdout", "output_type": "stream", "text": printed.getvalue().splitlines(keepends=True)}
    if value is not None:
        data = {"text/plain": [_plain(value)]}
        if hasattr(value, "_repr_png_"):
            data["image/png"] = [base64.b64encode(value._repr_png_()).decode()]
        yield {"data": data, "execution_count": count, "metadata": {}, "output_type": "execute_result"}


def _plain(value: object) -> str:
    """What stands for a value where it cannot be drawn; addresses differ between runs."""
    return f"<{type(value).__name__}>" if " at 0x" in repr(value) else repr(value)


def main() -> None:
    """Run all, and say what was written."""
    for path in NOTEBOOKS:
        path.write_text(text(run(read(path))), encoding="utf-8", newline="\n")
        print(f"wrote {path.relative_to(ROOT).as_posix()}, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
