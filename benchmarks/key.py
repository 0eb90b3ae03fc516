"""Keys of the grid lock by simulation: by how many pixels the window wavers when it should stand still.

    python -m benchmarks.key [--images DIR] [--limit N] [--json FILE] [--into PAGE]

No network is run. For each key and each disturbance, the offset that a view chooses is compared with that of the same
view disturbed; what the picture really moved by is taken off, modulo the period. Told is the median of the distance in
pixels over both axes and all pictures. Every other picture is for choosing, the others are for telling. Without
``--images`` the rows are those that ``--json`` kept.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from auditor.rewrite.lock.tables import SMOOTHING
from auditor.verify.perturbation import Perturbation, PerturbationKind
from auditor.verify.shifts.perturbing import half_pixel, perturbed
from benchmarks.ablation_table import placed

Floats: TypeAlias = npt.NDArray[np.float64]

MARKS = "<!-- begin: keys -->", "<!-- end: keys -->"
VIEW, PERIOD, REACH = 256, 16, 32
_ROOM = 2 * REACH
_PLACES = np.arange(32 * PERIOD) / 32
_WAVES = np.exp(-2j * np.pi * np.outer(np.arange(1, 7), _PLACES) / PERIOD)
_FARS = 6  # shifts of up to REACH pixels for every picture


@dataclass(frozen=True, slots=True)
class Key:
    """How energy is taken from a smoothed grey view, and how its phase is read."""

    name: str
    power: float = 1.5
    smooth: int = 2
    flatten: int = 0
    strength: float = 1.0
    clip: float = 0.0
    tiles: int = 0
    vote: float = 1.0
    taper: str = "sine"
    weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    pull: float = 0.0


KEYS = (
    Key("the key of `grid-lock`"),
    Key("the first harmonic alone", weights=(1.0,)),
    Key("two harmonics", weights=(1.0, 1.0)),
    Key("six harmonics", weights=(1.0,) * 6),
    Key("four harmonics, each with half the weight of the last", weights=(1.0, 0.5, 0.25, 0.125)),
    Key("the first harmonic, pulled to the middle by 0.01 of the energy", weights=(1.0,), pull=0.01),
    Key("the first harmonic, pulled to the middle by 0.04 of the energy", weights=(1.0,), pull=0.04),
    Key("under a Hann taper, not half a sine", taper="hann"),
    Key("under the square of a Hann taper", taper="square"),
    Key("under a taper that leaves the middle out", taper="ring"),
    Key("energy to the power of 0.5, not 1.5", power=0.5),
    Key("energy to the power of 3", power=3.0),
    Key("energy clipped at four times its mean", clip=4.0),
    Key("energy clipped at its mean", clip=1.0),
    Key("energy divided by its mean over 31 pixels", flatten=31),
    Key("energy divided by its mean over 63 pixels", flatten=63),
    Key("the first harmonic, in votes of 4x4 tiles by the root of their strength", tiles=4, vote=0.5, weights=(1.0,)),
    Key("the first harmonic, in votes of 4x4 tiles of one weight each", tiles=4, weights=(1.0,)),
    Key("the first harmonic, in votes of 8x8 tiles of one weight each", tiles=8, weights=(1.0,)),
    Key("averaged over 7x7 pixels four times, not twice", smooth=4),
)


def offsets(view: npt.NDArray[Any], keys: Sequence[Key] = KEYS) -> npt.NDArray[np.float64]:
    """(keys, 2) where the window of a view (V, V, C) begins by each key, down and right, modulo the period."""
    grey = np.asarray(view, np.float64).mean(axis=2) / 255
    energies: dict[int, Floats] = {}
    found = []
    for key in keys:
        if key.smooth not in energies:
            energies[key.smooth] = _squared_slopes(grey, key.smooth)
        found.append([_offset(key, sums) for sums in _sums(key, energies[key.smooth])])
    return np.array(found)


def _squared_slopes(grey: Floats, smooth: int) -> Floats:
    """dx^2 + dy^2 of the smoothed view, without the border that has none; the same extent for any smoothing."""
    for _ in range(smooth):
        grey = uniform_filter(grey, SMOOTHING, mode="nearest")
    down, right = (grey[2:, 1:-1] - grey[:-2, 1:-1]) / 2, (grey[1:-1, 2:] - grey[1:-1, :-2]) / 2
    lost = SMOOTHING - 1
    return np.asarray((down**2 + right**2)[lost:-lost, lost:-lost], np.float64)


def _sums(key: Key, squared: Floats) -> tuple[Sequence[complex], Sequence[complex]]:
    """The harmonics along rows, and along columns."""
    energy = squared**key.power
    if key.clip:
        energy = np.minimum(energy, key.clip * energy.mean())
    if key.flatten:
        local = uniform_filter(energy, key.flatten, mode="nearest") + 1e-3 * energy.mean() + 1e-30
        energy = energy / local**key.strength
    if key.tiles:
        down, right = _voted(energy, key.tiles, key.vote)
        return [down], [right]
    count = len(energy)
    place = np.arange(count) + SMOOTHING
    hann = np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 2
    weight = np.outer(hann, hann)
    if key.taper == "sine":
        weight = np.sqrt(weight)
    elif key.taper == "square":
        weight = weight**2
    elif key.taper == "ring":
        inner = np.clip((np.arange(count) + 0.5) / count * 2 - 0.5, 0, 1)
        core = np.sin(np.pi * inner) ** 2
        weight = np.sqrt(weight) * (1 - np.outer(core, core))
    weighted = energy * weight
    wave = np.exp(2j * np.pi * np.outer(np.arange(1, len(key.weights) + 1), place) / PERIOD)
    down, right = wave @ weighted.sum(axis=1), wave @ weighted.sum(axis=0)
    down[0] += key.pull * weighted.sum()
    right[0] += key.pull * weighted.sum()
    return down, right


def _voted(energy: Floats, tiles: int, vote: float) -> tuple[complex, complex]:
    """Overlapping tiles under Hann's windows, whose phases are summed with their strengths lowered."""
    count = len(energy)
    side = 2 * count // (tiles + 1)
    hann = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
    starts = np.linspace(0, count - side, tiles).round().astype(int)
    sums = [0j, 0j]
    for top in starts:
        for left in starts:
            part = energy[top : top + side, left : left + side] * np.outer(hann, hann)
            for axis, start in ((0, top), (1, left)):
                wave = np.exp(2j * np.pi * (np.arange(side) + start + SMOOTHING) / PERIOD)
                value = complex(part.sum(axis=1 - axis) @ wave)
                sums[axis] += value / (abs(value) ** vote + 1e-30)
    return sums[0], sums[1]


