"""What a measurement was asked for: the options of :mod:`auditor.options.measuring`, made the values that it runs with.

Importing this module is cheap; what it makes is imported when a model is run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.choices import suggestion
from auditor.options.measuring import Measuring

if TYPE_CHECKING:
    from auditor.pipeline.geometry import Geometry
    from auditor.pipeline.told import ToldPipeline
    from auditor.verify.images.drawn import Drawn
    from auditor.verify.images.preprocess import ImageLayout, Preprocessing
    from auditor.verify.images.source import ImageSource
    from auditor.verify.perturbation import Perturbation
    from auditor.verify.result import ProtocolKind
    from auditor.verify.settings import ReferenceReading, VerifySettings

# What a preset says unless the user says otherwise.
_OF_A_PRESET = ("resize", "fit", "mean", "std", "scale")
# Enough for an interval that says something; ten seconds for a small network on a laptop.
BUILTIN_IMAGES = 64


@dataclass(frozen=True, slots=True)
class Request:
    """What to measure with: ``images``, the clip of ``video`` or ``frames``, or the built-in pictures.

    ``options`` are those that made it; ``notes`` say what was chosen otherwise.
    """

    images: str | None
    video: Path | None
    frames: Path | None
    labels: Path | None
    limit: int | None
    max_megapixels: float
    settings: VerifySettings
    options: Measuring = field(default_factory=Measuring)
    notes: tuple[str, ...] = ()

    def for_file(self, *metadata: Mapping[str, str], sized: bool = True) -> Request:
        """The same as the file of a model says that its pictures are prepared, where nobody said otherwise.

        ``metadata`` are those of the model, then of one beside it: the first that says something is followed.
        ``sized``: pictures are brought to the size of the input, so that what the file says of it counts.
        """
        from auditor.pipeline.told import told_pipeline

        told = next(filter(None, map(told_pipeline, metadata)), None)
        if told is None or not self.settings.preset_assumed:
            return self
        open_size = told.size if sized and self.settings.size is None else None
        size = "" if open_size is None else f"{open_size[0]} x {open_size[1]} px where the input leaves it open, "
        remark = f"preset {told.words}, {size}told by the file's metadata (--preset, --size)"
        chosen = _preprocessing(self.options, told)
        return replace(
            self,
            settings=replace(
                self.settings, preprocessing=chosen, preset_assumed=False, open_size=open_size, told=remark
            ),
        )

    def source(self, drawn: Drawn | None = None) -> ImageSource:
        """The images. ``drawn`` keeps synthetic ones for the next time.

        Raises:
            DataError: there is nothing of the kind.
        """
        from auditor.verify.images.clip import open_frames, open_video
        from auditor.verify.images.source import open_images

        if self.video is not None:
            return open_video(self.video, self.limit, self.max_megapixels)
        if self.frames is not None:
            return open_frames(self.frames, self.limit, self.max_megapixels, self.settings.preprocessing.reader)
        if self.images is None:
            from auditor.verify.images.synthetic import builtin_images

            count = self.limit or BUILTIN_IMAGES
            found = builtin_images(count, drawn=drawn)
            return replace(found, notes=(*found.notes, *self.notes), again=partial(builtin_images, count))
        again = partial(
            open_images, self.images, self.labels, self.limit, self.max_megapixels, self.settings.preprocessing.reader
        )
        return replace(again(), again=again)


def read_request(values: Mapping[str, object]) -> Request:
    """The request that options by name make; those that are missing have their defaults.

    Raises:
        ValueError: an option is not what it must be; the message begins with its name.
    """
    return _request(Measuring.from_keys(values))


def read_keywords(values: Mapping[str, object]) -> Request:
    """As :func:`read_request`, for options that are spelled as Python names (``images_limit``).

    Raises:
        ValueError: as there, or there is no such option; the message spells names as Python does.
    """
    return _request(Measuring.from_keywords(values))


def _request(options: Measuring) -> Request:
    sources = [name for name in ("images", "video", "frames") if getattr(options, name) is not None]
    if len(sources) > 1:
        raise ValueError(f"{sources[1]} is a source of its own: leave {sources[0]} out")
    clip = sources and sources[0] != "images"
    path = Path(options.images or "")
    array = path.suffix.lower() in (".npy", ".npz") and not path.is_dir()
    if (clip or array) and options.labels is not None:
        raise ValueError(f"labels belong to a folder of images, not to {'an array file' if array else sources[0]}")
    if clip and "frames" in options.protocol:
        raise ValueError(f"protocol frames compares the sequences of --images: leave it out with {sources[0]}")
    return Request(
        images=options.images,
        video=options.video,
        frames=options.frames,
        labels=options.labels,
        limit=options.images_limit,
        max_megapixels=options.max_megapixels,
        settings=_settings(options),
        options=options,
    )


def _settings(options: Measuring) -> VerifySettings:
    from auditor.verify.result import Task
    from auditor.verify.settings import VerifySettings
    from auditor.verify.shifts.plan import ShiftSettings
    from auditor.verify.worker.device import parse_device
    from auditor.verify.worker.limits import RunLimits
    from auditor.verify.worker.memory import default_limit
    from auditor.verify.worker.runtime import Runtime

    axes, decoding = _layouts(options.layout)
    protocol, perturbations = _protocols(options.protocol)
    return VerifySettings(
        preprocessing=_preprocessing(options),
        native=options.shift_at == "native",
        native_if_needed="shift_at" not in options.given,
        preset_assumed=not options.given & {"preset", "mean", "std", "scale"},
        protocol=protocol,
        perturbations=perturbations,
        radius=options.radius,
        shifts=ShiftSettings(pairs=options.shifts, path=options.path, exhaustive=options.exhaustive, seed=options.seed),
        size=options.size,
        layout=axes,
        decoding=decoding,
        channels=None if options.channels is None else 1 if options.channels == "grey" else 3,
        task=None if options.task is None else Task(options.task),
        image_input=options.image_input,
        output=options.measured_output,
        feeds=dict(options.feed),
        box_score=options.box_score,
        layer_images=options.layers,
        confidence=options.confidence,
        device=parse_device(options.device),
        threads=options.threads or max(1, usable_cores() // options.jobs),
        jobs=options.jobs,
        ray=options.ray,
        limits=RunLimits(
            options.step_timeout,
            _share(default_limit(), options.jobs) if options.max_memory is None else int(options.max_memory * 2**30),
        ),
        reference=options.reference,
        reference_reading=_reference_reading(options),
        allow_domains=frozenset(options.allow_domain),
        custom_ops=tuple(Path(word) for word in options.custom_ops),
        runtime=None if options.runtime is None else Runtime(options.runtime),
    )


def _protocols(words: Sequence[str]) -> tuple[ProtocolKind, tuple[Perturbation, ...]]:
    """How windows are shifted, by crops where nothing is said, and what is measured beside."""
    from auditor.options.panels import VALUES
    from auditor.verify.perturbation import perturbation
    from auditor.verify.result import ProtocolKind

    kinds = {kind.value: kind for kind in ProtocolKind}
    shifting: dict[str, None] = {}
    beside: dict[Perturbation, None] = {}
    if not words:
        raise ValueError("protocol is empty: name one such as crop, or leave it out")
    for word in words:
        try:
            one = perturbation(word)
        except ValueError as error:
            raise ValueError(f"protocol {error}") from None
        if one in beside or word in shifting:
            raise ValueError(f"protocol {word} is named twice")
        if one is not None:
            beside[one] = None
        elif word in kinds:
            shifting[word] = None
        else:
            known = VALUES["PROTOCOL"]
            raise ValueError(f"protocol must be one of {', '.join(known)}; it is {word!r}{suggestion(word, known)}")
    if len(shifting) > 1:
        raise ValueError(f"protocol has {' and '.join(shifting)}, which both shift: measure one at a time")
    if "frames" in shifting and beside:
        raise ValueError("protocol frames compares pictures as they are: leave noise and the like out")
    return kinds[next(iter(shifting), "crop")], tuple(beside)


def _reference_reading(options: Measuring) -> ReferenceReading:
    """How the reference is read."""
    from auditor.verify.settings import ReferenceReading
    from auditor.verify.worker.runtime import Runtime

    try:
        axes, decoding = _layouts(options.reference_layout)
    except ValueError as error:
        raise ValueError(f"reference-{error}") from None
    preprocessing = None if options.reference_preset is None else _own_preset(options, options.reference_preset)
    return ReferenceReading(
        preprocessing,
        options.reference_size,
        axes,
        decoding,
        options.reference_first_class or 0,
        runtime=None if options.reference_runtime is None else Runtime(options.reference_runtime),
    )


def _own_preset(options: Measuring, name: str) -> Preprocessing:
    """The preset of the reference; one of colours and numbers alone leaves the way to the input as the model's is."""
    from auditor.verify.images.preprocess import PRESETS, preset

    own = replace(preset(name), name=name)
    if name not in PRESETS:
        return own
    ours = _preprocessing(options)
    return replace(own, geometry=ours.geometry, read_by=ours.read_by)


