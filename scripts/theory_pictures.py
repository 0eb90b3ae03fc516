"""Draw the pictures of docs/theory.md into ``docs/pictures``: what a stride does to a row of pixels.

    python scripts/theory_pictures.py

The row is one of the photograph that the program carries (CC0, Stefan van der Walt). Nothing is trained, and no model
is needed: a max-pool of two, alone and with Zhang's blur in front of its subsampling.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
CAT = ROOT / "auditor" / "verify" / "images" / "pictures" / "chelsea.jpg"

Row = NDArray[np.float64]
TRI = np.array([0.25, 0.5, 0.25])
ROW, LEFT, LENGTH = 214, 250, 64  # through the whiskers
DEPTH = 3  # stages of a stack: S is 2 to the power of it
BLUE, ORANGE, VIOLET, GREY = "#0a58ca", "#b5520c", "#7048b6", "#57606a"


def photograph() -> Row:
    """The picture in grey, (H, W), 0 to 1."""
    return np.asarray(Image.open(CAT).convert("L"), np.float64) / 255


def max_pool(row: Row) -> Row:
    """The maximum of two neighbours, at every second place, along the last axis."""
    return np.maximum(row[..., :-1], row[..., 1:])[..., ::2]


def blurred_pool(row: Row) -> Row:
    """The same maxima, blurred before every second one is kept. Zhang, ICML 2019, section 3.2."""
    dense = np.maximum(row[..., :-1], row[..., 1:])
    padded = np.pad(dense, [(0, 0)] * (dense.ndim - 1) + [(1, 1)], mode="reflect")
    low = sum(weight * padded[..., place : place + dense.shape[-1]] for place, weight in enumerate(TRI))
    return np.asarray(low)[..., ::2]


def moved(row: Row, pool: Callable[[Row], Row]) -> tuple[Row, Row]:
    """The pooled row, and the pooled row of what a camera sees one pixel further right, at the places of its pixels."""
    return pool(row[..., :-1]), pool(row[..., 1:])


def lost(row: Row, pool: Callable[[Row], Row]) -> float:
    """How far apart the two answers are, against how much the row varies; both read at the middle of their windows."""
    here, there = moved(row, pool)
    between = (here[..., :-1] + here[..., 1:]) / 2  # what a steady pool would give half a step further
    size = min(between.shape[-1], there.shape[-1])
    return float(np.abs(between[..., :size] - there[..., :size]).mean() / np.abs(here - here.mean()).mean())


def stacked(pool: Callable[[Row], Row]) -> Callable[[Row], Row]:
    """The pool ``DEPTH`` times, each behind a difference of neighbours and a ReLU, as a network has them."""

    def run(row: Row) -> Row:
        for _ in range(DEPTH):
            edges = np.diff(row, axis=-1)
            row = pool(np.maximum(edges, 0))
        return row

    return run


def by_shift(network: Callable[[Row], Row], steps: int) -> Row:
    """The relative change of what the rows of the picture give, once the shift is undone, for shifts of 0 to ``steps``.

    The answers lie S pixels apart, so a shift is undone exactly only by whole S; between them it is undone by linear
    interpolation.
    """
    rows, period = photograph()[::8], 2**DEPTH
    length = rows.shape[-1] - steps - 1
    length -= length % period
    still = network(rows[:, :length])
    found = []
    for step in range(steps + 1):
        there = network(rows[:, step : step + length])
        at = np.arange(still.shape[-1]) + step / period
        inside = at <= still.shape[-1] - 1
        low = np.floor(at[inside]).astype(int)
        share = at[inside] - low
        undone = still[:, low] * (1 - share) + still[:, np.minimum(low + 1, still.shape[-1] - 1)] * share
        # A blur reads beyond the ends of a row, which are other pixels after a shift.
        change = np.abs(undone - there[:, inside])[:, 2:-2]
        found.append(change.mean() / np.abs(still).mean())
    return np.array(found)


def spectrum(rows: Row) -> tuple[Row, Row]:
    """Frequencies in cycles per sample, and the mean power of rows (R, N) without their means."""
    window = np.hanning(rows.shape[-1])
    power = np.abs(np.fft.rfft((rows - rows.mean(axis=-1, keepdims=True)) * window)) ** 2
    return np.fft.rfftfreq(rows.shape[-1]).astype(np.float64), np.asarray(power.mean(axis=0), np.float64)


def aliased_share(rows: Row) -> float:
    """The share of the power above a quarter of a cycle per sample: what folds at a stride of two."""
    frequencies, power = spectrum(rows)
    return float(power[frequencies > 0.25].sum() / power.sum())


def one_row(figure: Any) -> None:
    """The row, and what the two pools make of it at the two places of the grid."""
    row = photograph()[ROW, LEFT : LEFT + LENGTH]
    top, *panels = figure.subplots(3, 1, sharex=True)
    top.plot(row, color=GREY, marker="o", markersize=3)
    top.set_title("one row of pixels", loc="left")
    pools = ("max-pool 2, stride 2", max_pool), ("the same with a blur", blurred_pool)
    for axes, (name, pool) in zip(panels, pools, strict=True):
        for start, (answer, colour, style, word) in enumerate(
            zip(moved(row, pool), (BLUE, ORANGE), ("-", "--"), ("as it was", "one pixel on"), strict=True)
        ):
            places = 2 * np.arange(len(answer)) + 0.5 + start
            axes.step(places, answer, where="mid", color=colour, linestyle=style, label=word)
        axes.set_title(f"{name}: the two differ by {100 * lost(row, pool):.0f} % of what the row varies", loc="left")
    panels[0].legend(loc="lower right")
    panels[-1].set_xlabel("pixel of the row")


def period(figure: Any) -> None:
    """How far three stages of subsampling are from moving with the picture, by shift."""
    axes = figure.subplots()
    steps = 2 * 2**DEPTH
    for name, pool, colour, style in (("max-pools", max_pool, ORANGE, "-"), ("with blurs", blurred_pool, BLUE, "--")):
        axes.plot(by_shift(stacked(pool), steps), color=colour, linestyle=style, marker="o", markersize=3, label=name)
    for place, word in ((2**DEPTH, "S"), (2 * 2**DEPTH, "2 S")):
        axes.axvline(place, color=VIOLET, linestyle=":")
        axes.text(place, axes.get_ylim()[1], word, color=VIOLET, ha="center", va="bottom")
    axes.set_xlabel("shift in pixels")
    axes.set_ylabel("relative change, shift undone")
    axes.set_ylim(bottom=0)
    axes.legend()


def spectra(figure: Any) -> None:
    """The power in front of the subsampling, and what of it lies above the new limit."""
    axes = figure.subplots()
    rows = photograph()[:, :448]
    dense = np.maximum(rows[:, :-1], rows[:, 1:])
    padded = np.pad(dense, [(0, 0), (1, 1)], mode="reflect")
    low = np.asarray(sum(weight * padded[:, place : place + dense.shape[1]] for place, weight in enumerate(TRI)))
    for name, signal, colour, style in (("maximum of two", dense, ORANGE, "-"), ("the same, blurred", low, BLUE, "--")):
        frequencies, power = spectrum(signal)
        share = aliased_share(signal)
        axes.semilogy(
            frequencies, power, color=colour, linestyle=style, label=f"{name}: {100 * share:.2f} % of the power folds"
        )
        axes.fill_between(frequencies, power, where=frequencies > 0.25, color=colour, alpha=0.15, linewidth=0)
    axes.axvline(0.25, color=VIOLET, linestyle=":")
    axes.text(0.252, axes.get_ylim()[0] * 3, "new Nyquist limit of stride 2", color=VIOLET)
    axes.set_xlabel("frequency, cycles per sample")
    axes.set_ylabel("power")
    axes.legend()


FIGURES: dict[str, tuple[Callable[[Any], None], tuple[float, float]]] = {
    "one-row.svg": (one_row, (8, 6)),
    "period.svg": (period, (8, 3.6)),
    "spectra.svg": (spectra, (8, 3.6)),
}


def drawn(name: str) -> str:
    """The picture of this name as SVG; equal versions of the libraries draw equal ones."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    make, size = FIGURES[name]
    look: dict[Any, Any] = {
        "svg.hashsalt": "aliasaudit",
        "svg.fonttype": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(look):
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        make(figure)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def main() -> None:
    """Write every picture."""
    for name in FIGURES:
        (PICTURES / name).write_text(drawn(name), encoding="utf-8", newline="\n")
        print(f"wrote docs/pictures/{name}")


if __name__ == "__main__":
    main()
