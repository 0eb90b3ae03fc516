"""Whether the input shapes that the settings give fit the models that are audited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from auditor.audit.run import ModelFile
from auditor.choices import suggestion
from auditor.onnxfile import ModelFileError, read_model
from auditor.onnxfile.graph import ValueInfo
from auditor.policy.errors import SettingsError
from auditor.policy.settings import Settings, Source
from auditor.text import plain

_SHOWN = 10  # inputs in a message


def check_input_shapes(files: Iterable[ModelFile], settings: Settings) -> tuple[str, ...]:
    """Hold the input shapes of the settings to what the models say, before time is spent on an analysis.

    Returns the names that no model has and a settings file gave: it may speak of models that are not audited now.

    Raises:
        SettingsError: A shape contradicts a size that a model fixes, or no model has an input of a name that was typed.
    """
    if not settings.input_shapes:
        return ()
    known: dict[str, None] = {}
    read = False
    for file in files:
        try:
            inputs = list(_inputs(file, settings))
        except ModelFileError:
            continue  # the audit says what is wrong with the file
        read = True
        for value in inputs:
            known[value.name] = None
            if value.name in settings.input_shapes:
                _compare(file, value, settings)
    absent = [name for name in settings.input_shapes if name not in known] if read else []
    for name in absent:
        origin = settings.origin(f"input-shapes.{name}")
        if origin.source is not Source.FILE:
            hint = suggestion(plain(name), map(plain, known))
            raise SettingsError(f'input-shapes: no input is called "{plain(name)}"{hint}; there is {_names([*known])}')
    return tuple(absent)


def _inputs(file: ModelFile, settings: Settings) -> Iterator[ValueInfo]:
    graph = read_model(file.path, settings.limits).graph
    yield from (value for value in graph.inputs if value.name not in graph.initializers)


def _compare(file: ModelFile, value: ValueInfo, settings: Settings) -> None:
    sizes, dims = settings.input_shapes[value.name], value.dims
    fits = dims is None or (
        len(sizes) == len(dims)
        and all(dim == size or not isinstance(dim, int) for dim, size in zip(dims, sizes, strict=True))
    )
    if not fits:
        assert dims is not None
        stands = "x".join("?" if dim is None else plain(str(dim)) for dim in dims) or "a scalar"
        raise SettingsError(
            f"input-shapes: {plain(value.name)}={_text(sizes)} contradicts {file.name}, where this input is {stands}"
        )


def _text(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(f'"{plain(name)}"' for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown or "none"