def _layouts(text: str | None) -> tuple[ImageLayout | None, str | None]:
    """The axes of the input and the layout of the outputs; no layout of either has the name of one of the other."""
    if text is None:
        return None, None
    from auditor.choices import suggestion
    from auditor.pipeline.decoding import layouts
    from auditor.verify.images.preprocess import ImageLayout

    known = {member.value: member for member in ImageLayout}
    words = [word.strip() for word in text.split(",")]
    decoding = [word for word in words if word not in known]
    for word in decoding:
        if word != "auto" and word not in layouts():
            near = suggestion(word, [*known, "auto", *layouts()]) or f": one of {', '.join(layouts())}"
            raise ValueError(f"layout must be auto, the name of a layout, or NCHW, NHWC, NHW; it is {word!r}{near}")
    axes = [known[word] for word in words if word in known]
    if len(axes) > 1 or len(decoding) > 1:
        raise ValueError("layout must be one layout of the outputs, one order of the input's axes, or both")
    return axes[0] if axes else None, decoding[0] if decoding else None


def _preprocessing(options: Measuring, told: ToldPipeline | None = None) -> Preprocessing:
    """What the options say; the preset that a file ``told`` is one that nobody gave."""
    from auditor.verify.images.preprocess import ChannelOrder, for_grey, preset

    name = options.preset if told is None else told.preset
    found = preset(name)
    found = replace(
        found,
        geometry=_geometry(found.geometry, options),
        name=name if told is not None or "preset" in options.given else "",
        changed=tuple(name for name in _OF_A_PRESET if name in options.given),
    )
    channels = options.channels or (None if told is None else told.order)
    if channels == "grey":
        found = for_grey(found)
    elif channels is not None:
        found = replace(found, order=ChannelOrder(channels))
    changes: dict[str, Any] = {"mean": options.mean, "std": options.std, "scale": options.scale}
    try:
        return replace(found, **{key: value for key, value in changes.items() if value is not None})
    except ValueError as error:
        raise ValueError(f"{error}; give one number for all channels or one per channel (--channels)") from None


def _geometry(geometry: Geometry, options: Measuring) -> Geometry:
    """The preset's way to the size of the input, with what the user sets otherwise."""
    from auditor.pipeline.resizing import kernels

    if options.fit is not None:
        geometry = geometry.with_fit(options.fit)
    if options.resize is None:
        return geometry
    known = kernels()
    if options.resize not in known:
        hint = suggestion(options.resize, known) or f": one of {', '.join(known)}"
        raise ValueError(f"resize must be a kernel such as cv2-linear or pil-bilinear, not {options.resize!r}{hint}")
    return replace(geometry, kernel=options.resize)


def _share(limit: int | None, jobs: int) -> int | None:
    return None if limit is None else limit // jobs


def usable_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
