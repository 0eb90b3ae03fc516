"""Measuring a model whose layers may lie inside of its functions: those are measured on a copy without functions."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from auditor.onnxfile import ModelFileError
from auditor.onnxfile.graph import Model
from auditor.sampling import analyse
from auditor.sampling.result import Analysis

if TYPE_CHECKING:
    from auditor.verify.images.source import ImageSource
    from auditor.verify.result import AliasMeasurement, Verification
    from auditor.verify.runner import Observer
    from auditor.verify.settings import VerifySettings


def measure_layered(
    model: Model,
    source: ImageSource,
    settings: VerifySettings,
    analysis: Analysis,
    observer: Observer | None = None,
) -> Verification:
    """As :func:`auditor.verify.runner.verify`, with the sites inside of functions among the layers.

    Tensors inside of a function cannot be outputs of a model. A copy without functions computes the same, and its sites
    are those of the model in the same order; where they are not, or there is no such copy, the main graph's layers are
    measured alone.
    """
    from auditor.verify.runner import verify

    with ExitStack() as stack:
        plain: tuple[Model, Analysis] | None = None
        if settings.layer_images and model.functions and any(site.node.scope for site in analysis.sites):
            plain = _without_functions(model, analysis, stack)
        return verify(model, source, settings, analysis, observer, plain)


def measure_alias_layered(
    model: Model,
    source: ImageSource,
    settings: VerifySettings,
    analysis: Analysis,
    observer: Observer | None = None,
) -> AliasMeasurement:
    """As :func:`auditor.verify.layers.alias_runs.measure_alias`, with the sites inside of functions."""
    from auditor.verify.layers.alias_runs import measure_alias

    with ExitStack() as stack:
        plain: tuple[Model, Analysis] | None = None
        if model.functions and any(site.node.scope for site in analysis.sites):
            plain = _without_functions(model, analysis, stack)
        graph, found = plain or (model, analysis)
        return measure_alias(graph, source, settings, found, observer)


def _without_functions(model: Model, analysis: Analysis, stack: ExitStack) -> tuple[Model, Analysis] | None:
    from auditor.rewrite.graph.inline import inlined
    from auditor.rewrite.result import RewriteError

    try:
        copy = stack.enter_context(inlined(model))
        found = analyse(copy)
    except (RewriteError, ModelFileError):
        return None
    kinds = [[(site.kind, site.factor) for site in one.sites] for one in (analysis, found)]
    return (copy, found) if kinds[0] == kinds[1] else None
