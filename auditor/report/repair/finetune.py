"""The report of ``finetune``: what was learnt, on the held-out pictures, as text and as JSON. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from auditor._version import __version__
from auditor.codec import text
from auditor.finetune.result import Finetuned
from auditor.report.words.numbers import json_number
from auditor.text import count_text, plain

SCHEMA = "aliasaudit-finetune/1"
NOTHING_HELPED = "no epoch was better than doing nothing, so nothing was written: try another --rate, or more pictures"
MEASURE = (
    "the loss says how close the answers came to the original's average over shifts, not how good they are: run "
    "`aliasaudit compare ORIGINAL TUNED --verify` on pictures that this did not learn from"
)


def tuning_text(name: str, original: str, done: Finetuned) -> str:
    """The report for people."""
    return "\n".join(_lines(name, original, done)) + "\n"


def _lines(name: str, original: str, done: Finetuned) -> Iterator[str]:
    yield f"model {plain(name)}"
    yield f"  learnt from {plain(original)}, without labels"
    unusable = f", {done.rejected} could not be used" if done.rejected else ""
    yield f"  {count_text(done.seen, 'view')} of pictures learnt from, {done.held_out} pictures held out{unusable}"
    yield f"  {count_text(done.trained, 'weight tensor')} trained on {done.device}, {done.frozen} left as they were"
    yield f"  held out: {done.measure}"
    for epoch, loss in enumerate(done.losses):
        when = "before" if epoch == 0 else f"epoch {epoch}"
        yield f"    {when:<9} {loss:.4g}{'  (kept)' if epoch == done.best and epoch else ''}"
    yield ""
    yield NOTHING_HELPED if done.path is None else f"wrote {plain(done.path.as_posix())}"
    if done.path is not None:
        yield f"note: {MEASURE}"


def tuning_json(name: str, original: str, done: Finetuned) -> str:
    """The report for programs."""
    document = {
        "schema": SCHEMA,
        "version": __version__,
        "model": name,
        "original": original,
        "written": None if done.path is None else done.path.as_posix(),
        "learnt_from": done.seen,
        "held_out": done.held_out,
        "rejected": done.rejected,
        "trained": done.trained,
        "frozen": done.frozen,
        "device": done.device,
        "measure": done.measure,
        "losses": [json_number(loss) for loss in done.losses],
        "epoch": done.best,
        "notice": None if done.path is None else MEASURE,
    }
    return text(document)
