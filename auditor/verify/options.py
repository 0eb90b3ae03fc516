"""The options of a verification as people write them, on the command line and in a settings file, by one name each.

Importing this module is cheap: the names are needed to check a settings file, the rest only when a model is run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from auditor.text import plain

if TYPE_CHECKING:
    from auditor.verify.images.drawn import Drawn
    from auditor.verify.images.source import ImageSource
    from auditor.verify.settings import VerifySettings

Kind = TypeVar("Kind", bound=Enum)

OPTIONS: Mapping[str, str] = {
    "images": "Folder, .npy, .npz or module:function. Without it built-in pictures are used.",
    "labels": "A CSV of file,class for a folder of pictures.",
    "images-limit": "Use at most N images, evenly spaced. [default: all]",
    "max-megapixels": "Skip images above N million pixels. At most 178. [default: 64]",
    "preset": "How pixels become numbers. Without one, a report says that it is assumed. [default: imagenet]",
    "mean": "Subtracted after scaling. One number, or one per channel separated by commas.",
    "std": "Divided by after the mean. One number, or one per channel separated by commas.",
    "scale": "Multiplies 0..255 pixels first, such as 1/255.",
    "channels": "Channels of the input.",
    "layout": "Axes of the input, where its shape is open.",
    "size": "Height and width, where the model leaves them open. Such as 224x320, or one number for both.",
    "protocol": "How an input is shifted. [default: crop]",
    "radius": "Largest shift in pixels. Less for small inputs. [default: 32]",
    "shifts": "Random pairs of shifts per image. [default: 8]",
    "path": "Diagonal steps, for jaggedness. Of one pixel. [default: 0]",
    "exhaustive": "Also run every shift of up to N pixels. For the worst case. [default: 0]",
    "seed": "Seed of all shifts. [default: 0]",
    "task": "What the output is, where it does not tell.",
    "image-input": "The input that takes the image.",
    "measured-output": "The output to measure.",
    "feed": "Constants for other inputs. NAME=NUMBER, several separated by commas.",
    "box-score": "Count boxes from this score on. [default: 0.5]",
    "reference": "Another model, to agree with. Both run on the same windows (fidelity).",
    "layers": "Images to measure every site on. 0 for none. [default: 4]",
    "confidence": "Confidence of the intervals. [default: 0.95]",
    "device": "Where the model runs. [default: auto]",
    "threads": "Threads of onnxruntime. [default: all usable cores]",
    "allow-domain": "Operator domains that may run. Beside the standard ones, separated by commas.",
    "custom-ops": "A library of custom operators. Its native code runs.",
    "step-timeout": "Seconds for one call of the model. [default: 600]",
    "max-memory": "Memory of the model in GiB. Resident. [default: 80 % of all]",
}
# These let code or foreign files in, so a settings file of a checkout may not turn them on.
COMMAND_LINE_ONLY = frozenset({"allow-domain", "custom-ops"})

# Enough for an interval that says something; ten seconds for a small network on a laptop.
BUILTIN_IMAGES = 64
_COLOURS = ("rgb", "bgr", "grey")


@dataclass(frozen=True, slots=True)
class Request:
    """What to measure with. ``images`` is None for the built-in pictures."""

    images: str | None
    labels: Path | None
    limit: int | None
    max_megapixels: float
    settings: VerifySettings

    def source(self, drawn: Drawn | None = None) -> ImageSource:
        """The images. ``drawn`` keeps synthetic ones for the next time.

        Raises:
            DataError: there is nothing of the kind.
        """
        from auditor.verify.images.source import open_images

        if self.images is None:
            from auditor.verify.images.synthetic import builtin_images

            return builtin_images(self.limit or BUILTIN_IMAGES, drawn=drawn)
        return open_images(
            self.images, self.labels, self.limit, self.max_megapixels, self.settings.preprocessing.reader
        )


def read_request(values: Mapping[str, object]) -> Request:
    """The request that options by name make; those that are missing have their defaults.

    Raises:
        ValueError: an option is not what it must be; the message begins with its name.
    """
    read = _OptionReader(values)
    return Request(
        images=read.text("images"),
        labels=read.path("labels"),
        limit=read.integer("images-limit", 1),
        max_megapixels=_megapixels(read),
        settings=_settings(read),
    )


def read_keywords(values: Mapping[str, object]) -> Request:
    """As :func:`read_request`, for options that are spelled as Python names (``images_limit``).

    Raises:
        ValueError: as there, or there is no such option; the message spells names as Python does.
    """
    from auditor.choices import suggestion

    named = {_keyword(name): name for name in OPTIONS} | {"input": "image-input"}
    for name in values:
        if name not in named:
            raise ValueError(f"there is no option {name!r}{suggestion(str(name), named)}; there is {', '.join(named)}")
    try:
        return read_request({named[name]: value for name, value in values.items()})
    except ValueError as error:
        name = re.match(r"[a-z-]*", str(error))[0]  # type: ignore[index] # an empty match is one
        raise ValueError(_keyword(name) + str(error)[len(name) :] if name in OPTIONS else str(error)) from None


def _keyword(name: str) -> str:
    return name.replace("-", "_")


class _OptionReader:
    """Reads options one by one; every error names the option."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = {name: value for name, value in values.items() if value is not None}

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        return None if value is None else str(value)

    def words(self, name: str) -> tuple[str, ...]:
        value = self._values.get(name)
        parts: Sequence[object] = value if isinstance(value, list | tuple) else [value] if value is not None else []
        return tuple(word.strip() for part in parts for word in str(part).split(",") if word.strip())

    def path(self, name: str) -> Path | None:
        value = self.text(name)
        return None if value is None else Path(value)

    def parsed(self, name: str, parse: Callable[[str], Any], must: str) -> Any:
        value = self.text(name)
        if value is None:
            return None
        return _parsed(name, value, parse, must)

    def integer(self, name: str, least: int) -> int | None:
        def parse(text: str) -> int:
            if int(text) < least:
                raise ValueError
            return int(text)

        found: int | None = self.parsed(name, parse, f"a whole number of {least} or more")
        return found

    def number(self, name: str, least: float) -> float | None:
        def parse(text: str) -> float:
            if not least <= float(text) < float("inf"):
                raise ValueError
            return float(text)

        found: float | None = self.parsed(name, parse, f"a number of {least:g} or more")
        return found

    def numbers(self, name: str, least: float = float("-inf")) -> tuple[float, ...] | None:
        def parse(text: str) -> float:
            if not least < float(text) < float("inf"):
                raise ValueError
            return float(text)

        bound = "" if least == float("-inf") else f" above {least:g}"
        must = f"one number{bound}, or one per channel separated by commas, such as 0.5,0.5,0.5"
        for word in self.words(name):
            _parsed(name, word, parse, must)
        return tuple(parse(word) for word in self.words(name)) or None

    def choice(self, name: str, kind: type[Kind]) -> Kind | None:
        known = ", ".join(str(member.value) for member in kind)
        found: Kind | None = self.parsed(name, kind, f"one of {known}")
        return found