def _offset(key: Key, sums: Sequence[complex]) -> float:
    """Where a wave of every harmonic fits best, in steps of a 32nd pixel as the lock takes them."""
    score = sum(weight * np.real(value * wave) for weight, value, wave in zip(key.weights, sums, _WAVES, strict=False))
    return float(_PLACES[np.argmax(score)])


def wavers(picture: npt.NDArray[Any], place: int) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """By disturbance, how far the window of each key (keys, 2) is from where the content moved it."""
    margin = REACH
    first = _cut(picture, margin, margin)
    base = offsets(first)

    def away(view: npt.NDArray[Any], down: float = 0, right: float = 0) -> npt.NDArray[np.float64]:
        gap = offsets(view) - base + np.array([down, right])
        return np.asarray(np.abs((gap + PERIOD / 2) % PERIOD - PERIOD / 2), np.float64)

    draw = (0, place)
    for kind, amount in ((PerturbationKind.NOISE, 2), (PerturbationKind.JPEG, 75)):
        changed = perturbed(picture, Perturbation(kind, amount), draw, (_ROOM, _ROOM), moved=False)
        yield Perturbation(kind, amount).name, away(_cut(changed, margin, margin))
    yield "half a pixel", away(_cut(half_pixel(picture, (0.5, 0.5)), margin, margin), 0.5, 0.5)
    yield "1 px", away(_cut(picture, margin + 1, margin + 1), 1, 1)
    random = np.random.default_rng(place)
    for down, right in random.integers(-REACH, REACH + 1, (_FARS, 2)):
        yield f"up to {REACH} px", away(_cut(picture, margin + down, margin + right), float(down), float(right))
    still = Perturbation(PerturbationKind.OBJECT, 1)
    views = [perturbed(picture, still, draw, (_ROOM, _ROOM), moved=moved) for moved in (False, True)]
    base = offsets(_cut(views[0], margin, margin))
    yield "object moved 1 px", away(_cut(views[1], margin, margin))


