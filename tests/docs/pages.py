"""The documentation as tests read it: pages, and the code blocks in them."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

from auditor.demo import demo_model
from scripts.docs_pages import pages

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block. ``line`` is where it begins in the page, counted from 1."""

    page: Path
    language: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """The code blocks of a page in one language, or all of them."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    found = [
        Block(page, token.info, token.content, token.map[0] + 1 if token.map else 0)
        for token in tokens
        if token.type == "fence"
    ]
    return [block for block in found if language in (None, block.language)]


def guide(name: str, language: str) -> list[Block]:
    """The code blocks of a how-to page."""
    return blocks(DOCS / "guides" / f"{name}.md", language)


def all_blocks(language: str) -> list[Block]:
    """The code blocks of every page in one language."""
    return [block for page in PAGES for block in blocks(page, language)]


def prepare(folder: Path) -> dict[str, str]:
    """Put what the examples name into a folder, and return an environment in which they run."""
    programs = folder / "programs"
    programs.mkdir()
    # Scripts, not links: an interpreter that is called through a link does not find its virtual environment.
    for name, arguments in (("aliasaudit", " -m auditor"), ("python", "")):
        shim = programs / name
        shim.write_text(f'#!/usr/bin/env bash\nexec "{sys.executable}"{arguments} "$@"\n', encoding="utf-8")
        shim.chmod(0o755)
    (folder / "models").mkdir()
    for name in ("net.onnx", "released.onnx"):
        shutil.copy(demo_model(), folder / "models" / name)
    (folder / "README.md").write_text("not a model\n")
    # Settings of folders above must not count.
    (folder / "aliasaudit.toml").write_text('fail-on = "error"\n')
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
    }


@cache
def generated() -> dict[str, str]:
    """The generated pages, made once: the page of commands asks every one of them for its help."""
    return pages()
