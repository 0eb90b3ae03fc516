"""How a model is measured: the options of ``verify``, the table ``verify`` of the settings, keywords of ``measure``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from auditor.options.kinds import (
    choice,
    constants,
    file,
    fraction,
    height_width,
    number,
    numbers,
    parsed,
    share,
    text,
    whole,
    words,
)
from auditor.options.option import Group, option
from auditor.options.panels import VALUES, Panel

# Each is a run of the model, and the picture has to be so much larger than the window.
MOST_STEPS = 1024


def _device(word: str) -> str:
    name, colon, index = word.partition(":")
    if name not in VALUES["DEVICE"] or (colon and not (name == "cuda" and index.isascii() and index.isdigit())):
        raise ValueError
    return word


class Measuring(Group, table="verify"):
    """What is run, on which pictures, with which shifts, and where."""

    images: str | None = option(
        text("SOURCE", path=True),
        "Folder, .npy, .npz or module:function. Without it built-in pictures are used.",
        Panel.IMAGES,
    )
    video: Path | None = option(
        file("FILE"), "Measure over the frames of a video, too. Needs aliasaudit[video].", Panel.IMAGES
    )
    frames: Path | None = option(
        file("DIR"), "Measure over a folder of frames, too. In the order of their names.", Panel.IMAGES
    )
    labels: Path | None = option(file("CSV"), "A CSV of file,class for a folder of pictures.", Panel.IMAGES)
    images_limit: int | None = option(
        whole("N", 1), "Use at most N images, evenly spaced. Of a clip the first N frames.", Panel.IMAGES, shown="all"
    )
    max_megapixels: float = option(
        number("N", 0.001, 178.0001, "a number of 0.001 or more, at most 178"),
        "Skip images above N million pixels. At most 178.",
        Panel.RARE,
        default=64.0,
    )
    preset: str = option(
        choice("PRESET"),
        "Pixels to numbers, or a whole pipeline. Without one, a report says that it is assumed.",
        Panel.IMAGES,
        default="imagenet",
    )
    resize: str | None = option(
        text("RESIZE"),
        "Resize as a library does, such as cv2-linear. Without it as the preset says.",
        Panel.IMAGES,
    )
    fit: str | None = option(
        choice("FIT"),
        "How a picture gets the shape of the input. Without it as the preset says.",
        Panel.IMAGES,
    )
    mean: tuple[float, ...] | None = option(
        numbers("NUMBERS"),
        "Subtracted after scaling. One number, or one per channel separated by commas.",
        Panel.IMAGES,
    )
    std: tuple[float, ...] | None = option(
        numbers("NUMBERS", 0),
        "Divided by after the mean. One number, or one per channel separated by commas.",
        Panel.IMAGES,
    )
    scale: float | None = option(fraction("NUMBER"), "Multiplies 0..255 pixels first, such as 1/255.", Panel.IMAGES)
    channels: str | None = option(choice("rgb|bgr|grey"), "Channels of the input.", Panel.IMAGES)
    layout: str | None = option(
        text("NAME"),
        "Layout of the outputs, or auto. NCHW, NHWC, NHW: axes of the input. Both separated by a comma.",
        Panel.MEASURING,
    )
    size: tuple[int, int] | None = option(
        height_width("HxW"),
        "Height and width, where the model leaves them open. Such as 224x320, or one number for both.",
        Panel.IMAGES,
    )
    protocol: tuple[str, ...] = option(
        words("PROTOCOL"),
        "How an input is changed. By shifts, and beside them such as noise:2,jpeg:75,light:2%,rotate:1,half-pixel.",
        Panel.SHIFTS,
        default=("crop",),
        shown="crop",
    )
    shift_at: str = option(
        choice("native|model"),
        "Whose whole pixels a shift counts.",
        Panel.SHIFTS,
        default="model",
    )
    radius: int | None = option(
        whole("PX", 1), "Largest shift in pixels. Less for small inputs.", Panel.SHIFTS, shown="32"
    )
    shifts: int = option(whole("N", 1), "Random pairs of shifts per image.", Panel.SHIFTS, default=8)
    path: int = option(
        whole("STEPS", 0, most=MOST_STEPS),
        "Steps of a diagonal path, for jaggedness. Of one pixel. Other tasks show each answer along it.",
        Panel.SHIFTS,
        default=0,
    )
    exhaustive: int = option(
        whole("PX", 0), "Also run every shift of up to N pixels. For the worst case.", Panel.SHIFTS, default=0
    )
    seed: int = option(whole("N", 0), "Seed of all shifts.", Panel.SHIFTS, default=0)
    task: str | None = option(choice("TASK"), "What the output is, where it does not tell.", Panel.MEASURING)
    image_input: str | None = option(
        text("NAME"), "The input that takes the image.", Panel.MEASURING, "--image-input", "--input"
    )
    measured_output: str | None = option(text("NAME"), "The output to measure.", Panel.MEASURING)
    feed: Mapping[str, float] = option(
        constants("NAME=NUMBER"),
        "Constants for other inputs. NAME=NUMBER, several separated by commas.",
        Panel.MEASURING,
        default={},
    )
    box_score: float = option(share("SHARE"), "Count boxes from this score on.", Panel.MEASURING, default=0.5)
    reference: Path | None = option(
        file("MODEL"), "Another model, to agree with. Both run on the same windows (fidelity).", Panel.MEASURING
    )
    reference_runtime: str | None = option(
        choice("RUNTIME"), "Runtime of the reference. Without it that of its format.", Panel.MEASURING
    )
    reference_preset: str | None = option(
        choice("PRESET"),
        "Preset of the reference. Without it that of the model.",
        Panel.MEASURING,
    )
    reference_layout: str | None = option(
        text("NAME"),
        "Layout of the reference. As --layout.",
        Panel.MEASURING,
    )
    reference_size: tuple[int, int] | None = option(
        height_width("HxW"),
        "Size of the reference. Where it leaves its height and width open.",
        Panel.MEASURING,
    )
    reference_first_class: int | None = option(
        whole("CLASS", 0),
        "Class of the reference that is class 0 here. Such as 1 behind a background.",
        Panel.MEASURING,
    )
    runtime: str | None = option(
        choice("RUNTIME"),
        "Run the model in another runtime. An ONNX file is run in onnxruntime beside it.",
        Panel.MEASURING,
        shown="that of the format",
    )
    layers: int = option(whole("IMAGES", 0), "Images to measure every site on. 0 for none.", Panel.MEASURING, default=4)
    confidence: float = option(share("SHARE"), "Confidence of the intervals.", Panel.MEASURING, default=0.95)
    device: str = option(
        parsed("DEVICE", _device, f"one of {', '.join(VALUES['DEVICE'])}"),
        "Where the model runs.",
        Panel.MEASURING,
        default="auto",
    )
    threads: int | None = option(whole("N", 1), "Threads of the runtime.", Panel.RARE, shown="all usable cores")
    jobs: int = option(
        whole("N", 1),
        "Processes that measure images at once. Each has a part of the cores and memory; the numbers are those of one"
        " process.",
        Panel.MEASURING,
        default=1,
    )
    ray: str | None = option(
        text("ADDRESS"),
        "Measure on Ray: HOST:PORT, or local. Every machine reads model and images at the same path. Needs"
        " aliasaudit[ray].",
        Panel.MEASURING,
    )
    allow_domain: tuple[str, ...] = option(
        words("DOMAIN"),
        "Operator domains that may run. Beside the standard ones, separated by commas.",
        Panel.RARE,
        trusted=True,
    )
    custom_ops: tuple[str, ...] = option(
        words("LIBRARY", path=True), "A library of custom operators. Its native code runs.", Panel.RARE, trusted=True
    )
    step_timeout: float = option(
        number("SECONDS", 0.1), "Seconds for one call of the model.", Panel.RARE, default=600.0
    )
    max_memory: float | None = option(
        number("GIB", 0.1), "Memory of the model in GiB. Resident.", Panel.RARE, shown="80 % of all"
    )


COMMON = (
    *("images", "labels", "images_limit", "preset", "resize", "fit", "mean", "std", "scale", "channels", "shift_at"),
    *("image_input", "task", "layout", "measured_output", "device", "threads", "jobs", "ray"),
)
"""Those that commands have which also measure; the others stand in the settings file."""

OF_REFERENCE = ("reference_runtime", "reference_preset", "reference_layout", "reference_size", "reference_first_class")
"""Those that say how a reference is read, or the base of a comparison."""
