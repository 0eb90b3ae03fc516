"""aliasaudit: audit ONNX vision models for aliasing and lost shift-equivariance.

    import auditor

    report = auditor.check("model.onnx")
    for finding in report.findings:
        print(finding.rule, finding.severity.value, finding.message)
    report.analysis.subsampling  # the largest cumulative factor, exact

Names that came from the model are :class:`ModelText`, which refuses ``str()``: show them with :func:`plain`, compare
them by ``.raw``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor._version import __version__

if TYPE_CHECKING:
    from auditor.api import check, compare, fix, measure, resize
    from auditor.facts.comparison import Comparison
    from auditor.facts.finding import Finding, Severity
    from auditor.facts.report import ModelReport
    from auditor.facts.rule import Context, Need, Rule
    from auditor.onnxfile.errors import ModelFileError
    from auditor.onnxfile.limits import Limits
    from auditor.onnxfile.noderef import NodeRef, Origin
    from auditor.policy.errors import SettingsError
    from auditor.policy.settings import Settings
    from auditor.repair.result import Repaired
    from auditor.resizing.result import ResizeComparison
    from auditor.rewrite.result import RewriteError, Strategy
    from auditor.sampling.result import Analysis, Site, SiteKind
    from auditor.shard_api import merge
    from auditor.text import ModelText, plain
    from auditor.tile_api import tiles
    from auditor.tiling.result import TilePlan
    from auditor.verify.errors import VerifyError
    from auditor.verify.interval import Interval
    from auditor.verify.result import Measure, Verification

__all__ = [
    "Analysis",
    "Comparison",
    "Context",
    "Finding",
    "Interval",
    "Limits",
    "Measure",
    "ModelFileError",
    "ModelReport",
    "ModelText",
    "Need",
    "NodeRef",
    "Origin",
    "Repaired",
    "ResizeComparison",
    "RewriteError",
    "Rule",
    "Settings",
    "SettingsError",
    "Severity",
    "Site",
    "SiteKind",
    "Strategy",
    "TilePlan",
    "Verification",
    "VerifyError",
    "__version__",
    "check",
    "compare",
    "fix",
    "measure",
    "merge",
    "plain",
    "resize",
    "tiles",
]

# Imported on first use, so that `import auditor` costs nothing and the command line stays quick.
_HOMES = {
    "check": "auditor.api",
    "compare": "auditor.api",
    "fix": "auditor.api",
    "measure": "auditor.api",
    "merge": "auditor.shard_api",
    "resize": "auditor.api",
    "tiles": "auditor.tile_api",
    "Comparison": "auditor.facts.comparison",
    "Finding": "auditor.facts.finding",
    "NodeRef": "auditor.onnxfile.noderef",
    "Origin": "auditor.onnxfile.noderef",
    "Severity": "auditor.facts.finding",
    "ModelFileError": "auditor.onnxfile.errors",
    "Limits": "auditor.onnxfile.limits",
    "SettingsError": "auditor.policy.errors",
    "Settings": "auditor.policy.settings",
    "ModelReport": "auditor.facts.report",
    "Repaired": "auditor.repair.result",
    "ResizeComparison": "auditor.resizing.result",
    "RewriteError": "auditor.rewrite.result",
    "Strategy": "auditor.rewrite.result",
    "Context": "auditor.facts.rule",
    "Need": "auditor.facts.rule",
    "Rule": "auditor.facts.rule",
    "Analysis": "auditor.sampling.result",
    "Site": "auditor.sampling.result",
    "SiteKind": "auditor.sampling.result",
    "ModelText": "auditor.text",
    "plain": "auditor.text",
    "TilePlan": "auditor.tiling.result",
    "VerifyError": "auditor.verify.errors",
    "Interval": "auditor.verify.interval",
    "Measure": "auditor.verify.result",
    "Verification": "auditor.verify.result",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
