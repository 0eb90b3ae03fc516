"""A comparison as plain JSON values, its JSON Schema, and the way back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from auditor.facts.comparison import (
    Comparison,
    Condition,
    GridChange,
    Kept,
    KeptSite,
    MeasuredChange,
    OutputChange,
    TypicalRatio,
)
from auditor.report.json.measured import interval_json, number_json, verification_json
from auditor.report.json.parts import finding_json, site_json
from auditor.report.json.shapes import Json, list_of, members
from auditor.report.words.changes import headline
from auditor.report.words.numbers import json_number
from auditor.sampling.result import Analysis, Site
from auditor.text import ModelText, exact

if TYPE_CHECKING:
    from auditor.report.json.codec import Cursor

NO_ANALYSIS = Analysis((), frozenset(), (), (), (), (), (), (), (), (), {}, 0, 0)


def comparison_json(found: Comparison, analysis: Analysis) -> Json:
    """The comparison as JSON values; ``analysis`` is that of the new model."""
    base = found.base_verification
    return {
        "base": found.base,
        "added": [finding_json(one) for one in found.added],
        "fixed": [finding_json(one) for one in found.fixed],
        "kept": [
            {"before": finding_json(one.before), "after": finding_json(one.after), "how": one.how} for one in found.kept
        ],
        "new_sites": [site_json(site, analysis) for site in found.new_sites],
        "removed_sites": [_removed(site, analysis) for site in found.removed_sites],
        "kept_sites": found.kept_sites,
        "risen_sites": [
            {"before": _removed(one.before, analysis), "after": site_json(one.after, analysis)}
            for one in found.risen_sites
        ],
        "outputs": [_output(one) for one in found.outputs],
        "before": json_number(found.before),
        "after": json_number(found.after),
        "measured": [_measured(one) for one in found.measured],
        "inconclusive": found.inconclusive,
        "confidence": found.confidence,
        "same_model": found.same_model,
        "headline": headline(found),
        "remarks": list(found.remarks),
        "base_verification": None if base is None else verification_json(base),
    }


def detached_json(found: Comparison) -> Json:
    """The comparison as JSON values without the analysis of either model: no site says its input axes or its size."""
    sites = tuple(replace(site, sources=(None,) * len(site.sources)) for site in found.new_sites)
    risen = tuple(
        replace(one, after=replace(one.after, sources=(None,) * len(one.after.sources))) for one in found.risen_sites
    )
    return comparison_json(replace(found, new_sites=sites, risen_sites=risen), NO_ANALYSIS)


def _removed(site: Site, analysis: Analysis) -> Json:
    """A site of the base: its input axes and sizes are those of another model."""
    return site_json(replace(site, sources=(None,) * len(site.sources)), analysis) | {"size": []}


def _output(change: OutputChange) -> Json:
    return {
        "base": None if change.base is None else exact(change.base),
        "new": None if change.new is None else exact(change.new),
        "before": json_number(change.before),
        "after": json_number(change.after),
        "grid": None if change.grid is None else _grid(change.grid),
    }


def _grid(grid: GridChange) -> Json:
    return {
        "shifts": [json_number(value) for value in grid.shifts],
        "detours": [json_number(value) for value in grid.detours],
        "steps": [[json_number(value) for value in pair] for pair in grid.steps],
        "fields": [[json_number(value) for value in pair] for pair in grid.fields],
    }


def _read_grid(found: Cursor) -> GridChange:
    from auditor.report.json.reading import read_fraction

    def pairs(key: str) -> tuple[tuple[Fraction, Fraction], ...]:
        return tuple((read_fraction(one[0]), read_fraction(one[1])) for one in map(list, found[key]))

    return GridChange(
        shifts=tuple(read_fraction(one) for one in found["shifts"]),
        detours=tuple(read_fraction(one) for one in found["detours"]),
        steps=pairs("steps"),
        fields=pairs("fields"),
    )


def _measured(change: MeasuredChange) -> Json:
    return {
        "measure": change.measure,
        "output": exact(change.output),
        "unit": change.unit,
        "higher_is_better": change.higher_is_better,
        "base": number_json(change.base),
        "new": number_json(change.new),
        "difference": number_json(change.difference),
        "interval": interval_json(change.interval),
        "images": change.images,
        "conditions": [
            {
                "name": one.name,
                "limit": number_json(one.limit),
                "verdict": one.verdict.value,
                "images_needed": one.images_needed,
                "images_enough": one.images_enough,
                "largest_change": number_json(one.largest_change),
                "otherwise": None if one.otherwise is None else one.otherwise.value,
                "twice_seen": number_json(one.twice_seen),
            }
            for one in change.conditions
        ],
        "ratio": None
        if change.ratio is None
        else {
            "value": number_json(change.ratio.value),
            "interval": interval_json(change.ratio.interval),
            "base_largest": number_json(change.ratio.base_largest),
            "new_largest": number_json(change.ratio.new_largest),
        },
        "unseen": number_json(change.unseen),
    }


def comparison_schema() -> Json:
    """The JSON Schema of :func:`comparison_json`, inside that of a report, whose definitions it refers to."""
    text: Json = {"type": "string"}
    name: Json = {"type": ["string", "null"]}
    number: Json = {"type": ["number", "null"]}
    count: Json = {"type": "integer", "minimum": 0}
    finding, site = {"$ref": "#/$defs/finding"}, {"$ref": "#/$defs/site"}
    pair: Json = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    moved: Json = members(
        {"shifts": list_of(number), "detours": list_of(number), "steps": list_of(pair), "fields": list_of(pair)}
    )
    grid: Json = {
        "oneOf": [{"type": "null"}, moved],
        "description": "Per axis how far its centres and its most shifted path moved, and step and receptive field"
        " before and after, in input pixels.",
    }
    interval = {"oneOf": [{"type": "null"}, members({"low": number, "high": number, "confidence": {"type": "number"}})]}
    condition = members(
        {
            "name": text,
            "limit": number,
            "verdict": {"enum": ["pass", "fail", "inconclusive"]},
            "images_needed": {
                "type": ["integer", "null"],
                "description": "About so many images would decide, at least.",
            },
            "images_enough": {
                "type": ["integer", "null"],
                "description": "About so many images would decide, at most; null beside a number: not known.",
            },
            "largest_change": number | {"description": "What is taken for the most that one image can change."},
            "otherwise": {"enum": ["pass", "fail", "inconclusive", None]},
            "twice_seen": number | {"description": "With this for the largest change the verdict is `otherwise`."},
        }
    )
    ratio = members({"value": number, "interval": interval, "base_largest": number, "new_largest": number})
    measured = {
        "measure": text,
        "output": text,
        "unit": {"enum": ["share", "probability", "px", "ratio"]},
        "higher_is_better": {"type": "boolean"},
        "base": number,
        "new": number,
        "difference": number | {"description": "New less base, of the same images and shifts."},
        "interval": interval,
        "images": count,
        "conditions": list_of(condition),
        "ratio": {"oneOf": [{"type": "null"}, ratio]},
        "unseen": number | {"description": "The share of all images that could change without showing here."},
    }
    return members(
        {
            "base": text | {"description": "What the user called the model that is to be replaced."},
            "added": list_of(finding),
            "fixed": list_of(finding),
            "kept": list_of(members({"before": finding, "after": finding, "how": text})),
            "new_sites": list_of(site),
            "removed_sites": list_of(site),
            "kept_sites": count,
            "risen_sites": list_of(members({"before": site, "after": site}))
            | {"description": "The sites of both models at which more folds than before."},
            "outputs": list_of(members({"base": name, "new": name, "before": number, "after": number, "grid": grid})),
            "before": number | {"description": "The largest cumulative factor of the base."},
            "after": number,
            "measured": list_of(members(measured)),
            "inconclusive": {"enum": ["fail", "warn", "pass"]},
            "confidence": {"type": "number"},
            "same_model": {"type": "boolean", "description": "Graph and weights are equal."},
            "headline": text | {"description": "What the measured comparison comes to."},
            "remarks": list_of(text),
            "base_verification": {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/verification"}]},
        }
    )


def read_comparison(found: Cursor, places: Mapping[tuple[str, int], int]) -> Comparison:
    """The comparison at this place of a saved report; ``places`` are the axes of the new model by input and axis.

    Raises:
        SavedReportError: The place holds something else.
    """
    from auditor.report.json.measured_saved import read_verification
    from auditor.report.json.reading import read_finding, read_fraction, read_site

    base = found.get("base_verification")

    def factor(one: Cursor) -> Fraction | None:
        return None if one.null else read_fraction(one)

    def name(one: Cursor) -> ModelText | None:
        return None if one.null else ModelText(one.text)

    return Comparison(
        base=found["base"].text,
        added=tuple(read_finding(one) for one in found["added"]),
        fixed=tuple(read_finding(one) for one in found["fixed"]),
        kept=tuple(
            Kept(read_finding(one["before"]), read_finding(one["after"]), one["how"].text) for one in found["kept"]
        ),
        new_sites=tuple(read_site(one, places) for one in found["new_sites"]),
        removed_sites=tuple(read_site(one, places) for one in found["removed_sites"]),
        kept_sites=found["kept_sites"].integer,
        risen_sites=tuple(
            KeptSite(read_site(one["before"], places), read_site(one["after"], places))
            for one in found.get("risen_sites") or ()
        ),
        outputs=tuple(
            OutputChange(
                name(one["base"]),
                name(one["new"]),
                factor(one["before"]),
                factor(one["after"]),
                None if (grid := one.get("grid")) is None else _read_grid(grid),
            )
            for one in found["outputs"]
        ),
        before=factor(found["before"]),
        after=factor(found["after"]),
        measured=tuple(_read_measured(one) for one in found["measured"]),
        inconclusive=found["inconclusive"].text,
        confidence=float(found["confidence"].number),
        same_model=found["same_model"].flag,
        remarks=tuple(one.text for one in found["remarks"]),
        base_verification=read_verification(base) if base is not None else None,
    )


def _read_measured(found: Cursor) -> MeasuredChange:
    from auditor.report.json.measured_saved import read_interval
    from auditor.verify.statistics import Verdict

    def number(one: Cursor) -> float:
        return math.nan if one.null else float(one.number)

    def count(one: Cursor | None) -> int | None:
        return None if one is None else one.integer

    def known(one: Cursor) -> float | None:
        return None if one.null else float(one.number)

    def condition(one: Cursor) -> Condition:
        return Condition(
            one["name"].text,
            number(one["limit"]),
            one["verdict"].one_of(Verdict),
            count(one.get("images_needed")),
            count(one.get("images_enough")),
            known(one["largest_change"]),
            None if one["otherwise"].null else one["otherwise"].one_of(Verdict),
            known(one["twice_seen"]),
        )

    def ratio(one: Cursor) -> TypicalRatio:
        largest = number(one["base_largest"]), number(one["new_largest"])
        return TypicalRatio(number(one["value"]), read_interval(one), *largest)

    return MeasuredChange(
        measure=found["measure"].text,
        output=ModelText(found["output"].text),
        unit=found["unit"].text,
        higher_is_better=found["higher_is_better"].flag,
        base=number(found["base"]),
        new=number(found["new"]),
        difference=number(found["difference"]),
        interval=read_interval(found),
        images=found["images"].integer,
        conditions=tuple(condition(one) for one in found["conditions"]),
        ratio=None if found["ratio"].null else ratio(found["ratio"]),
        unseen=known(found["unseen"]),
    )
