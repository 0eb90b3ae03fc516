"""The report of ``fix --recipe``: the edits of the training code, as text and as JSON. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.report.repair.outcome import document
from auditor.report.words.numbers import axes_text, json_number
from auditor.rewrite.recipe import BLUR_POOL, Edit, Library, Recipe, SiteRecipe
from auditor.text import count_text, exact, plain

ADVICE = (
    "a blur works best when the network is trained with it: make these edits, load the old weights (no edit changes "
    "their shapes), fine-tune, and export again. Keep bias and batch normalisation as the code has them, since an "
    "exporter may have folded them together; a blur behind a convolution stands behind its normalisation, too"
)
_IMPORTS = {Library.TIMM: "with timm: ", Library.KORNIA: "with kornia: "}


def recipe_text(name: str, found: Recipe) -> str:
    """The recipe as lines, each beginning with words of the tool."""
    lines = [f"model {plain(name)}", f"  {count_text(len(found.sites), 'sampling site')}"]
    for entry in found.sites:
        lines += _site(entry)
    if any(entry.edit is not None and entry.edit.blurs for entry in found.sites):
        lines += ["", "BlurPool for plain PyTorch:", ""]
        lines += [f"    {line}".rstrip() for line in BLUR_POOL.splitlines()]
    if any(entry.edit is not None for entry in found.sites):
        lines += ["", f"note: {ADVICE}"]
    return "\n".join(lines) + "\n"


def recipe_json(name: str, found: Recipe) -> str:
    """The recipe as a JSON document. Code is ready to run; ``x`` is the map and goes through ``forward``."""
    sites = [_json(entry) for entry in found.sites]
    return document({"model": name, "recipe": {"blur_pool": BLUR_POOL, "sites": sites}, "notice": ADVICE})


def _site(entry: SiteRecipe) -> Iterator[str]:
    node = entry.site.node
    yield f"  site {plain(node.name)} ({plain(node.op)}, factor {axes_text(entry.site.factor)})"
    if node.origin is not None:
        yield f"    module: {plain(node.origin.module) or '-'}, {plain(node.origin.source) or 'no source line'}"
    if entry.edit is None:
        yield f"    no edit: {entry.reason}"
        return
    yield from (f"    {line}" for line in _code(entry.edit))


def _code(edit: Edit) -> Iterator[str]:
    if edit.operator:
        yield edit.operator
    yield from (blur.code for blur in edit.blurs if blur.library is Library.TORCH)
    yield edit.forward
    yield from (f"# {note}" for note in edit.notes)
    for blur in edit.blurs:
        if blur.library is not Library.TORCH:
            yield f"# {_IMPORTS[blur.library]}{blur.code}{f' ({blur.note})' if blur.note else ''}"


def _json(entry: SiteRecipe) -> dict[str, object]:
    node, edit = entry.site.node, entry.edit
    return {
        "node": exact(node.name),
        "op": exact(node.op),
        "module": None if node.origin is None else exact(node.origin.module),
        "source": None if node.origin is None else exact(node.origin.source),
        "factor": [json_number(step) for step in entry.site.factor],
        "reason": entry.reason or None,
        "edit": None
        if edit is None
        else {
            "operator": edit.operator or None,
            "blur": {blur.library.value: {"code": blur.code, "note": blur.note or None} for blur in edit.blurs},
            "forward": edit.forward,
            "notes": list(edit.notes),
        },
    }