def _cut(picture: npt.NDArray[Any], top: int, left: int) -> npt.NDArray[Any]:
    return picture[top : top + VIEW, left : left + VIEW]


def pictures(folder: Path, limit: int) -> Iterator[npt.NDArray[Any]]:
    """Square pictures (V + 64, V + 64, 3), the shorter side resized and the middle cut out."""
    from PIL import Image

    side = VIEW + _ROOM
    paths = sorted(one for one in folder.iterdir() if one.suffix.lower() in (".jpeg", ".jpg", ".png"))
    for path in paths[:: max(1, len(paths) // limit)][:limit]:
        with Image.open(path) as opened:
            whole = opened.convert("RGB")
        share = side / min(whole.size)
        size = [max(side, round(share * length)) for length in whole.size]
        levels = np.asarray(whole.resize((size[0], size[1]), Image.Resampling.BILINEAR))
        top, left = (levels.shape[0] - side) // 2, (levels.shape[1] - side) // 2
        yield levels[top : top + side, left : left + side]


def measure(folder: Path, limit: int) -> list[Mapping[str, Any]]:
    """For both halves of the pictures, a row for every key: the median waver by disturbance."""
    halves: list[dict[str, list[npt.NDArray[np.float64]]]] = [{}, {}]
    counts = [0, 0]
    for place, picture in enumerate(pictures(folder, limit)):
        counts[place % 2] += 1
        for name, away in wavers(picture, place):
            halves[place % 2].setdefault(name, []).append(away)
    rows: list[Mapping[str, Any]] = []
    for half, found in zip(("choosing", "telling"), halves, strict=True):
        for index, key in enumerate(KEYS):
            cells = {
                name: [
                    float(np.median([one[index] for one in values])),
                    float(np.mean([np.median(one[index]) > 1 for one in values])),
                ]
                for name, values in found.items()
            }
            rows.append({"half": half, "key": key.name, "pictures": counts[half == "telling"], "cells": cells})
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The half that tells, as Markdown."""
    told = [row for row in rows if row["half"] == "telling"]
    names = list(told[0]["cells"])
    lines = [f"| key ({told[0]['pictures']} photographs) | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in told:
        cells = " | ".join(f"{row['cells'][name][0]:.2f}" for name in names)
        lines.append(f"| {row['key']} | {cells} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="a folder of photographs")
    parser.add_argument("--limit", type=int, default=120, help="photographs, half of them for choosing")
    parser.add_argument("--json", type=Path, help="keep what was measured in this file")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="put the table between the marks of this page")
    given = parser.parse_args(arguments)
    if given.images is None:
        rows = json.loads(given.json.read_text(encoding="utf-8"))
    else:
        rows = measure(given.images, given.limit)
    if given.images is not None and given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if given.into is not None:
        page = given.into.read_text(encoding="utf-8")
        given.into.write_text(placed(page, table(rows), MARKS), encoding="utf-8", newline="\n")
    sys.stdout.write(table(rows))


if __name__ == "__main__":
    main()
