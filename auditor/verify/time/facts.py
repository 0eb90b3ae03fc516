"""The measures over the frames of a clip, each declared once, in the order of reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class TimeFacts(NamedTuple):
    """What a number over frames is: its unit, and what it means in words."""

    unit: str
    meaning: str


TIME_MEASURES: Mapping[str, TimeFacts] = {
    "crossings": TimeFacts("per 100 frames", "answers that change sides of the threshold, or class"),
    "score-change": TimeFacts("probability", "change of the score from frame to frame"),
    "centre-jitter": TimeFacts("px", "what boxes move otherwise than the picture"),
    "joint-jitter": TimeFacts("px", "what joints move otherwise than the picture"),
    "mask-flicker": TimeFacts("share", "positions with another class"),
    "mask-flicker-boundary": TimeFacts("share", "of those next to a boundary"),
    "mask-flicker-inside": TimeFacts("share", "of those inside of an area"),
}
