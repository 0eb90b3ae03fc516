"""What a measurement of the alias energies of a model's sites found."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from auditor.codec import FloatOrNan
from auditor.verify.result import DataKind


class SiteAlias(Struct, frozen=True):
    """The measured alias energy of one site: the mean ``share`` over so many ``images``."""

    share: FloatOrNan
    images: int


class AliasMeasurement(Struct, frozen=True):
    """Which share of the activations folds at the sites of one model, on pictures without a shift.

    ``sites`` is by the index into Analysis.sites; a site whose filter could not be run is missing. ``images`` were used
    of the kind ``data``. ``preset_assumed``, ``notes`` and ``incomplete`` are as in :class:`Verification`.
    """

    sites: Mapping[int, SiteAlias]
    images: int
    data: DataKind
    preprocessing: str
    preset_assumed: str = ""
    notes: tuple[str, ...] = ()
    incomplete: str = ""

    @property
    def words(self) -> str:
        """On what the numbers rest."""
        kind = "built-in picture" if self.data is DataKind.BUILTIN else "picture"
        how = f"preprocessing assumed: {self.preset_assumed}" if self.preset_assumed else self.preprocessing
        return f"{self.images} {kind}{'' if self.images == 1 else 's'} ({how})"
