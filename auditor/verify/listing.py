"""What a document says of more images than it lists: counts, and where the rest is."""

from __future__ import annotations

from msgspec import Struct


class ImagesFile(Struct, frozen=True):
    """The file beside a report with what was measured on each of many images.

    ``name`` is its name in the folder of the report, and ``sha256`` is over its bytes.
    """

    name: str
    sha256: str


class Unlisted(Struct, frozen=True):
    """How many values there are of a measure whose values per image a document leaves out; ``known`` are finite."""

    known: int
    images: int


class Listed(Struct, frozen=True):
    """Which of many images a report describes: those that change most.

    ``places`` are theirs among all that were measured, of which there are ``images``. Of those a shift gives another
    answer to ``unsteady`` ones. ``labels`` are (label, number of images), in order.
    """

    places: tuple[int, ...]
    images: int
    unsteady: int
    labels: tuple[tuple[int, int], ...]
