"""The JSON Schemas (draft 2020-12) of the documents that the program writes and reads: what a program may rely on.

Adding a member is not a breaking change; removing, renaming or retyping one raises the first number of
``schema_version``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from auditor.codec import Json, schema
from auditor.facts.comparison import Comparison
from auditor.facts.report import SCHEMA_VERSION, Report
from auditor.facts.resizing import RESIZE_SCHEMA, ResizeReport
from auditor.facts.tiling import TILES_SCHEMA, TilesReport
from auditor.policy.baseline import VERSION, SavedBaseline
from auditor.policy.keys import settings_schema


def report_schema() -> Json:
    """The schema of a report."""
    written = schema(Report)
    written["$defs"]["Report"]["properties"]["schema_version"]["const"] = SCHEMA_VERSION
    return {"title": "aliasaudit report", **written}


def comparison_schema() -> Json:
    """The schema of a comparison on its own, as ``Comparison.to_json`` writes it."""
    return {"title": "aliasaudit comparison", **schema(Comparison)}


def resize_schema() -> Json:
    """The schema of what ``aliasaudit resize`` writes."""
    written = schema(ResizeReport)
    written["$defs"]["ResizeReport"]["properties"]["schema"]["const"] = RESIZE_SCHEMA
    return {"title": "aliasaudit resize", **written}


def baseline_schema() -> Json:
    """The schema of a file of known findings, which a person may edit: lists may be absent."""
    written = schema(SavedBaseline, whole=False)
    saved = written["$defs"]["SavedBaseline"]
    saved["properties"]["version"]["const"] = VERSION
    saved["required"] = ["version"]
    return {"title": "aliasaudit baseline", **written}


def tiles_schema() -> Json:
    """The schema of a plan of tiles, as ``aliasaudit tiles`` writes it."""
    written = schema(TilesReport)
    written["$defs"]["TilesReport"]["properties"]["schema"]["const"] = TILES_SCHEMA
    return {"title": "aliasaudit tiles", **written}


def shard_schema() -> Json:
    """The schema of what ``verify --shard`` writes."""
    from auditor.verify.shard import FORMAT, ShardFile

    written = schema(ShardFile)
    written["$defs"]["ShardFile"]["properties"]["format"]["const"] = FORMAT
    return {"title": "aliasaudit shard", **written}


# By name, as `aliasaudit schema` and scripts/schemas.py know them.
SCHEMAS: Mapping[str, Callable[[], Json]] = {
    "report": report_schema,
    "comparison": comparison_schema,
    "resize": resize_schema,
    "settings": settings_schema,
    "baseline": baseline_schema,
    "tiles": tiles_schema,
    "shard": shard_schema,
}
