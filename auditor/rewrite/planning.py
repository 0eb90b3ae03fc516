"""Plans and carries out rewrites: which strategy applies where, and the order in which several sites are edited."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

from auditor._version import __version__
from auditor.onnxfile.graph import Model
from auditor.rewrite.calibration.calibrate import Pictures, calibrate
from auditor.rewrite.graph.cost import Cost, largest, total
from auditor.rewrite.graph.marks import OWN, has_phases
from auditor.rewrite.graph.save import Admit, anything, save
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.result import (
    Calibrated,
    Offer,
    Options,
    Plan,
    Refit,
    RefitCurve,
    Refusal,
    RewriteError,
    Rewritten,
    SitePlan,
    Skipped,
    Strategy,
)
from auditor.rewrite.strategies.blur import Blur
from auditor.rewrite.strategies.crop_select import CropSelect
from auditor.rewrite.strategies.input_average import InputAverage
from auditor.rewrite.strategies.phase_average import PhaseAverage
from auditor.rewrite.strategies.phase_select import PhaseSelect
from auditor.rewrite.strategies.strategy import Applied, AppliedToInput
from auditor.sampling.result import Analysis, Site

AT_SITES: Mapping[Strategy, Applied] = {
    Strategy.BLUR: Blur(),
    Strategy.PHASE_AVERAGE: PhaseAverage(),
    Strategy.PHASE_SELECT: PhaseSelect(),
}
"""The strategies that work at sampling sites."""

AT_INPUT: Mapping[Strategy, AppliedToInput] = {
    Strategy.INPUT_AVERAGE: InputAverage(),
    Strategy.CROP_SELECT: CropSelect(),
}
"""The strategies that work on the whole model."""

LAST_ONLY = frozenset({Strategy.PHASE_AVERAGE})
"""Strategies that take the last site alone unless sites are named: measured, each further site costs more than it
gains."""


def plan(model: Model, analysis: Analysis, options: Options | None = None) -> Plan:
    """What every strategy would do at every site, each on its own. Reads no weights and changes nothing."""
    options = options or Options()
    editor = GraphEditor(model, analysis)
    whole = total(editor, editor.parts())
    elements = largest(editor, editor.parts())
    sites = []
    for site in analysis.sites:
        offers, refusals = [], []
        for strategy, applied in AT_SITES.items():
            reason = applied.refusal(editor, site, options)
            if reason is not None:
                refusals.append(Refusal(strategy, reason))
            else:
                offers.append(_offer(strategy, applied.cost(editor, site, options), whole, elements))
        sites.append(SitePlan(site, tuple(offers), tuple(refusals)))
    offers, refusals = [], []
    for strategy, whole_model in AT_INPUT.items():
        reason = whole_model.refusal(editor, options)
        if reason is not None:
            refusals.append(Refusal(strategy, reason))
        else:
            offers.append(_offer(strategy, whole_model.cost(editor, options), whole, elements))
    return Plan(tuple(sites), tuple(offers), tuple(refusals))


def rewrite(
    model: Model,
    analysis: Analysis,
    target: Path | None,
    strategy: Strategy,
    options: Options | None = None,
    names: Collection[str] = (),
    *,
    in_place: bool = False,
    pictures: Pictures | None = None,
    admit: Admit = anything,
) -> Rewritten:
    """Apply one strategy and write the model to ``target`` (None: a dry run).

    ``names`` are the sites to rewrite, by the names of their nodes; without any, the strategy chooses. Nothing is
    written when no site could be rewritten, or where ``admit`` does not take the finished file. With ``pictures``
    every blurred site is calibrated on them.

    Raises:
        RewriteError: a name is no site, or the result cannot be written.
        ModelFileError: the source has changed since it was read.
    """
    options = replace(options or Options(), mix=pictures is not None and strategy is Strategy.BLUR)
    editor = GraphEditor(model, analysis)
    whole = total(editor, editor.parts())
    elements = largest(editor, editor.parts())
    shapes = {site.node.order: _result(editor, site) for site in analysis.sites}
    done: list[Site] = []
    skipped: list[Skipped] = []
    costs: list[Cost] = []
    if strategy in AT_INPUT:
        _at_input(editor, strategy, options, names, skipped, costs)
    else:
        _at_sites(editor, strategy, options, chosen(analysis, names), bool(names), done, skipped, costs)
    backup = None
    provenance = _provenance(strategy, options, done)
    calibrated: list[Calibrated] = []
    curve: RefitCurve | None = None
    if pictures is not None and editor.joints:
        calibrated, curve = _calibrated(editor, pictures, provenance, options.refit)
    # A correction that the next convolution took into its weights is not computed.
    folded = [shapes[one.site.node.order] for one in calibrated if one.folded]
    cost = _sum(costs, spared=sum(shape[1] * prod(shape) for shape in folded)) if costs else None
    offer = Offer(strategy, None, None) if cost is None else _offer(strategy, cost, whole, elements)
    if target is not None and costs:
        backup = save(editor, target, provenance, in_place=in_place, admit=admit)
    done.sort(key=lambda site: site.node.order)
    return Rewritten(
        path=target if costs else None,
        strategy=strategy,
        sites=tuple(done),
        changes=editor.changes(),
        skipped=tuple(skipped),
        flops=offer.flops,
        memory=offer.memory,
        calibrated=tuple(calibrated),
        curve=curve,
        how=offer.note,
        backup=backup,
    )


def _result(editor: GraphEditor, site: Site) -> tuple[int, ...]:
    """The shape of what a site writes; of no elements where it is not known."""
    part = editor.part(site)
    shape = None if part is None else editor.shape(part.outputs[0])
    return shape if shape is not None and len(shape) > 1 else (0, 0)


def _calibrated(
    editor: GraphEditor, pictures: Pictures, provenance: dict[str, object], further: Refit
) -> tuple[list[Calibrated], RefitCurve | None]:
    """Fits the blurred sites; the model as it stands lies in a temporary folder meanwhile."""
    try:
        with TemporaryDirectory(prefix="aliasaudit-") as folder:
            found, curve = calibrate(
                editor, pictures, lambda path: save(editor, path, provenance), Path(folder), further
            )
    except OSError as error:
        raise RewriteError(f"calibration needs room for a copy of the model: {error.strerror or error}") from error
    provenance["calibrated"] = [
        {"site": one.site.node.name.raw, "error": [round(one.before, 4), round(one.after, 4)], "pictures": one.pictures}
        for one in found
    ]
    if curve is not None:
        provenance["refitted"] = [one.node.raw for one in curve.refits if one.kept]
    return found, curve


def _at_sites(
    editor: GraphEditor,
    strategy: Strategy,
    options: Options,
    sites: Sequence[Site],
    named: bool,
    done: list[Site],
    skipped: list[Skipped],
    costs: list[Cost],
) -> None:
    """From the last site to the first: what a site puts behind itself then belongs to the tail of those before it."""
    applied = AT_SITES[strategy]
    last_only = strategy in LAST_ONLY and not named
    if last_only and any(map(has_phases, editor.parts())):
        skipped.append(Skipped(None, Refusal(strategy, f"{OWN}: name the sites to average further ones")))
        return
    for site in reversed(sites):
        if any(site is other for other in done):
            continue
        reason = applied.refusal(editor, site, options)
        if reason is not None:
            skipped.insert(0, Skipped(site, Refusal(strategy, reason)))
            continue
        costs.append(applied.cost(editor, site, options))
        done.extend(applied.rewrite(editor, site, options))
        if last_only:
            break


def _at_input(
    editor: GraphEditor,
    strategy: Strategy,
    options: Options,
    names: Collection[str],
    skipped: list[Skipped],
    costs: list[Cost],
) -> None:
    if names:
        raise RewriteError(f"{strategy.value} works on the whole model: leave --site out")
    applied = AT_INPUT[strategy]
    reason = applied.refusal(editor, options)
    if reason is not None:
        skipped.append(Skipped(None, Refusal(strategy, reason)))
        return
    costs.append(applied.cost(editor, options))
    applied.rewrite(editor, options)


def chosen(analysis: Analysis, names: Collection[str]) -> list[Site]:
    """The sites of these names, or all of them without any. Raises RewriteError for a name that is no site."""
    if not names:
        return list(analysis.sites)
    known = {site.node.name.raw for site in analysis.sites}
    for name in names:
        if name not in known:
            raise RewriteError(f'no sampling site is called "{name}"; --plan lists them')
    return [site for site in analysis.sites if site.node.name.raw in names]


def _sum(costs: Sequence[Cost], spared: int = 0) -> Cost:
    """All costs together, less the multiply-adds that are ``spared``."""
    known = [cost.added for cost in costs if cost.added is not None]
    note = next((cost.note for cost in costs if cost.note), "")
    return Cost(sum(known) - spared if len(known) == len(costs) else None, max(cost.elements for cost in costs), note)


def _offer(strategy: Strategy, cost: Cost, whole: int | None, elements: int) -> Offer:
    flops = None if cost.added is None or not whole else 1 + cost.added / whole
    return Offer(strategy, flops, max(cost.elements / elements, 1.0) if elements else None, cost.note)


def _provenance(strategy: Strategy, options: Options, sites: Sequence[Site]) -> dict[str, object]:
    return {
        "tool": f"aliasaudit {__version__}",
        "strategy": strategy.value,
        "kernel": options.kernel.value,
        "where": options.where.value,
        "padding": options.padding.value,
        "lambda": options.blend,
        "phases": options.phases.value,
        "lowering": options.lowering.value,
        "margin": options.margin,
        "sites": [site.node.name.raw for site in sites],
    }
