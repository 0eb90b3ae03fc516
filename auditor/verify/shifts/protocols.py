"""How shifted inputs are made: for every protocol a canvas per image, and windows that are cut from it.

Cutting a window is the only thing that differs between two shifts of one protocol, so the canvas is made, normalised
and copied to the device once. Normalisation is per pixel and commutes with cutting.

=============  =====================================================================================================
crop           the canvas is the picture itself, ``margin`` px larger than the window (Zhang 2019: 256 and 224)
roll           the canvas is the picture at window size, repeated periodically (Chaman and Dokmanic 2021)
embed-black    the picture, reduced, on a black canvas that the window travels over (Azulay and Weiss 2019)
embed-inpaint  the same, the surroundings filled from the picture's border (Azulay and Weiss 2019)
subpixel       as roll, and a canvas for every fraction of a pixel, by an ideal circular shift (Michaeli et al. 2023)
zoom           as crop, and canvases enlarged and reduced by one per cent (Azulay and Weiss 2019: by one pixel)
frames         every image is a frame; the fixed central window is compared with the next frame's
=============  =====================================================================================================

Pictures and canvases are (H, W, C) on the 0..255 scale, before normalisation: black is 0 on that scale.

Perturbations (:mod:`auditor.verify.perturbation`) are further canvases of the same kind, for the same windows.

With ``native`` the window of the protocol crop moves over the picture at its own resolution, and each one is resized by
itself, as behind a camera that moves. Its margin then counts pixels of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from auditor.pipeline.resampling.triangle import resize_part
from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.perturbation import Perturbation
from auditor.verify.result import ProtocolKind
from auditor.verify.shifts.plan import (
    DEFAULT_RADIUS,
    PlanBuilder,
    Range,
    ShiftPlan,
    ShiftSettings,
    Window,
    generator,
    no_pairs,
    plan_frames,
    plan_shifts,
)
from auditor.verify.shifts.subpixel import fourier_shift, zoom

# All fractions of halves and thirds on each axis, purely horizontal and vertical ones included: the published
# evaluation code of Michaeli et al. starts both loops at 1 and never tests those.
DEFAULT_FRACTIONS = tuple(
    (up_y, up_x) for up_y, up_x in product((0.0, 1 / 2, 1 / 3), repeat=2) if (up_y, up_x) != (0.0, 0.0)
)
DEFAULT_ZOOMS = (1.01, 0.99)
_CIRCULAR = (ProtocolKind.ROLL, ProtocolKind.SUBPIXEL)
_EMBEDDED = (ProtocolKind.EMBED_BLACK, ProtocolKind.EMBED_INPAINT)
_SUBPIXEL_DRAWS = 1_000_001  # purposes of random numbers beyond any shift distance
_ZOOM_DRAWS = 1_000_002
_SPLIT_DRAWS = 1_000_003
SPLIT_PAIRS = 2  # for each image: three further windows each


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to shift, for one input size.

    ``window`` is the size (H, W) that the model reads and ``margin`` by how much the canvas is larger. ``embedded`` is
    the side of the embedded picture as a share of the window. ``fractions`` (dy, dx) and ``zooms`` list the canvases of
    the sub-pixel and the zoom protocol beside the untouched one, which is always variant 0.
    ``native``: offsets are pixels of the picture and not of the model. ``perturbations`` have the last variants, and
    draw from ``seed``. ``surround`` is by how many pixels the windows of another model are larger on each side:
    canvases are made for those, and the windows lie in their middle. ``period`` is the shift after which every grid of
    the model lies as before, where that is known: such shifts are compared with others as long.
    """

    kind: ProtocolKind
    window: tuple[int, int]
    margin: int = DEFAULT_RADIUS
    embedded: float = 0.5
    fractions: tuple[tuple[float, float], ...] = DEFAULT_FRACTIONS
    zooms: tuple[float, ...] = DEFAULT_ZOOMS
    native: bool = False
    perturbations: tuple[Perturbation, ...] = ()
    seed: int = 0
    surround: int = 0
    period: int | None = None

    def __post_init__(self) -> None:
        if self.perturbations and self.kind is ProtocolKind.FRAMES:
            raise ValueError("the protocol frames compares pictures as they are: leave noise and the like out")
        if self.native and self.kind is not ProtocolKind.CROP:
            raise ValueError(
                f"pictures are shifted at their own resolution by the protocol crop, not {self.kind.value}"
            )
        if min(self.window) < 1 or self.margin < 0 or self.surround < 0:
            raise ValueError(f"the window {self.window[0]} x {self.window[1]} with margin {self.margin} is empty")
        if self.kind in _EMBEDDED and self._inner_margin < 0:
            raise ValueError(
                f"a picture of {self.embedded:.0%} of the window leaves no room for shifts of {self.margin} px: "
                "use a smaller radius or a smaller embedded picture"
            )

    @property
    def _inner_margin(self) -> int:
        return min(size - picture for size, picture in zip(self.outer, self.picture, strict=True)) - self.margin

    @property
    def outer(self) -> tuple[int, int]:
        """The size (H, W) of a window with what surrounds it."""
        height, width = self.window
        return height + 2 * self.surround, width + 2 * self.surround

    @property
    def picture(self) -> tuple[int, int]:
        """The size (H, W) to which an image is resized and cropped before :meth:`canvas`."""
        height, width = self.outer
        if self.native or self.kind in _CIRCULAR or self.kind is ProtocolKind.FRAMES:
            return self.outer
        if self.kind in _EMBEDDED:
            return max(1, round(height * self.embedded)), max(1, round(width * self.embedded))
        return height + self.margin, width + self.margin

    @property
    def room(self) -> int:
        """By how much :attr:`picture` is larger than a window with what surrounds it."""
        return max(self.picture[0] - self.outer[0], 0)

    @property
    def positions(self) -> Range:
        """Where a window may lie on the canvas."""
        if self.kind is ProtocolKind.FRAMES:
            return Range(0, 0)
        if self.kind in _CIRCULAR:
            return Range(*self.outer, circular=True)
        return Range(self.margin, self.margin)

    @property
    def variants(self) -> int:
        """How many canvases an image has, without those of perturbations."""
        if self.kind is ProtocolKind.SUBPIXEL:
            return 1 + len(self.fractions)
        return 1 + len(self.zooms) if self.kind is ProtocolKind.ZOOM else 1

    def perturbation_of(self, variant: int) -> tuple[Perturbation, bool] | None:
        """What a variant is perturbed by, and whether it is the second of two; None for those of shifts alone."""
        place = variant - self.variants
        if place < 0:
            return None
        return [(one, bool(moved)) for one in self.perturbations for moved in range(one.canvases)][place]

    def canvas(self, picture: AnyArray, variant: int = 0) -> AnyArray:
        """The canvas (H', W', C) of a picture (H, W, C) of size :attr:`picture`; raises ValueError for another size."""
        if picture.shape[:2] != self.picture:
            raise ValueError(f"the picture is {picture.shape[:2]}, the protocol needs {self.picture}")
        return self.without_surround(self._whole(picture, variant))

    def without_surround(self, canvas: AnyArray) -> AnyArray:
        """The middle of a canvas (H', W', C) that was made for windows with what surrounds them."""
        return canvas[self.surround : canvas.shape[0] - self.surround, self.surround : canvas.shape[1] - self.surround]

    def _whole(self, picture: AnyArray, variant: int) -> AnyArray:
        variant = variant if variant < self.variants else 0  # what is perturbed is not shifted by a fraction, too
        pixels = picture  # bytes stay bytes where nothing is computed of them
        if self.kind is ProtocolKind.SUBPIXEL and variant:
            pixels = fourier_shift(pixels, *self.fractions[variant - 1])
        if self.kind is ProtocolKind.ZOOM and variant:
            return zoom(pixels, self.zooms[variant - 1])
        if self.kind in _CIRCULAR:
            height, width = self.outer
            return np.pad(pixels, ((0, height - 1), (0, width - 1), (0, 0)), mode="wrap")
        if self.kind in _EMBEDDED:
            return self._embed(pixels)
        return pixels

    def _embed(self, pixels: AnyArray) -> FloatArray:
        size = tuple(side + self.margin for side in self.outer)
        y, x = ((outer - inner) // 2 for outer, inner in zip(size, pixels.shape, strict=False))
        canvas = np.zeros((*size, pixels.shape[2]))
        canvas[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
        if self.kind is ProtocolKind.EMBED_BLACK:
            return canvas
        known = np.zeros(size, dtype=np.bool_)
        known[y : y + pixels.shape[0], x : x + pixels.shape[1]] = True
        return inpaint(canvas, known)

    def plan(self, image: int, settings: ShiftSettings) -> ShiftPlan:
        """What to run and compare for one image. Frames are planned by
        :func:`~auditor.verify.shifts.plan.plan_frames`.
        """
        if self.kind is ProtocolKind.FRAMES:
            return plan_frames((image,))
        if self.kind is ProtocolKind.SUBPIXEL:
            return self._plan_subpixel(image, settings)
        if self.kind is ProtocolKind.ZOOM:
            return self._plan_zoom(image, settings)
        return plan_shifts(image, self.positions, settings)

    def beside(self, plan: ShiftPlan) -> tuple[ShiftPlan, ...]:
        """What to compare for every perturbation: windows of a plan with the same ones of the perturbed picture.

        They are the unshifted one and the first of the random pairs, as many as there are such pairs. The last two are
        those of the split: shifts by multiples of the period, and others about as long.
        """
        first = [plan.windows[0], *(plan.windows[index] for index in plan.pairs.reference)]
        chosen = list(dict.fromkeys(first))[: max(1, len(plan.pairs))]
        plans = []
        variant = self.variants
        for one in self.perturbations:
            before, after = (variant, variant + 1) if one.canvases == 2 else (0, variant)
            step = (one.amount, one.amount) if one.moves_half else (0.0, 0.0)
            builder = PlanBuilder(chosen[0]._replace(variant=before))
            pairs = builder.pairs(
                (window._replace(variant=before), window._replace(variant=after), step) for window in chosen
            )
            plans.append(builder.build(pairs, no_pairs(), no_pairs(), builder.path(()), no_pairs()))
            variant += one.canvases
        return (*plans, *(self._split(plan.windows[0]) if self.splits else ()))

    @property
    def splits(self) -> bool:
        """Whether shifts by multiples of the period are compared with others."""
        moves = self.kind in (ProtocolKind.CROP, ProtocolKind.ROLL, *_EMBEDDED) and not self.native
        return moves and self.period is not None and 1 < self.period <= self.margin

    @property
    def longest_split(self) -> int:
        """The longest of those multiples, such that there is room for longer shifts beside it, or one period."""
        assert self.period is not None
        return self.period * max(1, (self.margin - self.period // 2) // self.period)

    def _split(self, base: Window) -> tuple[ShiftPlan, ShiftPlan]:
        """Pairs along one axis by a multiple of the period, and from the same start along the same axis beside it.

        They are up to half a period longer or shorter, so that on average as much of the picture enters and leaves.
        Where the largest shift leaves no room for longer ones, all of them are shorter.
        """
        assert self.period is not None
        draw = generator(self.seed, base.image, _SPLIT_DRAWS)
        positions, period = self.positions, self.period
        half = period // 2
        ends: list[tuple[Window, Window, tuple[float, float]]] = []
        for _ in range(SPLIT_PAIRS):
            length = period * int(draw.integers(1, self.longest_split // period + 1))
            beside = length + int(draw.integers(1, half + 1)) * (1 if draw.integers(2) else -1)
            if beside > self.margin:
                beside = 2 * length - beside
            sign, turned = (1 if draw.integers(2) else -1), bool(draw.integers(2))
            moves = sign * length, sign * beside
            start = []
            for size, moved in zip((positions.height, positions.width), (not turned, turned), strict=True):
                low, high = (max(0, *(-move for move in moves)), size - max(0, *moves)) if moved else (0, size)
                start.append(int(draw.integers(size)) if positions.circular else int(draw.integers(low, high + 1)))
            first = base._replace(y=start[0], x=start[1])
            for move in moves:
                dy, dx = (0, move) if turned else (move, 0)
                y, x = positions.normal(start[0] + dy, start[1] + dx)
                ends.append((first, base._replace(y=y, x=x), (float(dy), float(dx))))
        plans = []
        for chosen in (ends[::2], ends[1::2]):
            builder = PlanBuilder(base)
            plans.append(builder.build(builder.pairs(chosen), no_pairs(), no_pairs(), builder.path(()), no_pairs()))
        return plans[0], plans[1]

    def _plan_subpixel(self, image: int, settings: ShiftSettings) -> ShiftPlan:
        """Random pairs: unshifted against 0..radius-1 whole pixels and a random fraction. Neighbours: each fraction."""
        draw = generator(settings.seed, image, _SUBPIXEL_DRAWS)
        builder = PlanBuilder(Window(image, 0, 0))
        variants = draw.integers(1, self.variants, size=settings.pairs)
        offsets = draw.integers(0, settings.radius, size=(settings.pairs, 2))
        pairs = builder.pairs(
            self._fraction(image, int(y), int(x), int(variant))
            for variant, (y, x) in zip(variants, offsets, strict=True)
        )
        alone = range(1, self.variants) if settings.neighbours else range(0)
        neighbours = builder.pairs(self._fraction(image, 0, 0, variant) for variant in alone)
        return builder.build(pairs, neighbours, no_pairs(), builder.path(()), no_pairs())

    def _fraction(self, image: int, y: int, x: int, variant: int) -> tuple[Window, Window, tuple[float, float]]:
        dy, dx = self.fractions[variant - 1]
        moved = Window(image, *self.positions.normal(y, x), variant)
        return Window(image, 0, 0), moved, (y + dy, x + dx)

    def _plan_zoom(self, image: int, settings: ShiftSettings) -> ShiftPlan:
        """Random pairs: a random window against the same window of a zoomed canvas, every factor in turn."""
        draw = generator(settings.seed, image, _ZOOM_DRAWS)
        builder = PlanBuilder(Window(image, *self.positions.centre))
        count = settings.pairs * len(self.zooms)
        corners = draw.integers(0, self.margin + 1, size=(count, 2))
        pairs = builder.pairs(
            (Window(image, int(y), int(x)), Window(image, int(y), int(x), 1 + i % len(self.zooms)), (0.0, 0.0))
            for i, (y, x) in enumerate(corners)
        )
        centre = self.positions.centre
        neighbours = builder.pairs(
            (Window(image, *centre), Window(image, *centre, variant), (0.0, 0.0)) for variant in range(1, self.variants)
        )
        return builder.build(pairs, neighbours, no_pairs(), builder.path(()), no_pairs())


def cut(canvas: AnyArray, window: Window, size: tuple[int, int]) -> AnyArray:
    """The window (H, W, C) of a canvas (H', W', C), as a view; raises ValueError where it leaves the canvas."""
    height, width = size
    if window.y < 0 or window.x < 0 or window.y + height > canvas.shape[0] or window.x + width > canvas.shape[1]:
        raise ValueError(f"the window at ({window.y}, {window.x}) of size {size} leaves the canvas {canvas.shape[:2]}")
    return canvas[window.y : window.y + height, window.x : window.x + width]


def inpaint(canvas: AnyArray, known: AnyArray) -> FloatArray:
    """Fill the pixels of ``canvas`` (H, W, C) where ``known`` (H, W) is False, smoothly, from the known ones.

    Push-pull (Gortler et al., "The Lumigraph", 1996): known pixels are averaged into coarser and coarser levels, and
    each level's holes are filled from the next coarser one. Known pixels stay as they are. Raises ValueError if no
    pixel is known.
    """
    if not known.any():
        raise ValueError("nothing is known to fill the canvas from")
    levels = [(np.where(known[..., None], canvas, 0.0), known.astype(np.float64)[..., None])]
    while max(levels[-1][0].shape[:2]) > 1:
        levels.append(_halve(*levels[-1]))
    filled = levels[-1][0]
    for value, weight in reversed(levels[:-1]):
        double = 2 * filled.shape[0], 2 * filled.shape[1]
        coarse = resize_part(filled, double, (0, 0), (value.shape[0], value.shape[1]))
        filled = weight * value + (1 - weight) * coarse
    return filled


def _halve(value: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted means over 2 x 2 blocks, and whether a block holds anything (1) or nothing (0)."""
    pad = ((0, value.shape[0] % 2), (0, value.shape[1] % 2), (0, 0))
    total, mass = (_block_sum(np.pad(array, pad)) for array in (value * weight, weight))
    return total / np.maximum(mass, 1e-12), np.minimum(mass, 1.0)


def _block_sum(array: FloatArray) -> FloatArray:
    height, width, channels = array.shape
    total: FloatArray = array.reshape(height // 2, 2, width // 2, 2, channels).sum(axis=(1, 3))
    return total
