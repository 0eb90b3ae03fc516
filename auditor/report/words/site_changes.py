"""The sampling sites of a model beside those of its base: what changed at each, in cells of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from auditor.facts.comparison import Comparison, KeptSite
from auditor.onnxfile.noderef import NodeRef
from auditor.report.words.numbers import axes_text, factor_text, percent_text, shape_text
from auditor.report.words.place import node_name, node_op
from auditor.sampling.result import Site
from auditor.text import count_text


@dataclass(frozen=True, slots=True)
class SiteChange:
    """A site that is new, gone or not what it was. ``was`` is its node in the base, None where it is in one model only.

    ``form`` is the operator where both have the same. ``better`` is whether the change is for the better; None where it
    is neither.
    """

    node: NodeRef
    was: NodeRef | None
    form: str
    base: str
    new: str
    word: str
    better: bool | None

    @property
    def name(self) -> str:
        """The name of the node, both where they differ."""
        name = node_name(self.node)
        return name if self.was is None or node_name(self.was) == name else f"{node_name(self.was)}, now {name}"


def site_changes(found: Comparison) -> list[SiteChange]:
    """The changed sites in the order of the new model, then those that are new, then those that are gone."""
    changes = [_changed(pair) for pair in found.changed_sites]
    changes += [
        SiteChange(site.node, None, "", "-", _alone(site), "new", False if site.unprotected else None)
        for site in found.new_sites
    ]
    changes += [
        SiteChange(site.node, None, "", _alone(site), "-", "gone", True if site.unprotected else None)
        for site in found.removed_sites
    ]
    return changes


def sites_summary(found: Comparison) -> Iterator[str]:
    """How many sites are as they were, and the grids of both: clauses."""
    same = found.kept_sites - len(found.changed_sites)
    if same:
        yield f"{count_text(same, 'site')} unchanged"
    before, after = factor_text(found.before), factor_text(found.after)
    if found.before is not None or found.after is not None:
        yield f"grid {after} px in both" if before == after else f"grid {before} px in the base, {after} px here"


def _changed(pair: KeptSite) -> SiteChange:
    before, after = pair.before, pair.after
    total = before.cumulative != after.cumulative
    same = _form(before, total) == _form(after, total)
    word = "worse" if pair.moved > 0 else "better" if pair.moved < 0 else "changed"
    return SiteChange(
        node=after.node,
        was=before.node,
        form=_form(after, total) if same else "",
        base=_cell(before) if same else f"{_form(before, total)}: {_cell(before)}",
        new=_cell(after) if same else f"{_form(after, total)}: {_cell(after)}",
        word=word,
        better=None if not pair.moved else pair.moved < 0,
    )


def _form(site: Site, total: bool) -> str:
    """``MaxPool 3x3/2``; the factor where the stride does not say it, and the ``total`` where that is asked for."""
    kernel = "/".join(filter(None, (shape_text(site.kernel), axes_text(map(Fraction, site.stride)))))
    words = [f"{node_op(site.node)} {kernel}".strip()]
    words += [f"factor {axes_text(site.factor)}"] * ([*map(Fraction, site.stride)] != [*site.factor])
    words += [f"total {axes_text(site.cumulative)}"] * total
    return ", ".join(words)


def _cell(site: Site) -> str:
    alias = site.alias
    share = None if alias is None else alias.flat if alias.expected is None else alias.expected
    flat = " flat" if alias is not None and alias.expected is None else ""
    return f"{percent_text(share)}{flat} {site.verdict.value}".strip()


def _alone(site: Site) -> str:
    return f"{_form(site, total=True)}: {_cell(site)}"
