"""The reports of ``fix``: what could be done, and what was done, as text and as JSON. Pure functions.

They say plainly what a rewrite does to the function of a network: a valid file is not yet a better model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor._version import __version__
from auditor.codec import text
from auditor.repair.result import Repaired
from auditor.report.repair.gains import NOT_RISEN, gain_json
from auditor.report.repair.trials import lock_refusal, trials_json
from auditor.report.words.numbers import axes_text, json_number, percent_text
from auditor.rewrite.result import (
    Calibrated,
    Change,
    ChangeKind,
    Merge,
    Offer,
    Options,
    Plan,
    RefitCurve,
    Refusal,
    Rewritten,
    Skipped,
)
from auditor.rewrite.table import declared
from auditor.sampling.result import Analysis, Site
from auditor.text import count_text, exact, plain

SCHEMA = "aliasaudit-fix/1"
_MOST_MERGES = 4

HELD_BACK = (
    "nothing was written: every rewrite changes what the network computes. Choose one with --strategy, or give "
    "--unsafe-fixes for the least harmful one"
)


@dataclass(frozen=True, slots=True)
class RepairOutcome:
    """What ``fix`` did to the model called ``name``, by one rewrite. ``after`` is the analysis of what was written, if
    anything was.
    """

    name: str
    repaired: Repaired
    options: Options
    before: Analysis
    after: Analysis | None
    dry: bool

    @property
    def done(self) -> Rewritten:
        """The one rewrite."""
        (done,) = self.repaired.rewrites
        return done


def plan_text(name: str, plan: Plan, held_back: bool) -> str:
    """The plan as lines, each beginning with words of the tool."""
    lines = [f"model {plain(name)}", f"  {count_text(len(plan.sites), 'sampling site')}"]
    for entry in plan.sites:
        lines.append(f"  site {_site(entry.site)}")
        lines += [f"    {line}" for line in _ways(entry.offers, entry.refusals)]
        lines += [f"    window-average: {line}" for line in _merges(entry.merges)]
    lines.append("  input")
    lines += [f"    {line}" for line in _ways(plan.input, plan.input_refusals)]
    lines += [f"    input-average for a while: {line}" for line in _merges(plan.input_merges)]
    if held_back:
        lines += ["", HELD_BACK]
    return "\n".join(lines) + "\n"


def outcome_text(outcome: RepairOutcome, diff: bool, further: Iterable[str] = ()) -> str:
    """What was done, as lines, each beginning with words of the tool; ``further`` ones stand behind."""
    done = outcome.done
    lines = [
        f"model {plain(outcome.name)}",
        f"  strategy {done.strategy.value}{outcome.options.words(declared(done.strategy).reads)}",
    ]
    lines += [f"  rewrote {_site(site)}" for site in done.sites]
    lines += [f"  left {_place(skip)}: {skip.refusal.reason}" for skip in done.skipped]
    if done.changes:
        how = f", {done.how}" if done.how else ""
        lines.append(f"  cost {_cost(done.flops, done.memory)}{how}")
    lines += [f"  calibrated {plain(one.site.node.name)}: {_fitted(one)}" for one in done.calibrated]
    if done.curve is not None:
        lines += _refitted(done.curve)
    if outcome.after is not None and declared(done.strategy).protects:
        lines.append(f"  aliased sites: {_aliased(outcome.before)} before, {_aliased(outcome.after)} after")
    if diff:
        lines += [f"  {change_line(change)}" for change in done.changes]
    lines += further
    lines.append("")
    if not done.changes:
        lines.append("nothing was written: no site could be rewritten")
    elif outcome.dry:
        lines.append("nothing was written: this was a dry run")
    elif (refused := refusal_of(outcome.repaired)) is not None:
        lines.append(refused)
    lines += written_lines(outcome.repaired)
    if done.changes:
        lines += feeding_lines(outcome.repaired)
        lines.append(f"note: {notice(done)}")
    return "\n".join(lines) + "\n"


def feeding_lines(repaired: Repaired) -> list[str]:
    """What pictures the new model takes, where these are others than the old one's."""
    return [f"input: {done.feeding}" for done in repaired.rewrites if done.feeding]