def _settings(read: _OptionReader) -> VerifySettings:
    from auditor.verify.images.preprocess import ImageLayout
    from auditor.verify.result import ProtocolKind, Task
    from auditor.verify.settings import DEFAULT_SCORE, VerifySettings
    from auditor.verify.shifts.plan import ShiftSettings
    from auditor.verify.worker.limits import RunLimits
    from auditor.verify.worker.memory import default_limit
    from auditor.verify.worker.providers import Device, DeviceKind, parse_device

    channels = read.text("channels")
    pairs, path = read.integer("shifts", 1), read.integer("path", 0)
    seed, exhaustive = read.integer("seed", 0), read.integer("exhaustive", 0)
    defaults = ShiftSettings()
    memory = read.number("max-memory", 0.1)
    return VerifySettings(
        preprocessing=_preprocessing(read),
        preset_assumed=all(read.text(name) is None for name in ("preset", "mean", "std", "scale")),
        protocol=read.choice("protocol", ProtocolKind) or ProtocolKind.CROP,
        radius=read.integer("radius", 1),
        shifts=ShiftSettings(
            pairs=defaults.pairs if pairs is None else pairs,
            path=path or 0,
            exhaustive=exhaustive or 0,
            seed=seed or 0,
        ),
        size=read.parsed("size", _size, "a height and a width in pixels such as 224x320, or one number for both"),
        layout=read.choice("layout", ImageLayout),
        channels=None if channels is None else 1 if channels == "grey" else 3,
        task=read.choice("task", Task),
        image_input=read.text("image-input"),
        output=read.text("measured-output"),
        feeds=_feeds(read.words("feed")),
        box_score=_or(read.parsed("box-score", _share, "a number between 0 and 1"), DEFAULT_SCORE),
        layer_images=_or(read.integer("layers", 0), 4),
        confidence=_or(read.parsed("confidence", _share, "a number between 0 and 1"), 0.95),
        device=_or(read.parsed("device", parse_device, "auto, cpu, cuda, cuda:N or tensorrt"), Device(DeviceKind.AUTO)),
        threads=read.integer("threads", 1) or usable_cores(),
        limits=RunLimits(
            _or(read.number("step-timeout", 0.1), RunLimits().step_seconds),
            default_limit() if memory is None else int(memory * 2**30),
        ),
        reference=read.path("reference"),
        allow_domains=frozenset(read.words("allow-domain")),
        custom_ops=tuple(Path(word) for word in read.words("custom-ops")),
    )


