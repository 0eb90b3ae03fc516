"""The reference model of a run: opened beside the model under test, on the same parts of the same pictures.

The two may differ in type, layout, size and range of their input, and in the layout of their outputs: each has its own
preprocessing and its own decoder, and their answers are compared, not their numbers. Where both put pictures into
their inputs alike, they see the same windows; else the windows are parts of the picture at its own resolution.
"""

from __future__ import annotations

import re
from dataclasses import replace

from auditor.onnxfile import ModelFileError, read_runnable
from auditor.verify.admission import admitted
from auditor.verify.errors import DataError, ModelRefusedError
from auditor.verify.images.source import ImageSource
from auditor.verify.measures import TASKS
from auditor.verify.measures.target import Clues
from auditor.verify.result import ProtocolKind, Task
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import Setup, prepare
from auditor.verify.worker.client import Worker
from auditor.verify.worker.runtime import chosen_runtime, device_of

_OWN_OPTIONS = re.compile(r"--(preset|layout|size)\b")


def open_reference(worker: Worker, setup: Setup, source: ImageSource, settings: VerifySettings) -> Setup:
    """The reference model, on the same worker and for the same shifts.

    Raises:
        DataError: it gives another kind of output, or its input cannot be made as the options say.
        ModelRefusedError: it cannot be read, or may not be run.
    """
    assert settings.reference is not None
    try:
        model = read_runnable(settings.reference)
    except ModelFileError as error:
        raise ModelRefusedError(f"the reference model {error.reason}") from error
    runtime = chosen_runtime(model.format, settings.reference_reading.runtime)
    spec = admitted(model, replace(settings, runtime=runtime, device=device_of(runtime, settings.device)))
    # Names of tensors are those of the model under test; a reference without them has to be told by its shapes.
    names = {port.name for port in (*model.graph.inputs, *model.graph.outputs)}
    known = {name: name if name in names else None for name in (settings.image_input, settings.output)}
    own = settings.reference_reading
    theirs = replace(
        settings,
        image_input=known[settings.image_input],
        output=known[settings.output],
        preprocessing=own.preprocessing or settings.preprocessing,
        channels=settings.channels if own.preprocessing is None else None,
        size=own.size,
        surround=own.surround,
        layout=own.layout or settings.layout,
        decoding=own.decoding or settings.decoding,
        radius=setup.shifts.radius,
    )
    try:
        # The reference is measured as the model under test is.
        other, _ = prepare(worker, spec, source, theirs, Clues.of(model, None), open_size=setup.image.size)
    except DataError as error:
        message = _OWN_OPTIONS.sub(r"--reference-\1", str(error))
        raise DataError(f"the reference model: {message}", error.detail.raw) from error
    _require_same_kind(setup, other)
    return other


def sees_the_same(setup: Setup, other: Setup) -> bool:
    """Whether windows of both inputs show the same parts of a picture, pixel by pixel of the model."""
    ours, theirs = setup.preprocessing.geometry, other.preprocessing.geometry
    alike = replace(theirs, kernel=ours.kernel, float_resize=ours.float_resize, fill=ours.fill, name=ours.name)
    return setup.protocol.outer == other.protocol.outer and alike == ours


def require_windows(setup: Setup, other: Setup) -> None:
    """See to it that both models can be shown the same windows.

    Raises:
        DataError: they cannot; the message says what to do.
    """
    if setup.protocol.native or sees_the_same(setup, other):
        return
    if setup.image.size == other.image.size:
        what = f"{setup.preprocessing.geometry.words} and {other.preprocessing.geometry.words}"
        raise DataError(
            f"the model and the reference place pictures otherwise ({what}): give --shift-at native, or the same --fit"
        )
    sizes = " and ".join("x".join(map(str, one.image.size)) for one in (setup, other))
    raise DataError(
        f"the model and the reference read images of another size ({sizes} px): give --shift-at native, or, where one "
        "leaves it open, --size or --reference-size"
    )


def can_be_native(setup: Setup) -> bool:
    """Whether the run could shift pictures at their own resolution."""
    return setup.protocol.kind is ProtocolKind.CROP and TASKS[setup.target.task].NATIVE


def reading_remarks(setup: Setup, other: Setup, settings: VerifySettings, switched: bool) -> tuple[str, ...]:
    """How the reference was read, and what was assumed for it; nothing where both are one file, read alike."""
    assert settings.reference is not None
    if setup.batching.spec.model == settings.reference and other.preprocessing == setup.preprocessing:
        return ()
    size = "x".join(map(str, other.image.size))
    line = other.preprocessing.describe()
    if settings.reference_reading.preprocessing is not None:
        line = line.replace("(--", "(--reference-")
    remarks = [f"the reference {settings.reference.name} reads {size} px, preprocessing {line}"]
    if other.preprocessing.reader is not setup.preprocessing.reader:
        remarks.append("files of pictures were read for both models as the pipeline of the model reads them")
    if switched:
        remarks.append(
            "shifts count pixels of the picture, because the two models see other parts of it behind their resize "
            "(--shift-at)"
        )
    return tuple(remarks)


def _require_same_kind(setup: Setup, other: Setup) -> None:
    ours, theirs = setup.target, other.target
    if theirs.task is not ours.task:
        raise DataError(
            f"the reference model's output is taken for {theirs.task.value} and not for {ours.task.value}: "
            "give --task, or leave --reference out"
        )
    if ours.task is Task.DENSE and theirs.grid != ours.grid:
        sizes = " and ".join("x".join(map(str, one.grid)) for one in (ours, theirs))
        raise DataError(f"the outputs of the model and the reference are maps of another size ({sizes})")
