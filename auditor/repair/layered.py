"""Measuring a model whose layers may lie inside of its functions: those are measured on a copy without functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from auditor.onnxfile import ModelFileError
from auditor.onnxfile.graph import Model
from auditor.options.thresholds import Thresholds
from auditor.sampling import analyse
from auditor.sampling.result import Analysis

if TYPE_CHECKING:
    from auditor.verify.images.source import ImageSource
    from auditor.verify.layers.alias import AliasMeasurement
    from auditor.verify.observer import Observer
    from auditor.verify.open_run import OpenRun
    from auditor.verify.result import Verification
    from auditor.verify.settings import VerifySettings


def measure_layered(
    model: Model,
    source: ImageSource,
    settings: VerifySettings,
    analysis: Analysis,
    observer: Observer | None = None,
    held: Thresholds | None = None,
) -> Verification:
    """As :func:`auditor.verify.runner.verify`, with the sites inside of functions among the layers.

    Tensors inside of a function cannot be outputs of a model. A copy without functions computes the same, and its sites
    are those of the model in the same order; where they are not, or there is no such copy, the main graph's layers are
    measured alone.
    """
    from auditor.verify.runner import verify

    with _plain(model, analysis, settings.layer_images > 0) as plain:
        return verify(model, source, settings, analysis, observer, plain, held)


@contextmanager
def open_layered(model: Model, source: ImageSource, settings: VerifySettings, analysis: Analysis) -> Iterator[OpenRun]:
    """As :func:`auditor.verify.open_run.open_run`, for the layers of :func:`measure_layered`."""
    from auditor.verify.open_run import open_run

    with (
        _plain(model, analysis, settings.layer_images > 0) as plain,
        open_run(model, source, settings, analysis, plain) as (run, _),
    ):
        yield run


def measure_alias_layered(
    model: Model,
    source: ImageSource,
    settings: VerifySettings,
    analysis: Analysis,
    observer: Observer | None = None,
) -> AliasMeasurement:
    """As :func:`auditor.verify.layers.alias_runs.measure_alias`, with the sites inside of functions."""
    from auditor.verify.layers.alias_runs import measure_alias

    with _plain(model, analysis) as plain:
        graph, sites = plain or (model, analysis)
        return measure_alias(graph, source, settings, sites, observer)


@contextmanager
def _plain(model: Model, analysis: Analysis, wanted: bool = True) -> Iterator[tuple[Model, Analysis] | None]:
    """The model without functions; None where it is not wanted, or no site lies inside of one."""
    inside = wanted and model.functions and any(site.node.scope for site in analysis.sites)
    with ExitStack() as stack:
        yield _without_functions(model, analysis, stack) if inside else None


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
