"""What was measured over the frames of a clip: plain frozen values, as in :mod:`auditor.verify.result`."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from auditor.codec import FloatOrNan
from auditor.verify.interval import Interval
from auditor.verify.margin import Margin


class TimeMeasure(Struct, frozen=True):
    """One number over all pairs of neighbouring frames, with its interval; runs of frames are the statistical unit.

    ``unit`` is "per 100 frames", "probability", "px" or "share". ``pairs`` counts the pairs of frames that have
    something to measure. ``static`` restricts it to what is at rest in the pictures.
    """

    name: str
    value: FloatOrNan
    interval: Interval | None
    unit: str
    pairs: int
    static: bool = False


class Explained(Struct, frozen=True):
    """How much of the change between frames the sampling grid explains, in shares of the mean square change.

    ``of`` is "score", "position" (of boxes and joints) or "mask". ``moved`` is what frames change when they move as
    what is tracked in them did, without new noise or light, and ``remains`` what is left when they move by whole
    multiples of the ``grid`` in pixels, where no grid takes part. ``share`` is the difference, within 0..1; None where
    it cannot be told, and ``why`` says so. ``pairs`` counts the pairs of frames that it rests on. ``static`` is for
    what is at rest in the pictures.
    """

    computed: ClassVar[tuple[str, ...]] = ("told",)

    of: str
    share: float | None
    interval: Interval | None
    moved: FloatOrNan | None
    remains: FloatOrNan | None
    grid: FloatOrNan | None
    pairs: int
    static: bool = False
    why: str = ""

    @property
    def told(self) -> bool:
        """Whether the interval supports a statement."""
        return self.share is not None and not self.why


class TimeResult(Struct, frozen=True):
    """One clip. ``frames`` were run, ``tracked`` counts the objects followed from one frame to the next.

    ``motion`` is the median distance in pixels of the model's input that what is followed moves from frame to frame,
    None where nothing can be followed, and ``at_rest`` the share of the pictures that does not move. ``margin`` is that
    of boxes or classes over all frames, where ``crossings`` counts every crossing of each; None without a threshold.
    """

    frames: int
    tracked: int
    motion: FloatOrNan | None
    at_rest: FloatOrNan
    measures: tuple[TimeMeasure, ...]
    explained: tuple[Explained, ...]
    notes: tuple[str, ...] = ()
    margin: Margin | None = None

    def measure(self, name: str, static: bool = False) -> TimeMeasure | None:
        """The measure of this name, or None where it was not made."""
        return next((one for one in self.measures if (one.name, one.static) == (name, static)), None)