def _megapixels(read: _OptionReader) -> float:
    from auditor.verify.images.picture_file import MAX_MEGAPIXELS, MOST_MEGAPIXELS

    megapixels = read.number("max-megapixels", 0.001)
    if megapixels is not None and megapixels > MOST_MEGAPIXELS:
        raise ValueError(f"max-megapixels must be at most {MOST_MEGAPIXELS}")
    return MAX_MEGAPIXELS if megapixels is None else megapixels


def _preprocessing(read: _OptionReader) -> Any:
    from dataclasses import replace

    from auditor.verify.images.preprocess import DEFAULT_PRESET, PRESETS, ChannelOrder, for_grey, preset

    found = read.parsed("preset", preset, f"one of {', '.join(PRESETS)}") or preset(DEFAULT_PRESET)
    mean, std = read.numbers("mean"), read.numbers("std", 0)
    scale = read.parsed("scale", _fraction, "a number or a fraction such as 1/255")
    channels = read.parsed("channels", _colours, f"one of {', '.join(_COLOURS)}")
    if channels == "grey":
        found = for_grey(found)
    elif channels is not None:
        found = replace(found, order=ChannelOrder(channels))
    changes: dict[str, Any] = {"mean": mean, "std": std, "scale": scale}
    try:
        return replace(found, **{key: value for key, value in changes.items() if value is not None})
    except ValueError as error:
        raise ValueError(f"{error}; give one number for all channels or one per channel (--channels)") from None


def usable_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _parsed(name: str, text: str, parse: Callable[[str], Any], must: str) -> Any:
    try:
        return parse(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(f"{name} must be {must}; it is {plain(text, 60)!r}") from None


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _colours(text: str) -> str:
    if text not in _COLOURS:
        raise ValueError
    return text


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]{0,4})(?:x([1-9][0-9]{0,4}))?", text)
    if found is None:
        raise ValueError
    return int(found[1]), int(found[2] or found[1])


def _share(text: str) -> float:
    if not 0 < float(text) < 1:
        raise ValueError
    return float(text)


def _fraction(text: str) -> float:
    above, _, below = text.partition("/")
    value = float(above) / float(below or 1)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _feeds(words: Sequence[str]) -> dict[str, float]:
    feeds: dict[str, float] = {}
    for word in words:
        name, equals, number = word.rpartition("=")
        if not equals or not name:
            raise ValueError("feed must be NAME=NUMBER")
        feeds[name] = _parsed("feed", number, float, "NAME=NUMBER with a number behind the equals sign")
    return feeds
