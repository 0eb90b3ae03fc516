"""Figures of a verification, as PNG or SVG files: one function per figure, and :func:`write_plots` for all of them.

matplotlib is optional (the extra ``plots``) and is imported inside functions; no global state of it is touched, no
display is needed, and equal verifications give equal SVG files. Names that come from a model or a file system are
sanitised, and never read as mathematical text.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from auditor.files import replacing
from auditor.text import ModelText, plain
from auditor.verify.arrays import FloatArray
from auditor.verify.errors import VerifyError
from auditor.verify.layers.result import LayerResult
from auditor.verify.result import Curve, ImageResult, Verification

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Layout: TypeAlias = Literal["constrained", "compressed"]
FORMATS = ("png", "svg")
_WORST_IMAGES = 6
_LABEL = 40  # characters of a name in a figure
_DPI = 120
# Okabe and Ito: told apart with every common colour vision deficiency
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def write_plots(result: Verification, folder: Path, kind: str = "png") -> tuple[Path, ...]:
    """Write every figure that the verification has numbers for; the files appear whole or not at all.

    Returns the paths: ``distance``, ``maps``, ``paths``, ``tracks``, ``spectra``. Raises VerifyError where matplotlib
    is missing or the folder cannot be written, and ValueError for another format than :data:`FORMATS`.
    """
    if kind not in FORMATS:
        raise ValueError(f"plots are written as {' or '.join(FORMATS)}")
    curves = [curve for output in result.outputs for curve in output.curves if curve.points]
    images = [image for output in result.outputs for image in output.images if len(image.path) > 1]
    spectra = [layer for layer in result.layers if layer.before is not None]
    figures: list[tuple[str, Callable[[], Figure]]] = []
    if curves:
        figures.append(("distance", lambda: distance_figure(curves)))
    if result.layers:
        figures.append(("maps", lambda: map_figure(result.layers)))
    if images:
        figures.append(("paths", lambda: path_figure(worst_images(images))))
    moved = [image for output in result.outputs if (image := output.most_moved) is not None]
    if moved:
        figures.append(("tracks", lambda: track_figure(moved)))
    if spectra:
        figures.append(("spectra", lambda: spectrum_figure(spectra)))
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, make in figures:
            path = folder / f"{name}.{kind}"
            with replacing(path) as sink:
                sink.write(render(make(), kind))
            written.append(path)
    except OSError as error:
        raise VerifyError(f"the plots cannot be written ({error.strerror})", str(folder)) from error
    return tuple(written)


def distance_figure(curves: Sequence[Curve]) -> Figure:
    """Each measure against the shift distance in pixels, with its interval; one panel per measure."""
    figure, panels = _panels(len(curves), columns=2)
    for axes, curve, colour in zip(panels, curves, _cycle(len(curves)), strict=True):
        distances = np.array([point.distance for point in curve.points])
        values = np.array([point.value for point in curve.points])
        axes.plot(distances, values, marker="o", color=colour)
        known = [point for point in curve.points if point.interval is not None]
        if known:
            low = [point.interval.low for point in known if point.interval is not None]
            high = [point.interval.high for point in known if point.interval is not None]
            at = [point.distance for point in known]
            axes.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.vlines(at, low, high, color=colour, alpha=0.6)
        axes.set_xlabel("shift distance (px)")
        axes.set_ylabel(curve.measure, parse_math=False)
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
    return figure


def map_figure(layers: Sequence[LayerResult]) -> Figure:
    """The map of every layer side by side: the relative error over the shifts (dx, dy), one colour scale for all.

    Without a shift at the top left, as in the HTML report.
    """
    figure, panels = _panels(len(layers), columns=4, layout="compressed")  # the maps are square
    known = [value for layer in layers for row in layer.map.error for value in row if not math.isnan(value)]
    last = None
    for axes, layer in zip(panels, layers, strict=True):
        last = axes.imshow(_rows(layer.map.error), vmin=0.0, vmax=max([0.001, *known]), cmap="Blues", origin="upper")
        axes.set_xticks(range(len(layer.map.dx)), [str(shift) for shift in layer.map.dx], fontsize=6)
        axes.set_yticks(range(len(layer.map.dy)), [str(shift) for shift in layer.map.dy], fontsize=6)
        axes.set_title(f"{_place(layer)}\nfactor {_factor(layer)}", fontsize=8, parse_math=False)
        axes.set_xlabel("dx (px)", fontsize=7)
        axes.set_ylabel("dy (px)", fontsize=7)
    if last is not None:
        figure.colorbar(last, ax=panels, label="relative error", shrink=0.8)
    return figure


def worst_images(images: Sequence[ImageResult], count: int = _WORST_IMAGES) -> tuple[ImageResult, ...]:
    """The images whose score moves most along the path, the worst first; equal ones keep their order."""
    return tuple(sorted(images, key=lambda image: min(image.path) - max(image.path))[:count])


def path_figure(images: Sequence[ImageResult]) -> Figure:
    """The score of the unshifted input's class along the diagonal path of one-pixel shifts, one line per image."""
    figure, panels = _panels(1, columns=1)
    axes = panels[0]
    for image, colour in zip(images, _cycle(len(images)), strict=True):
        (line,) = axes.plot(range(len(image.path)), image.path, marker=".", color=colour)
        line.set_label(_name(image.name).lstrip("_"))
    legend = axes.legend(fontsize=7, loc="best")
    for text in legend.get_texts():
        text.set_parse_math(False)
    axes.set_xlabel("step of the diagonal path (px)")
    axes.set_ylabel("score of the reference class")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    return figure


