"""What to type next: at most two commands, each with a button that copies it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from auditor.facts.report import ModelReport
from auditor.report.formats.html.tree import Element, element
from auditor.report.words.next_steps import steps_of
from auditor.text import plain


def next_step(model: ModelReport) -> Iterator[Element]:
    """The commands that follow on this report; nothing where there is nothing to do."""
    if model.comparison is not None or not any(site.unprotected for site in model.analysis.sites):
        return
    steps = steps_of(model, shlex.quote(plain(model.path)))
    yield element("h3", "Next step")
    content = (
        (element("p", f"{step.words[0].upper()}{step.words[1:]}"), *map(_command, step.commands)) for step in steps
    )
    yield element("div", *content, class_="card next")


def _command(line: str) -> Element:
    return element("div", element("code", f"$ {line}"), class_="command", data_copy=line)