def refusal_of(repaired: Repaired) -> str | None:
    """Why a finished rewrite was not kept, in one line."""
    return lock_refusal(repaired.trials) or (NOT_RISEN if repaired.kept_back else None)


def notice(done: Rewritten) -> str:
    """What the user of a rewritten model has to know."""
    declaration = declared(done.strategy)
    return declaration.calibrated_notice if done.calibrated else declaration.notice


def remark(done: Rewritten) -> str:
    """What was done and what that means, in our own words, for the report of a comparison of the two models."""
    where = f"at {count_text(len(done.sites), 'site')}" if done.sites else "at the input"
    left = f", {count_text(len(done.skipped), 'site')} left as before" if done.skipped else ""
    cost = "" if done.flops is None else f", x{done.flops:.3g} multiply-adds (predicted)"
    fed = f"; {done.feeding}" if done.feeding else ""
    return f"rewritten with {done.strategy.value} {where}{left}{cost}{fed}; {notice(done)}"


def written_lines(repaired: Repaired) -> Iterator[str]:
    """The file that was written, and what the one is called that it replaced."""
    if repaired.path is None:
        return
    yield f"wrote {plain(repaired.path.as_posix())}"
    if repaired.inlined:
        yield f"inlined: {count_text(repaired.inlined, 'local function')}"
    if repaired.backup is not None:
        yield f"backup: {plain(repaired.backup.as_posix())}"


def plan_json(name: str, plan: Plan, held_back: bool) -> str:
    """The plan as a JSON document."""
    sites = [
        {
            **_site_json(entry.site),
            **_ways_json(entry.offers, entry.refusals),
            "merges": _merges_json(entry.merges),
        }
        for entry in plan.sites
    ]
    at_input = {**_ways_json(plan.input, plan.input_refusals), "merges": _merges_json(plan.input_merges)}
    return document(
        {
            "model": name,
            "plan": {"sites": sites, "input": at_input},
            "held_back": held_back,
        }
    )


def outcome_json(outcome: RepairOutcome, further: Mapping[str, Any]) -> str:
    """What was done, with every change, as a JSON document; with ``further`` members."""
    repaired, options = outcome.repaired, outcome.options
    return document(
        {
            **rewrite_json(outcome.done),
            **further,
            "model": outcome.name,
            "options": options.described(),
            "written": posix(repaired.path),
            "backup": posix(repaired.backup),
            "aliased_sites": {
                "before": _aliased(outcome.before),
                "after": None if outcome.after is None else _aliased(outcome.after),
            },
            "gain": None if repaired.gain is None else gain_json(repaired.gain),
            "tests": trials_json(repaired.trials),
            "refused": refusal_of(repaired),
        }
    )


def rewrite_json(done: Rewritten) -> dict[str, Any]:
    """One rewrite with every change, as JSON values."""
    return {
        "strategy": done.strategy.value,
        "sites": [_site_json(site) for site in done.sites],
        "skipped": [
            {"site": None if skip.site is None else _site_json(skip.site), "reason": skip.refusal.reason}
            for skip in done.skipped
        ],
        "multiply_adds_ratio": json_number(done.flops),
        "largest_tensor_ratio": json_number(done.memory),
        "changes": [change_json(change) for change in done.changes],
        "calibrated": [
            {
                "site": exact(one.site.node.name),
                "error_before": json_number(one.before),
                "error_after": json_number(one.after),
                "pictures": one.pictures,
                "folded": one.folded,
            }
            for one in done.calibrated
        ],
        "refitted": None if done.curve is None else _curve_json(done.curve),
        "feeding": done.feeding or None,
        "notice": notice(done),
    }


def change_json(change: Change) -> dict[str, Any]:
    """One line of the node-level difference, as JSON values."""
    return {"kind": change.kind.value, "node": exact(change.node), "op": exact(change.op), "detail": change.detail}


def posix(path: Path | None) -> str | None:
    """A path as it stands in a JSON document."""
    return None if path is None else path.as_posix()


