"""What a report says of the inputs of a model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from auditor.facts.report import InputReport
from auditor.onnxfile.graph import Model
from auditor.onnxfile.told import told_size
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
        assumed = tuple(
            axis
            for axis, source in enumerate(found)
            if source is not None and source.assumed and value.name not in given
        )
        yield InputReport(
            name=ModelText(value.name),
            dims=None if value.dims is None else tuple(_dim(dim) for dim in value.dims),
            sizes=tuple(
                source.size if source is not None else dim if isinstance(dim, int) else None
                for source, dim in zip(found, dims, strict=True)
            ),
            assumed=assumed,
            told=_is_told([size.size for axis in assumed if (size := found[axis]) is not None], model),
        )


def _is_told(sizes: Sequence[int], model: Model) -> bool:
    """Whether these sizes are what the metadata say of one or both sides of a picture."""
    told = told_size(model.metadata)
    return told is not None and bool(sizes) and tuple(sizes) in (told, told[:1], told[1:])


def _dim(dim: int | str | None) -> int | ModelText | None:
    return ModelText(dim) if isinstance(dim, str) else dim
