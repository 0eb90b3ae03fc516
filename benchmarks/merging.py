"""Whether a fitted correction where averaged phases merge brings the features nearer to the original's.

    python -m benchmarks.merging --models DIR [--models DIR] --images DIR [--limit N] [--into PAGE]

For the windows of ``benchmarks.windows``, the features at the merge are those of the original on the one side and the
mean of two phases on the other. On every other photograph a gain and a bias per channel, and a ridge regression over
all channels, are fitted from the second to the first; on the others is told what share of the original's variance they
miss, without and with the correction. Where two phases are alike but for their place, the best linear correction of
their mean is none: the covariance of a phase with the mean is the variance of the mean.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from auditor.onnxfile import read_model
from auditor.rewrite.graph.parts import PREFIX
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Options, Step, Strategy
from auditor.sampling import analyse
from auditor.verify.images.preprocess import to_tensor
from auditor.verify.options import read_keywords
from benchmarks.ablation_table import placed
from benchmarks.lock import SUBJECTS

Floats: TypeAlias = npt.NDArray[np.float64]

MARKS = "<!-- begin: merging -->", "<!-- end: merging -->"
WINDOWS = {"SqueezeNet 1.0": ("MaxPool_32", "Concat_53"), "MobileNetV2": ("depthwise_conv_2d_48", "conv_2d_60")}
SIDE = 224
STRENGTH = 1e-3
"""Of a ridge, as a share of the mean variance of a channel."""


def features(path: Path, tensor: str) -> Any:
    """What runs a file and gives one tensor of it as rows (positions, channels)."""
    import onnx
    import onnxruntime

    model = onnx.load(path)
    model.graph.output.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(picture: npt.NDArray[np.float32]) -> Floats:
        (found,) = session.run([tensor], {name: picture})
        return np.asarray(found[0].reshape(found.shape[1], -1).T, np.float64)

    return run


def missed(kept: Floats, target: Floats) -> float:
    """The share of the variance of the target that is not there."""
    spread = target - target.mean(axis=0)
    return float(((kept - target) ** 2).sum() / (spread**2).sum())


def per_channel(given: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Gain and bias of each channel by least squares."""
    middle, goal = given.mean(axis=0), target.mean(axis=0)
    spread = given - middle
    gain = (spread * (target - goal)).sum(axis=0) / np.maximum((spread**2).sum(axis=0), 1e-12)
    return gain, goal - gain * middle


def ridge(given: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Matrix and bias over all channels, drawn towards no correction at all."""
    middle = given.mean(axis=0)
    spread = given - middle
    products = spread.T @ spread
    weight = STRENGTH * np.trace(products) / len(products) * np.eye(len(products))
    gap = np.linalg.solve(products + weight, spread.T @ (target - given))
    matrix = np.eye(len(products)) + gap
    return matrix, target.mean(axis=0) - middle @ matrix


def pictures(folder: Path, limit: int, options: Any) -> Iterator[npt.NDArray[np.float32]]:
    """The middle of each photograph, prepared."""
    from PIL import Image

    prepare = read_keywords({**options, "images": str(folder)}).settings.preprocessing
    paths = sorted(one for one in folder.iterdir() if one.suffix.lower() in (".jpeg", ".jpg", ".png"))
    for path in paths[:limit]:
        with Image.open(path) as opened:
            whole = opened.convert("RGB")
        share = 256 / min(whole.size)
        size = [max(256, round(share * length)) for length in whole.size]
        levels = np.asarray(whole.resize((size[0], size[1]), Image.Resampling.BILINEAR))
        top, left = ((length - SIDE) // 2 for length in levels.shape[:2])
        window = levels[top : top + SIDE, left : left + SIDE]
        yield np.ascontiguousarray(to_tensor(window, prepare)[None], np.float32)


def row(name: str, path: Path, options: Any, images: Path, limit: int) -> str:
    """The line of a model."""
    site, merge = WINDOWS[name]
    model = read_model(path)
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary) / "window.onnx"
        rewrite(model, analyse(model), Step(Strategy.WINDOW_AVERAGE, Options(merges=(merge,)), (site,)), target)
        made = [node for node in read_model(target).graph.nodes if node.name.startswith(PREFIX)]
        tensor = made[-1].outputs[0]  # the mean, under the name that what was merged had
        runs = features(path, tensor), features(target, tensor)
        halves: tuple[list[tuple[Floats, Floats]], ...] = ([], [])
        for place, picture in enumerate(pictures(images, limit, options)):
            halves[place % 2].append((runs[1](picture), runs[0](picture)))
    (given, goal), (others, theirs) = (
        (np.concatenate([one for one, _ in half]), np.concatenate([one for _, one in half])) for half in halves
    )
    gain, bias = per_channel(given, goal)
    matrix, offset = ridge(given, goal)
    shares = [missed(kept, theirs) for kept in (others, others * gain + bias, others @ matrix + offset)]
    told = " | ".join(f"{100 * share:.2f} %" for share in shares)
    return f"| {name}, {site} to {merge} ({len(halves[1])}) | {told} | {np.median(gain):.3f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, action="append", default=[], help="a folder of models; repeatable")
    parser.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--limit", type=int, default=100, help="photographs, half of them to fit on")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="put the table between the marks of this page")
    given = parser.parse_args(arguments)
    lines = [
        "| window (photographs) | missed as it is | with a gain and a bias per channel | with a ridge | median gain |",
        "|---|---|---|---|---|",
    ]
    for subject in SUBJECTS:
        if subject.name in WINDOWS:
            path = next(folder / subject.file for folder in given.models if (folder / subject.file).exists())
            lines.append(row(subject.name, path, subject.options, given.images, given.limit))
    text = "\n".join(lines) + "\n"
    if given.into is not None:
        page = given.into.read_text(encoding="utf-8")
        given.into.write_text(placed(page, text, MARKS), encoding="utf-8", newline="\n")
    print(text, end="")


if __name__ == "__main__":
    main()
