"""Plans and carries out rewrites: which strategy applies where, and the order in which several sites are edited."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import TypeAlias

from auditor._version import __version__
from auditor.choices import suggestion
from auditor.onnxfile.graph import Model
from auditor.rewrite.calibration.calibrate import Pictures, calibrate
from auditor.rewrite.graph.cost import Cost, largest, total
from auditor.rewrite.graph.marks import OWN, common_refusal, has_phases
from auditor.rewrite.graph.save import Admit, anything, save
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.phases.merges import merges_behind
from auditor.rewrite.phases.region import merge_node
from auditor.rewrite.result import (
    Calibrated,
    Merge,
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
    Step,
    Strategy,
    WindowStart,
)
from auditor.rewrite.strategy import AtInput, AtSites
from auditor.rewrite.table import declared, ranked
from auditor.sampling.result import Analysis, Site
from auditor.text import ModelText, count_text, plain
from auditor.unfinished import spare_folder

FEEDING = "feeding"
"""What a strategy records of the pictures that its model takes, where these are others than before."""

_Way: TypeAlias = tuple[Strategy, Callable[[], str | None], Callable[[], Cost]]
"""A strategy with its refusal and its cost, which are worked out when they are asked for."""


_NEAREST = 8  # layers behind a site: a plan looks at the start of a window and no further


def plan(model: Model, analysis: Analysis, options: Options | None = None) -> Plan:
    """What every strategy would do at every site, each on its own. Reads no weights and changes nothing."""
    options = options or Options()
    editor = GraphEditor(model, analysis)
    offer = _Offering(editor)
    table = [(strategy, declared(strategy)) for strategy in ranked() if declared(strategy).planned]

    def ways_at(site: Site) -> Iterator[_Way]:
        for strategy, declaration in table:
            if isinstance(declaration, AtSites):
                refusal, cost = declaration.applied.refusal, declaration.applied.cost
                yield strategy, partial(refusal, editor, site, options), partial(cost, editor, site, options)

    def ways_at_input() -> Iterator[_Way]:
        for strategy, declaration in table:
            if isinstance(declaration, AtInput):
                refusal, cost = declaration.applied.refusal, declaration.applied.cost
                yield strategy, partial(refusal, editor, options), partial(cost, editor, options)

    ends = {id(window.site): window.merges for window in _windows(editor, offer, options)}
    sites = tuple(SitePlan(site, *_weighed(offer, ways_at(site)), ends[id(site)]) for site in analysis.sites)
    return Plan(sites, *_weighed(offer, ways_at_input()), ends[id(None)])


def windows(model: Model, analysis: Analysis, options: Options | None = None) -> Iterator[WindowStart]:
    """Where windows of averaging may begin and end: at the input, and at each site in graph order."""
    editor = GraphEditor(model, analysis)
    return _windows(editor, _Offering(editor), options or Options())


def _windows(editor: GraphEditor, offer: _Offering, options: Options) -> Iterator[WindowStart]:
    at_input, at_site = declared(Strategy.INPUT_AVERAGE), declared(Strategy.WINDOW_AVERAGE)
    assert isinstance(at_input, AtInput)
    assert isinstance(at_site, AtSites)

    def merges(
        strategy: Strategy, starts: Sequence[str], offered: Callable[[str], Cost | None], nearest: int | None = None
    ) -> tuple[Merge, ...]:
        found = merges_behind(editor, starts, offered, nearest)
        return tuple(Merge(ModelText(name), offer(strategy, cost).flops) for name, cost in found)

    def behind_input(merge: str) -> Cost | None:
        wanted = replace(options, merges=(merge,))
        return None if at_input.applied.refusal(editor, wanted) else at_input.applied.cost(editor, wanted)

    def behind(site: Site, merge: str) -> Cost | None:
        wanted = replace(options, merges=(merge,))
        return None if at_site.applied.refusal(editor, site, wanted) else at_site.applied.cost(editor, site, wanted)

    pictures = list({source.input.raw for source in editor.analysis.sources})
    yield WindowStart(None, merges(Strategy.INPUT_AVERAGE, pictures, behind_input))
    for site in editor.analysis.sites:
        part = editor.part(site)
        starts = [] if part is None or common_refusal(editor, site, blurred=True) else [part.outputs[0]]
        yield WindowStart(site, merges(Strategy.WINDOW_AVERAGE, starts, partial(behind, site), _NEAREST))


def rewrite(
    model: Model,
    analysis: Analysis,
    step: Step,
    target: Path | None = None,
    *,
    pictures: Pictures | None = None,
    in_place: bool = False,
    admit: Admit = anything,
) -> Rewritten:
    """Do one step and write the model to ``target`` (None: a dry run).

    Nothing is written when no site could be rewritten, or where ``admit`` does not take the finished file. Every site
    that a calibrated step blurs is fitted on ``pictures``; without them it is left as the blur makes it.

    Raises:
        RewriteError: a name is no site, or the result cannot be written.
        ModelFileError: the source has changed since it was read.
    """
    pictures = pictures if step.calibrated else None
    declaration = declared(step.strategy)
    options = replace(step.options, mix=pictures is not None and declaration.calibrates)
    editor = GraphEditor(model, analysis)
    offer = _Offering(editor)
    shapes = {site.node.order: _result(editor, site) for site in analysis.sites}
    if isinstance(declaration, AtInput):
        edits = _at_input(editor, step, options, declaration)
    else:
        edits = _at_sites(editor, step, options, declaration)
    provenance = {**_provenance(step.strategy, options, edits.sites), **editor.recorded}
    calibrated: list[Calibrated] = []
    curve: RefitCurve | None = None
    if pictures is not None and editor.joints:
        calibrated, curve = _calibrated(editor, pictures, provenance, options.refit)
    # A correction that the next convolution took into its weights is not computed.
    folded = [shapes[one.site.node.order] for one in calibrated if one.folded]
    spared = sum(shape[1] * prod(shape) for shape in folded)
    made = offer(step.strategy, _sum(edits.costs, spared)) if edits.costs else Offer(step.strategy, None, None)
    backup = None
    if target is not None and edits.costs:
        backup = save(editor, target, provenance, in_place=in_place, admit=admit)
    return Rewritten(
        path=target if edits.costs else None,
        strategy=step.strategy,
        sites=tuple(sorted(edits.sites, key=lambda site: site.node.order)),
        changes=editor.changes(),
        skipped=tuple(edits.skipped),
        flops=made.flops,
        memory=made.memory,
        calibrated=tuple(calibrated),
        curve=curve,
        how=made.note,
        backup=backup,
        feeding=str(editor.recorded.get(FEEDING, "")),
    )


@dataclass(frozen=True, slots=True)
class _Edits:
    """What was done to the graph: the sites in the order of the edits, those left alone, and what each edit adds."""

    sites: list[Site] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)


class _Offering:
    """Says what a rewrite costs, as ratios of the network as it is now."""

    def __init__(self, editor: GraphEditor) -> None:
        self._whole = total(editor, editor.parts())
        self._elements = largest(editor, editor.parts())

    def __call__(self, strategy: Strategy, cost: Cost) -> Offer:
        flops = None if cost.added is None or not self._whole else 1 + cost.added / self._whole
        memory = max(cost.elements / self._elements, 1.0) if self._elements else None
        return Offer(strategy, flops, memory, cost.note)


def _weighed(offer: _Offering, ways: Iterable[_Way]) -> tuple[tuple[Offer, ...], tuple[Refusal, ...]]:
    """What applies, each with its cost, and what does not, each with its reason."""
    offers, refusals = [], []
    for strategy, refusal, cost in ways:
        reason = refusal()
        if reason is None:
            offers.append(offer(strategy, cost()))
        else:
            refusals.append(Refusal(strategy, reason))
    return tuple(offers), tuple(refusals)


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
        with spare_folder() as folder:
            found, curve = calibrate(editor, pictures, lambda path: save(editor, path, provenance), folder, further)
    except OSError as error:
        raise RewriteError(f"calibration needs room for a copy of the model: {error.strerror or error}") from error
    provenance["calibrated"] = [
        {"site": one.site.node.name.raw, "error": [round(one.before, 4), round(one.after, 4)], "pictures": one.pictures}
        for one in found
    ]
    if curve is not None:
        provenance["refitted"] = [one.node.raw for one in curve.refits if one.kept]
    return found, curve


def _at_sites(editor: GraphEditor, step: Step, options: Options, declaration: AtSites) -> _Edits:
    """From the last site to the first: what a site puts behind itself then belongs to the tail of those before it."""
    applied, edits = declaration.applied, _Edits()
    sites = chosen(editor.analysis, step.sites)
    merges = _merges(editor, step)
    last_only = declaration.last_only and not step.sites
    if last_only and any(map(has_phases, editor.parts())):
        edits.skipped.append(Skipped(None, Refusal(step.strategy, f"{OWN}: name the sites to average further ones")))
        return edits
    for site in reversed(sites):
        if any(site is other for other in edits.sites):
            continue
        own = replace(options, merges=merges.get(site.node.name.raw, options.merges))
        reason = applied.refusal(editor, site, own)
        if reason is not None:
            edits.skipped.insert(0, Skipped(site, Refusal(step.strategy, reason)))
            continue
        edits.costs.append(applied.cost(editor, site, own))
        edits.sites.extend(applied.rewrite(editor, site, own))
        if last_only:
            break
    return edits


def _merges(editor: GraphEditor, step: Step) -> dict[str, tuple[str]]:
    """The merge of every site that is named, as they go in pairs. Raises RewriteError."""
    merges, sites = step.options.merges, step.sites
    if not merges:
        return {}
    if "merges" not in declared(step.strategy).reads:
        raise RewriteError(f"{step.strategy.value} averages nothing up to a node: leave --merge out")
    for name in merges:
        merge_node(editor, name)
    if len(merges) != max(len(sites), 1):
        raise RewriteError(
            f"--site was given {count_text(len(sites), 'time')} and --merge {count_text(len(merges), 'time')}: they go "
            "in pairs, the first with the first"
        )
    return {site: (merge,) for site, merge in zip(sites, merges, strict=False)}


def _at_input(editor: GraphEditor, step: Step, options: Options, declaration: AtInput) -> _Edits:
    if step.sites:
        raise RewriteError(f"{step.strategy.value} works on the whole model: leave --site out")
    _merges(editor, step)
    applied, edits = declaration.applied, _Edits()
    reason = applied.refusal(editor, options)
    if reason is not None:
        edits.skipped.append(Skipped(None, Refusal(step.strategy, reason)))
        return edits
    edits.costs.append(applied.cost(editor, options))
    applied.rewrite(editor, options)
    return edits


def chosen(analysis: Analysis, names: Collection[str]) -> list[Site]:
    """The sites of these names, or all of them without any. Raises RewriteError for a name that is no site."""
    if not names:
        return list(analysis.sites)
    known = {site.node.name.raw for site in analysis.sites}
    for name in names:
        if name not in known:
            hint = suggestion(name, sorted(map(plain, known)))
            raise RewriteError(f'no sampling site is called "{name}"{hint}; --plan lists them')
    return [site for site in analysis.sites if site.node.name.raw in names]


def _sum(costs: Sequence[Cost], spared: int) -> Cost:
    """All costs together, less the multiply-adds that are ``spared``."""
    known = [cost.added for cost in costs if cost.added is not None]
    note = next((cost.note for cost in costs if cost.note), "")
    return Cost(sum(known) - spared if len(known) == len(costs) else None, max(cost.elements for cost in costs), note)


def _provenance(strategy: Strategy, options: Options, sites: Sequence[Site]) -> dict[str, object]:
    return {
        "tool": f"aliasaudit {__version__}",
        "strategy": strategy.value,
        **options.described(),
        "sites": [site.node.name.raw for site in sites],
    }
