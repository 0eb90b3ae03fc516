"""What a report says of the inputs of a model."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from auditor.facts.report import InputReport
from auditor.onnxfile.graph import Model
from auditor.sampling.result import Analysis
from auditor.text import ModelText


def input_reports(model: Model, analysis: Analysis, given: Collection[str]) -> Iterator[InputReport]:
    """The inputs that a user feeds: those that no initializer gives a value; ``given`` are those of a set shape."""
    sources = {(source.input.raw, source.axis): source for source in analysis.sources}
    for value in model.graph.inputs:
        if value.name in model.graph.initializers:
            continue
        dims = value.dims or ()
        found = [sources.get((value.name, axis)) for axis in range(len(dims))]
        yield InputReport(
            name=ModelText(value.name),
            dims=None if value.dims is None else tuple(_dim(dim) for dim in value.dims),
            sizes=tuple(
                source.size if source is not None else dim if isinstance(dim, int) else None
                for source, dim in zip(found, dims, strict=True)
            ),
            assumed=tuple(
                axis
                for axis, source in enumerate(found)
                if source is not None and source.assumed and value.name not in given
            ),
        )


def _dim(dim: int | str | None) -> int | ModelText | None:
    return ModelText(dim) if isinstance(dim, str) else dim