def _curve_json(curve: RefitCurve) -> dict[str, Any]:
    steps = [
        {
            "node": exact(one.node),
            "error_before": json_number(one.before),
            "error_after": json_number(one.after),
            "outputs_error": json_number(one.outputs),
            "kept": one.kept,
        }
        for one in curve.refits
    ]
    return {"outputs_error": json_number(curve.start), "steps": steps}


def document(content: dict[str, Any]) -> str:
    """The JSON document of ``fix`` with this content."""
    return text({"schema": SCHEMA, "version": __version__, **content})


def _site(site: Site) -> str:
    total = axes_text(site.cumulative)
    return f"{plain(site.node.name)} ({plain(site.node.op)}, factor {axes_text(site.factor)}, total {total})"


def _place(skip: Skipped) -> str:
    return "the model" if skip.site is None else _site(skip.site)


def _ways(offers: Iterable[Offer], refusals: Iterable[Refusal]) -> Iterator[str]:
    for offer in offers:
        how = f", {offer.note}" if offer.note else ""
        yield f"{offer.strategy.value}: {_cost(offer.flops, offer.memory)}{how}"
    for refusal in refusals:
        yield f"{refusal.strategy.value} does not apply: {refusal.reason}"


def _merges(merges: Sequence[Merge]) -> Iterator[str]:
    """The nearest place where a window may end, the farthest, and some in between."""
    if len(merges) > _MOST_MERGES:
        merges = [merges[round(step * (len(merges) - 1) / (_MOST_MERGES - 1))] for step in range(_MOST_MERGES)]
    if merges:
        places = ", ".join(f"{plain(merge.node)} {_ratio(merge.flops)}" for merge in merges)
        yield f"--merge at {places} multiply-adds (predicted)"


def _merges_json(merges: Iterable[Merge]) -> list[dict[str, Any]]:
    return [{"node": exact(merge.node), "multiply_adds_ratio": json_number(merge.flops)} for merge in merges]


def _cost(flops: float | None, memory: float | None) -> str:
    return f"{_ratio(flops)} multiply-adds, {_ratio(memory)} memory of the largest tensor (predicted)"


def _ratio(value: float | None) -> str:
    return "unknown" if value is None else f"x{value:.3g}"


def _fitted(one: Calibrated) -> str:
    return (
        f"{percent_text(one.before)} of the original's variance missed before, {percent_text(one.after)} after"
        f" ({count_text(one.pictures, 'picture')}, a quarter of them held out)"
        f"{'; by the weights of the next convolution' if one.folded else ''}"
    )


def _refitted(curve: RefitCurve) -> Iterator[str]:
    """The distance of the outputs after each further convolution that was fitted."""
    yield f"  outputs: {percent_text(curve.start)} of the original's variance missed with the sites alone calibrated"
    for one in curve.refits:
        left = "" if one.kept else "; taken back, since nothing behind it brought the outputs nearer"
        yield f"  refitted {plain(one.node)}: outputs {percent_text(one.outputs)}{left}"


def _aliased(analysis: Analysis) -> int:
    return sum(site.unprotected for site in analysis.sites)


_SIGNS = {ChangeKind.ADDED: "+", ChangeKind.EDITED: "~", ChangeKind.REMOVED: "-"}


def change_line(change: Change) -> str:
    """One line of the node-level difference."""
    return f"{_SIGNS[change.kind]} {plain(change.node)} ({plain(change.op)}): {change.detail}"


def _site_json(site: Site) -> dict[str, Any]:
    return {
        "node": exact(site.node.name),
        "op": exact(site.node.op),
        "kind": site.kind.value,
        "factor": [json_number(step) for step in site.factor],
        "cumulative": [json_number(step) for step in site.cumulative],
        "antialiased": site.antialiased,
    }


def _ways_json(offers: Iterable[Offer], refusals: Iterable[Refusal]) -> dict[str, Any]:
    return {
        "offers": [
            {
                "strategy": offer.strategy.value,
                "multiply_adds_ratio": json_number(offer.flops),
                "largest_tensor_ratio": json_number(offer.memory),
                "note": offer.note,
            }
            for offer in offers
        ],
        "refusals": [{"strategy": refusal.strategy.value, "reason": refusal.reason} for refusal in refusals],
    }
