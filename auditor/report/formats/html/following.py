"""What to type next: at most two commands, each with a button that copies it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from auditor.facts.report import ModelReport
from auditor.report.formats.html.tree import Element, element
from auditor.report.words.next_steps import repairable
from auditor.text import plain


def next_step(model: ModelReport) -> Iterator[Element]:
    """The commands that follow on this report; nothing where there is nothing to do."""
    open_sites = sum(site.unprotected for site in model.analysis.sites)
    if not open_sites:
        return
    name = shlex.quote(plain(model.path))
    if model.verification is None:
        open_count = repairable(model)
        steps = [
            ("Does it matter on your pictures?", [f"aliasaudit verify --images DIR {name}"]),
            (f"{open_count[0].upper()}{open_count[1:]}", [f"aliasaudit fix --plan {name}"]),
        ]
    elif model.comparison is None:
        preset = _preset(model)
        commands = [
            f"aliasaudit fix --strategy auto --images DIR{preset} {name} -o fixed.onnx",
            f"aliasaudit compare --verify --images DIR{preset} {name} fixed.onnx",
        ]
        steps = [("Repair without retraining, then measure before and after on the same pictures:", commands)]
    else:
        return
    yield element("h3", "Next step")
    content = ((element("p", words), *map(_command, commands)) for words, commands in steps)
    yield element("div", *content, class_="card next")


def _preset(model: ModelReport) -> str:
    """The preset as it was named, so that the command measures in the same way."""
    found = model.verification
    if found is None or found.preset_assumed or "(--preset " not in found.preprocessing:
        return ""
    return f" --preset {plain(found.preprocessing.partition('(--preset ')[2]).rstrip(')').partition(',')[0]}"


def _command(line: str) -> Element:
    return element("div", element("code", f"$ {line}"), class_="command", data_copy=line)
