"""The expected alias energy against what folds of real activations, written as a table into docs/severity.md.

``python benchmarks/severity.py MODELS... --images IMAGE...`` runs every model of some folders on these pictures, with
the operator of each sampling site cloned at stride 1, and takes the share of its power outside of the new Nyquist box
as ``verify`` defines it. It needs onnxruntime, Pillow and scipy. Strides above 4 and maps that are no pictures are left
out, as are models that onnxruntime does not load, or that do not read one picture of one or three channels.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from PIL import Image
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from auditor.onnxfile import read_model  # noqa: E402 - after the path is set
from auditor.onnxfile.errors import ModelFileError  # noqa: E402
from auditor.sampling import analyse  # noqa: E402
from auditor.sampling.result import Analysis, Site, SiteKind  # noqa: E402
from auditor.verify.layers.spectrum import alias_share  # noqa: E402

PAGE = ROOT / "docs" / "severity.md"
BEGIN, END = "<!-- begin: severity -->", "<!-- end: severity -->"
KINDS = (SiteKind.CONV, SiteKind.MAX_POOL, SiteKind.AVERAGE_POOL)
CHANNELS = 48
LARGEST_SIDE = 640
LARGEST_FACTOR = 4
HEADINGS = ("sites", "number", "n", "Spearman", "in a model", "ratio", "10-90 %", "within x2", "mean error")


@dataclass(frozen=True, slots=True)
class Row:
    """One site of one model: its two static numbers, and what was measured on the pictures."""

    model: str
    kind: str
    flat: float
    expected: float
    measured: float


def cropped(path: Path, height: int, width: int, channels: int) -> np.ndarray[Any, Any]:
    """The middle of a picture at this size, enlarged or reduced with antialiasing: float32 (channels, H, W)."""
    with Image.open(path) as opened:
        image = opened.convert("RGB" if channels == 3 else "L")
    scale = max(height / image.height, width / image.width)
    size = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    resized = np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.float32).reshape(size[1], size[0], channels)
    top, left = (size[1] - height) // 2, (size[0] - width) // 2
    levels = resized[top : top + height, left : left + width] / 255
    return np.asarray(((levels - 0.5) / 0.25).transpose(2, 0, 1), np.float32)


def input_of(model: onnx.ModelProto, analysis: Analysis) -> tuple[str, tuple[int, ...], bool] | None:
    """Name, shape and layout (channels first) of the one input that is a picture, None where there is none."""
    stored = {tensor.name for tensor in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in stored]
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    shape = analysis.shapes.get(names[0]) if len(names) == 1 else None
    if shape is None or len(shape) != 4 or kinds[names[0]] != onnx.TensorProto.FLOAT:
        return None
    if shape[1] in (1, 3):
        return names[0], (1, *shape[1:]), True
    return (names[0], (1, *shape[1:]), False) if shape[3] in (1, 3) else None


def sites_of(analysis: Analysis) -> Iterator[Site]:
    """The sites that can be measured: two axes, in the main graph, with a number to compare."""
    for site in analysis.sites:
        known = site.alias is not None and site.alias.expected is not None and not site.node.scope
        if known and site.kind in KINDS and len(site.factor) == 2 and max(site.factor) <= LARGEST_FACTOR:
            yield site


def cloned(model: onnx.ModelProto, sites: Sequence[Site]) -> list[Site]:
    """Add an output to the model for every site whose operator exists at stride 1, and return those sites."""
    nodes = {output: node for node in model.graph.node for output in node.output}
    kept: list[Site] = []
    for index, site in enumerate(sites):
        node = nodes.get(site.output.raw)
        if node is None or node.domain or not any(attribute.name == "strides" for attribute in node.attribute):
            continue
        twin = onnx.NodeProto()
        twin.CopyFrom(node)
        del twin.output[:]
        twin.output.append(f"severity_{len(kept)}")
        twin.name = f"severity_{index}"
        for attribute in twin.attribute:
            if attribute.name == "strides":
                attribute.ints[:] = [1] * len(attribute.ints)
        model.graph.node.append(twin)
        model.graph.output.append(onnx.ValueInfoProto(name=twin.output[0]))
        kept.append(site)
    return kept


def measured(path: Path, images: Sequence[Path]) -> list[Row]:
    """The sites of one model; none where it cannot be run."""
    try:
        analysis = analyse(read_model(path))
        model = onnx.load(path)
        given = input_of(model, analysis)
        sites = cloned(model, list(sites_of(analysis)))
        if given is None or not sites or max(given[1][1:]) > LARGEST_SIDE:
            return []
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return list(_run(path.stem, session, sites, given, images))
    except (ModelFileError, ValueError, RuntimeError, onnx.onnx_cpp2py_export.checker.ValidationError) as error:
        print(f"{path.name}: {str(error).splitlines()[0][:100]}", file=sys.stderr)
    except Exception as error:  # noqa: BLE001 - onnxruntime's own errors share no base class
        print(f"{path.name}: {type(error).__name__}", file=sys.stderr)
    return []


def _run(
    name: str, session: Any, sites: Sequence[Site], given: tuple[str, tuple[int, ...], bool], images: Sequence[Path]
) -> Iterator[Row]:
    tensor, shape, first = given
    height, width = shape[2:] if first else shape[1:3]
    shares: list[list[float]] = [[] for _ in sites]
    for image in images:
        picture = cropped(image, height, width, shape[1] if first else shape[3])[None]
        outputs = [f"severity_{index}" for index in range(len(sites))]
        made = session.run(outputs, {tensor: picture if first else picture.transpose(0, 2, 3, 1)})
        for site, maps, share in zip(sites, made, shares, strict=True):
            step = -(-maps.shape[1] // CHANNELS)
            share.append(alias_share(maps[:, ::step].astype(np.float64), tuple(map(float, site.factor))).varying)
    for site, share in zip(sites, shares, strict=True):
        alias = site.alias
        if alias is not None and alias.expected is not None:
            pointwise = site.kind is SiteKind.CONV and set(site.kernel) == {1}
            kind = "picture" if alias.picture else "convolution 1x1" if pointwise else site.kind.value
            yield Row(name, kind, alias.flat, alias.expected, float(np.mean(share)))


def cells(words: str, rows: Sequence[Row], *, flat: bool) -> list[str]:
    """One line of the table."""
    said = np.array([row.flat if flat else row.expected for row in rows])
    true = np.array([row.measured for row in rows])
    ratio = said / np.maximum(true, 1e-4)
    inside = []
    for model in sorted({row.model for row in rows}):
        own = [index for index, row in enumerate(rows) if row.model == model]
        if len(own) >= 4 and np.ptp(said[own]) > 0:
            inside.append(stats.spearmanr(said[own], true[own]).statistic)
    low, middle, high = np.quantile(ratio, [0.1, 0.5, 0.9])
    rank = stats.spearmanr(said, true).statistic if np.ptp(said) > 0 else float("nan")
    near = np.mean((ratio >= 0.5) & (ratio <= 2))
    numbers = [f"{rank:.2f}", f"{np.mean(inside):.2f}" if inside else "-", f"{middle:.2f}", f"{low:.2f}-{high:.2f}"]
    return [
        words,
        "flat" if flat else "expected",
        str(len(rows)),
        *numbers,
        f"{near:.2f}",
        f"{abs(said - true).mean():.3f}",
    ]


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown, all sites first, then by kind."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), cells("all", rows, flat=True), cells("all", rows, flat=False)]
    for kind in sorted({row.kind for row in rows}):
        own = [row for row in rows if row.kind == kind]
        if len(own) >= 3:
            lines.append(cells(kind, own, flat=False))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def gathered(folders: Sequence[Path], images: Sequence[Path]) -> list[Row]:
    """The sites of all models in these folders."""
    rows: list[Row] = []
    for path in sorted(path for folder in folders for path in folder.glob("*.onnx")):
        own = measured(path, images)
        rows += own
        if own:
            print(f"{path.name}: {len(own)} sites", file=sys.stderr, flush=True)
    return rows


def main(arguments: Iterable[str] | None = None) -> None:
    """Measure, print the table, and write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--images", type=Path, nargs="+", required=True)
    chosen = parser.parse_args(None if arguments is None else list(arguments))
    rows = gathered(chosen.models, chosen.images)
    models = len({row.model for row in rows})
    runtime = f"onnxruntime {onnxruntime.__version__}"
    words = f"{len(rows)} sites of {models} models, {len(chosen.images)} photographs, {runtime}:"
    made = f"{words}\n\n{table(rows)}"
    print(made)
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(f"{BEGIN}\n")
    PAGE.write_text(f"{head}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
