"""What shifts did to one image, to be looked at: the values that reports show beside the numbers."""

from __future__ import annotations

from msgspec import Struct

from auditor.codec import FloatOrNan


class SeenClass(Struct, frozen=True):
    """One input of an image: how far its window lies from the unshifted one, its class, and its scores.

    ``shift`` is (dy, dx) in the pixels that the run counts. ``score`` is that of the class and ``other`` that of the
    class of the input beside it.
    """

    shift: tuple[FloatOrNan, FloatOrNan]
    answer: int
    score: FloatOrNan
    other: FloatOrNan


class SeenAnswer(Struct, frozen=True):
    """The class of one input of an image and its score. ``shift`` (dy, dx) is that from the unshifted input."""

    shift: tuple[FloatOrNan, FloatOrNan]
    answer: int
    score: FloatOrNan


class ClassChange(Struct, frozen=True):
    """Two inputs of one image with different classes: of those that were compared the nearest.

    ``step`` (dy, dx) is the shift from one to the other. Of several as near it is the pair whose scores change most.
    """

    before: SeenClass
    after: SeenClass
    step: tuple[FloatOrNan, FloatOrNan]


class SeenBox(Struct, frozen=True):
    """A box under one shift: where it lies once the shift is undone, and its score, 0 where it was not found.

    ``corners`` are (left, top, right, bottom) in the unshifted input, None where the box was not found.
    """

    shift: tuple[FloatOrNan, FloatOrNan]
    score: FloatOrNan
    corners: tuple[FloatOrNan, FloatOrNan, FloatOrNan, FloatOrNan] | None


class SeenJoints(Struct, frozen=True):
    """Joints under one shift: where they lie as (x, y) once the shift is undone, NaN where they are not seen."""

    shift: tuple[FloatOrNan, FloatOrNan]
    points: tuple[tuple[FloatOrNan, FloatOrNan], ...]


class MovingJoints(Struct, frozen=True):
    """The joints of an image's surest figure that shifts move farthest, those first; the unshifted input stands first.

    ``joints`` are their numbers and ``farthest`` how far each lies from its place in the unshifted input at most.
    ``extent`` (H, W) is the size of the input in the pixels of the points.
    """

    joints: tuple[int, ...]
    farthest: tuple[FloatOrNan, ...]
    extent: tuple[FloatOrNan, FloatOrNan]
    seen: tuple[SeenJoints, ...]


class MovingBox(Struct, frozen=True):
    """The box of an image whose score moves most under the shifts of a run; the unshifted input stands first.

    ``extent`` (H, W) is the size of the input in the pixels of the corners, and ``threshold`` the score from which
    boxes count.
    """

    answer: int
    threshold: FloatOrNan
    extent: tuple[FloatOrNan, FloatOrNan]
    seen: tuple[SeenBox, ...]

    @property
    def highest(self) -> SeenBox:
        """Where the box is surest."""
        return max(self.seen, key=lambda one: one.score)

    @property
    def lowest(self) -> SeenBox:
        """Where the box is least sure, or not found."""
        return min(self.seen, key=lambda one: one.score)


class Jpeg(Struct, frozen=True):
    """A small JPEG of an input, of ``size`` (H, W) pixels."""

    data: bytes
    size: tuple[int, int]


class ShownImage(Struct, frozen=True):
    """The inputs of the image of number ``index`` (of the images of a result) that changed: before, and after.

    ``after`` is None where one picture shows both. They are made for a page, and no document holds them.
    """

    index: int
    before: Jpeg
    after: Jpeg | None = None