def track_figure(images: Sequence[ImageResult]) -> Figure:
    """Each answer that was followed along the diagonal path of one-pixel shifts; the grid's period is marked."""
    followed = [(image, track) for image in images for track in image.tracks]
    figure, panels = _panels(len(followed), columns=2)
    for axes, (image, track), colour in zip(panels, followed, _cycle(len(followed)), strict=True):
        axes.plot(range(len(track.values)), track.values, marker=".", color=colour)
        for step in track.marks:
            axes.axvline(step, color="black", linestyle=":", linewidth=1)
        strength = "" if track.periodic is None else f"\n{track.periodic:.0%} repeats every {track.period} px"
        axes.set_title(f"{_name(image.name)}: {plain(track.name, _LABEL)}{strength}", fontsize=8, parse_math=False)
        axes.set_xlabel("step of the diagonal path (px)", fontsize=7)
        axes.set_ylabel(track.unit, fontsize=7)
        axes.grid(alpha=0.3)
    return figure


def spectrum_figure(layers: Sequence[LayerResult]) -> Figure:
    """Radially averaged power before and after each site; the new Nyquist frequency is marked, what lies above folds.

    Frequencies after the site are drawn on the grid before it; of two factors the larger one is marked.
    """
    figure, panels = _panels(len(layers), columns=3)
    for axes, layer in zip(panels, layers, strict=True):
        factor = max(layer.factor) if layer.factor is not None else 1.0
        if layer.before is not None:
            axes.semilogy(layer.before.frequencies, _positive(layer.before.power), color=COLOURS[0], label="before")
        if layer.after is not None:
            scaled = np.array(layer.after.frequencies) / factor
            axes.semilogy(scaled, _positive(layer.after.power), color=COLOURS[1], label="after")
        if factor > 1:
            axes.axvline(0.5 / factor, color="black", linestyle="--", linewidth=1, label="new Nyquist")
        title = _place(layer)
        if layer.alias_measured is not None:
            title += f"\nalias energy {layer.alias_measured:.1%}"
            title += "" if layer.alias_predicted is None else f", predicted {layer.alias_predicted:.1%}"
        axes.set_title(title, fontsize=8, parse_math=False)
        axes.set_xlabel("frequency (cycles per sample)", fontsize=7)
        axes.legend(fontsize=6)
        axes.grid(alpha=0.3)
    return figure


def _panels(count: int, columns: int, layout: Layout = "constrained") -> tuple[Figure, list[Axes]]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise VerifyError("plots need matplotlib: install aliasaudit[plots], or leave out --plots") from error
    wide = max(1, min(count, columns))
    high = -(-max(1, count) // wide)
    figure = Figure(figsize=(1 + 3.6 * wide, 0.8 + 3.2 * high), dpi=_DPI, layout=layout)
    grid = figure.subplots(high, wide, squeeze=False).ravel()
    for spare in grid[count:]:
        spare.set_axis_off()
    return figure, list(grid[:count])


def render(figure: Figure, kind: str) -> bytes:
    """The bytes of a figure as one of :data:`FORMATS`; equal figures give equal ones."""
    import matplotlib as mpl

    stream = io.BytesIO()
    # Without a date and with fixed identifiers, so that equal figures are equal files.
    with mpl.rc_context({"svg.hashsalt": "aliasaudit"}):
        figure.savefig(stream, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return stream.getvalue()


def _name(text: ModelText) -> str:
    return plain(text, _LABEL)


def _place(layer: LayerResult) -> str:
    """The node of a layer as other reports call it, or its tensor."""
    return _name(layer.node.name if layer.node is not None and layer.node.name else layer.tensor)


def _factor(layer: LayerResult) -> str:
    return " x ".join("?" if factor is None else f"{factor:g}" for factor in layer.cumulative)


def _rows(values: tuple[tuple[float, ...], ...]) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _positive(power: tuple[float, ...]) -> FloatArray:
    return np.maximum(np.array(power, dtype=np.float64), 1e-12)


def _cycle(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]
