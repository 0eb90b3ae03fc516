"""The JSON Schema (draft 2020-12) of the JSON report: what a program may rely on.

Adding a key is not a breaking change; removing, renaming or retyping one raises the first number of ``schema_version``.
"""

from __future__ import annotations

from auditor.facts.finding import Severity
from auditor.facts.report import AcceptedBy, ProblemKind
from auditor.report.json.compared import comparison_schema
from auditor.report.json.measured import verification_schema
from auditor.report.json.parts import SCHEMA_VERSION
from auditor.report.json.shapes import Json, list_of, members
from auditor.report.words.verdict import SiteVerdict
from auditor.sampling.result import AliasBasis, HeadKind, SiteKind
from auditor.verify.result import DataKind

_STRING: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_BOOLEAN: Json = {"type": "boolean"}
_NUMBER_OR_NULL: Json = {"type": ["number", "null"]}
_SHARE_OR_NULL: Json = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_INTEGERS: Json = {"type": "array", "items": {"type": "integer"}}
_PER_AXIS: Json = {"type": "array", "items": _NUMBER_OR_NULL}


def report_schema() -> Json:
    """The schema of a report, as a plain JSON value."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "aliasaudit report",
        "description": "Factors, offsets and receptive fields are in pixels (samples on a 1-D axis) of the network "
        "input. Per-axis lists run over the spatial axes in the tensor's order. null is a value that is not known.",
        **members(
            schema_version={"const": SCHEMA_VERSION},
            tool=members(name={"const": "aliasaudit"}, version=_STRING),
            run=members(
                settings={"type": "object", "description": "The settings that change what is found."},
                rules=list_of(
                    members(code=_STRING, name=_STRING, summary=_STRING, severities=list_of(_enum(Severity))),
                )
                | {"description": "The rules that ran."},
            ),
            models=list_of({"$ref": "#/$defs/model"}),
            problems=list_of({"$ref": "#/$defs/problem"}),
            remarks=list_of(_STRING)
            | {"description": "What is neither a finding nor a problem: which models are new."},
            summary={"$ref": "#/$defs/summary"},
        ),
        "$defs": {
            "model": _model(),
            "input": members(
                name=_STRING,
                dims={
                    "description": "As the file says: sizes, symbols, or null where nothing is said.",
                    "type": ["array", "null"],
                    "items": {"type": ["integer", "string", "null"]},
                },
                sizes={"type": "array", "items": {"type": ["integer", "null"]}},
                assumed_axes=_INTEGERS | {"description": "Axes of open size for which the audit chose one."},
            ),
            "node": _node(),
            "origin": {
                "description": "Where the exporter says the node came from.",
                "oneOf": [{"type": "null"}, members(module=_STRING, source=_STRING)],
            },
            "source": members(**_SOURCE),
            "site": _site(),
            "head": _head(),
            "join": _node(
                source={"$ref": "#/$defs/source"},
                delta=_NUMBER_OR_NULL | {"description": "Largest distance of the centres of the branches."},
                resize={"oneOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]},
                coordinates={"type": ["string", "null"]}
                | {"description": "Those with which that Resize would keep the branches together."},
                branches=list_of(members(tensor=_STRING, stride=_NUMBER_OR_NULL, offset=_NUMBER_OR_NULL)),
            ),
            "untracked": _node(tensor=_STRING, reason=_STRING, hidden_nodes=_COUNT, hidden_strided=_COUNT),
            "finding": members(**_FINDING),
            "accepted": members(
                **_FINDING,
                accepted_by=_enum(AcceptedBy),
                reason=_STRING,
                owner=_STRING,
                expires=_STRING | {"description": "The last day, as 2027-01-31; empty where it has no end."},
            ),
            "problem": members(
                code=_STRING,
                kind=_enum(ProblemKind),
                message=_STRING,
                path={"type": ["string", "null"]},
            ),
            "summary": _summary(),
            "comparison": comparison_schema(),
            "verification": verification_schema(),
        },
    }


_SOURCE: Json = {"input": _STRING, "axis": _COUNT}


def _enum(kinds: type[DataKind | SiteKind | SiteVerdict | HeadKind | Severity | ProblemKind | AcceptedBy]) -> Json:
    return {"enum": [member.value for member in kinds]}


def _node(**more: Json) -> Json:
    """A node, with the members of what happens there."""
    return members(
        node=_STRING | {"description": "The node's name, qualified by its scopes; empty where it has none."},
        op=_STRING,
        scope=_STRING | {"description": "The sub-graphs and function calls around the node; empty in the main graph."},
        output=_STRING | {"description": "The name of the node's first output tensor."},
        origin={"$ref": "#/$defs/origin"},
        **more,
    )


def _model() -> Json:
    return members(
        path=_STRING,
        file_bytes=_COUNT,
        ir_version={"type": "integer"},
        opsets={"type": "object", "additionalProperties": {"type": "integer"}},
        producer=_STRING,
        inputs=list_of({"$ref": "#/$defs/input"}),
        nodes=_COUNT,
        tracked_nodes=_COUNT,
        subsampling=members(
            outputs={
                "description": "The largest cumulative factor to each graph output.",
                "type": "object",
                "additionalProperties": _NUMBER_OR_NULL,
            },
            overall=_NUMBER_OR_NULL,
        ),
        axes=list_of(
            members(**_SOURCE, size={"type": "integer"}, assumed=_BOOLEAN, spatial=_BOOLEAN),
        )
        | {"description": "The axes of the network inputs that were followed."},
        sites=list_of({"$ref": "#/$defs/site"}),
        heads=list_of({"$ref": "#/$defs/head"}),
        joins=list_of({"$ref": "#/$defs/join"}),
        untracked=list_of({"$ref": "#/$defs/untracked"}),
        findings=list_of({"$ref": "#/$defs/finding"}),
        accepted=list_of({"$ref": "#/$defs/accepted"})
        | {"description": "Findings that a waiver or the baseline accepts: they do not count."},
        baselined=_BOOLEAN | {"description": "A baseline was read: findings are new, those that it accepts known."},
        comparison={
            "description": "What changed since the model that is to be replaced; null where there is none.",
            "oneOf": [{"type": "null"}, {"$ref": "#/$defs/comparison"}],
        },
        alias_measurement={
            "description": "On what measured alias energies of the sites rest; null where they were not asked for.",
            "oneOf": [
                {"type": "null"},
                members(
                    images=_COUNT,
                    data=_enum(DataKind),
                    preprocessing=_STRING,
                    preset_assumed=_STRING,
                    notes=list_of(_STRING),
                    incomplete=_STRING,
                ),
            ],
        },
        verification={
            "description": "What running the model on shifted images showed; null where it was not run.",
            "oneOf": [{"type": "null"}, {"$ref": "#/$defs/verification"}],
        },
    )


def _site() -> Json:
    return members(
        name=_STRING,
        op=_STRING,
        scope=_STRING,
        input=_STRING,
        output=_STRING | {"description": "The tensor that the site makes."},
        origin={"$ref": "#/$defs/origin"},
        kind=_enum(SiteKind),
        verdict=_enum(SiteVerdict),
        sources=list_of({"oneOf": [{"type": "null"}, {"$ref": "#/$defs/source"}]}),
        factor=_PER_AXIS,
        cumulative=_PER_AXIS,
        offset=_PER_AXIS,
        receptive_field=_PER_AXIS,
        size=_INTEGERS | {"description": "The grid that the site makes; empty where it is not known."},
        kernel=_INTEGERS,
        stride=_INTEGERS,
        dilation=_INTEGERS,
        groups=_COUNT,
        alias_energy=_SHARE_OR_NULL
        | {"description": "Share of the signal power above the new Nyquist frequency, for a flat input spectrum."},
        alias_energy_per_axis=list_of({"type": "number", "minimum": 0, "maximum": 1})
        | {"description": "The same along each axis alone, which decides whether the site is anti-aliased."},
        alias_energy_expected=_SHARE_OR_NULL
        | {"description": "The same for the spectrum that activations have on photographs, which decides severities."},
        alias_energy_of_picture=_BOOLEAN
        | {"description": "The site reads the picture itself, whose spectrum differs."},
        alias_energy_expected_missing=_STRING | {"description": "Why there is no expected alias energy."},
        alias_energy_measured=_SHARE_OR_NULL
        | {"description": "The same, measured on pictures by check --measure-alias; null where it was not."},
        alias_energy_measured_images=_COUNT | {"description": "How many pictures that rests on."},
        alias_energy_worst_channel=_SHARE_OR_NULL,
        alias_basis={"enum": [*(basis.value for basis in AliasBasis), None]},
        antialiased=_BOOLEAN,
        labels=_BOOLEAN | {"description": "It picks labels or a mask, which need no low-pass."},
        reason=_STRING | {"description": "Why the site is passed."},
        skipped=_SHARE_OR_NULL | {"description": "Share of the input positions that no output reads."},
        reads_input=_BOOLEAN,
        members=list_of({"$ref": "#/$defs/node"}) | {"description": "The other nodes of a pattern of nodes."},
    )


def _head() -> Json:
    grid = {
        "size": {"type": "integer"},
        "stride": _NUMBER_OR_NULL,
        "offset": _NUMBER_OR_NULL,
        "receptive_field": _NUMBER_OR_NULL,
        "size_dependent": _BOOLEAN,
    }
    return members(
        output=_STRING,
        kind=_enum(HeadKind),
        subsampling=_NUMBER_OR_NULL,
        period=list_of(members(**_SOURCE, shift=_NUMBER_OR_NULL))
        | {"description": "The smallest shift of each input axis for which equivariance is exact; null: none is."},
        grid=list_of(members(**_SOURCE, **grid)) | {"description": "The grid axes that the output still has."},
        cause={"oneOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]},
        global_context=_BOOLEAN
        | {"description": "Whether every place of the output has seen the whole input, as behind attention."},
    )


_NULLABLE: Json = {"type": ["string", "null"]}
_FINDING: Json = {
    "rule": _STRING,
    "name": _STRING,
    "severity": _enum(Severity),
    "message": _STRING,
    "advice": _STRING,
    "node": _NULLABLE | {"description": "null where the finding is about the whole graph."},
    "op": _NULLABLE,
    "scope": _NULLABLE,
    "output": _NULLABLE,
    "origin": {"$ref": "#/$defs/origin"},
    "related": list_of({"$ref": "#/$defs/node"}),
    "numbers": {"type": "object", "additionalProperties": {"type": ["number", "string", "null"]}},
    "fingerprint": _STRING | {"description": "Stays the same while the place in the network does."},
}


def _summary() -> Json:
    return members(
        models=_COUNT,
        sites=_COUNT,
        antialiased_sites=_COUNT | {"description": "Those with a low-pass, and those that pick labels."},
        findings=_COUNT,
        errors=_COUNT,
        warnings=_COUNT,
        notes=_COUNT,
        rules={"type": "object", "additionalProperties": _COUNT},
        problems=_COUNT,
        subsampling=_NUMBER_OR_NULL | {"description": "The largest cumulative factor of any model."},
        worst_alias_energy=_SHARE_OR_NULL
        | {
            "description": "The largest expected alias energy of a site without anti-aliasing; flat where none has one."
        },
        worst_alias_energy_kind={"enum": ["expected", "flat", None]},
    )
