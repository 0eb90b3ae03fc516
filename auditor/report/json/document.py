"""The report as JSON, for programs, and read back to be rendered again without running anything.

The document is what :mod:`auditor.codec` makes of a :class:`~auditor.facts.report.Report`: nothing in it depends on the
clock, the machine or the hash seed, so that two reports of the same models compare equal. Rendered again, every format
comes out as it would have in the first place, except that numbers have six decimals. The file may come from a run that
somebody else controlled, so it is checked while it is read, and its texts are trusted no more than a model's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from auditor.codec import DocumentError, convert, encode, parse
from auditor.facts.report import SCHEMA_VERSION, ModelReport, Report
from auditor.report import RenderOptions
from auditor.sampling.result import Analysis, Site
from auditor.text import plain
from auditor.verify.result import Verification


def render(report: Report, options: RenderOptions) -> str:  # noqa: ARG001 - every renderer has this signature
    """The report as one JSON document."""
    return encode(report)


def read_report(document: str | bytes, pages: Mapping[str, str] | None = None) -> Report:
    """The report in a JSON document. ``pages`` are the Markdown pages of rules by code, which the JSON leaves out.

    Raises:
        DocumentError: The document is not a JSON report of this program and version of the format.
    """
    found = parse(document)
    version = found.get("schema_version") if isinstance(found, dict) else None
    if not isinstance(version, str):
        raise DocumentError('the document has no "schema_version"')
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        words = f"schema_version is {plain(version, 20)}, and this program reads {SCHEMA_VERSION}"
        raise DocumentError(f"{words}: {_anew(found)}")
    try:
        report = convert(found, Report)
        for index, model in enumerate(report.models):
            for place, words in _contradictions(model):
                raise DocumentError(f"$.models[{index}].{place}: {words}")
    except DocumentError as error:
        raise DocumentError(f"{error}; {_anew(found)}") from error
    rules = tuple(replace(rule, page=(pages or {}).get(rule.code, "")) for rule in report.rules)
    return replace(report, rules=rules)


def _anew(found: dict[str, Any]) -> str:
    """What to type for a report of this version."""
    models = found.get("models")
    entries = models if isinstance(models, list) else []
    compared = any(isinstance(entry, dict) and entry.get("comparison") is not None for entry in entries)
    command = "compare BASE NEW" if compared else "check MODEL"
    return f"make a new one with `aliasaudit {command} --output-format json -o REPORT`"


def _contradictions(model: ModelReport) -> Iterator[tuple[str, str]]:
    """Where members contradict each other, and how: an index without an entry, lists of other lengths."""
    for index, given in enumerate(model.inputs):
        axes = range(len(given.sizes))
        if (given.dims is not None and len(given.dims) != len(axes)) or not set(given.assumed) <= set(axes):
            yield f"inputs[{index}]", "has sizes for other axes than dimensions"
    yield from _of_analysis(model.analysis)
    sites = range(len(model.analysis.sites))
    if model.alias is not None and not set(model.alias.sites) <= set(sites):
        yield "alias.sites", "has an index of no site"
    for index, layer in enumerate(() if model.verification is None else model.verification.layers):
        if layer.site is not None and layer.site not in sites:
            yield f"verification.layers[{index}].site", "is the index of no site"
    if model.verification is not None:
        yield from _of_examples(model.verification)
    if model.comparison is not None:
        compared = model.comparison
        changed = tuple(site for pair in compared.changed_sites for site in (pair.before, pair.after))
        for name, places in (
            ("new_sites", compared.new_sites),
            ("removed_sites", compared.removed_sites),
            ("changed_sites", changed),
        ):
            if not all(map(_agrees, places)):
                yield f"comparison.{name}", "has a site with lists of other lengths"


def _of_examples(found: Verification) -> Iterator[tuple[str, str]]:
    for number, output in enumerate(found.outputs):
        for index, image in enumerate(output.images):
            place = f"verification.outputs[{number}].images[{index}]"
            if image.moving_box is not None and not image.moving_box.seen:
                yield f"{place}.moving_box.seen", "is empty"
            joints = image.moving_joints
            if joints is not None:
                if not joints.seen or not joints.joints:
                    yield f"{place}.moving_joints", "is empty"
                lists = (joints.farthest, *(seen.points for seen in joints.seen))
                if any(len(values) != len(joints.joints) for values in lists):
                    yield f"{place}.moving_joints", "has lists of other lengths"


def _of_analysis(analysis: Analysis) -> Iterator[tuple[str, str]]:
    axes = set(range(len(analysis.sources)))
    for index, site in enumerate(analysis.sites):
        if not _agrees(site):
            yield f"analysis.sites[{index}]", "has lists of other lengths"
        if not {source for source in site.sources if source is not None} <= axes:
            yield f"analysis.sites[{index}].sources", "has an index of no axis"
    for index, join in enumerate(analysis.joins):
        if join.source not in axes:
            yield f"analysis.joins[{index}].source", "is the index of no axis"
    for index, head in enumerate(analysis.heads):
        if not {*head.period, *(lattice.source for lattice in head.lattice)} <= axes:
            yield f"analysis.heads[{index}]", "has an index of no axis"
    if not analysis.spatial <= axes:
        yield "analysis.spatial", "has an index of no axis"


def _agrees(site: Site) -> bool:
    lists = (site.factor, site.cumulative, site.offset, site.receptive_field)
    return len({len(values) for values in lists}) == 1 and len(site.size) in (0, len(site.factor))
