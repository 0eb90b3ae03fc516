"""Decoding one picture file: what it is decides its content, never its name, and only a fixed list of formats is read.

Pictures come from strangers. So nothing but a regular file is opened, no format that starts another program is known
here (EPS starts Ghostscript), and the size that a header announces is bounded before memory is taken for it.
"""

from __future__ import annotations

import os
import stat
import warnings
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from auditor.onnxfile.errors import FileProblem
from auditor.onnxfile.sniff import disguise
from auditor.verify.arrays import AnyArray
from auditor.verify.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
MAX_MEGAPIXELS = 64
MOST_MEGAPIXELS = 178  # Pillow itself refuses twice its bound of 89,478,485 pixels
MEGAPIXEL = 10**6
_HEAD = 512
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


_ORIENTATION = 0x0112  # the EXIF tag; 1 is upright


class FileReader(Enum):
    """Whose way of reading a file is followed, where libraries differ."""

    OWN = "own"
    OPENCV = "cv2.imread"
    PILLOW = "Image.convert"
    TRANSFORMERS = "transformers' load_image"


_TURNING = (FileReader.OPENCV, FileReader.TRANSFORMERS)


class PictureError(Exception):
    """The file is no picture that can be used; the message is the reason, in our own words."""


def decode(
    path: Path, max_megapixels: float = MAX_MEGAPIXELS, reader: FileReader = FileReader.OWN
) -> tuple[AnyArray, tuple[str, ...]]:
    """The pixels of a picture file, and what libraries do otherwise with a file like it, for the report.

    Pixels are uint8: (h, w), (h, w, 3), or (h, w, 4) with opacity. ``reader`` decides about the EXIF orientation and
    about 16-bit grey, which is scaled to 0..255 by default.

    Raises:
        DataError: Pillow is missing.
        PictureError: the file is no regular file, no picture of :data:`FORMATS`, or too large.
        Exception: whatever Pillow raises for a damaged file.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise DataError("reading pictures needs Pillow: install aliasaudit[images], or give a .npy file") from error
    with warnings.catch_warnings(), _regular(path) as stream:
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound below is the user's
        _refuse_others(stream)
        try:
            with Image.open(stream, formats=FORMATS) as opened:
                refuse_size(opened.height, opened.width, max_megapixels)
                upright, notes = _upright(opened, reader)
                pixels, more = _levels(upright, reader)
                return pixels, (*notes, *more)
        except UnidentifiedImageError:
            raise PictureError(f"is not a picture of a known format ({', '.join(FORMATS)})") from None
        except Image.DecompressionBombError:
            raise PictureError(f"has more than {MOST_MEGAPIXELS} million pixels") from None


def refuse_size(height: int, width: int, max_megapixels: float) -> None:
    """Raises PictureError where a picture of this size has more pixels than is allowed."""
    if height * width > max_megapixels * MEGAPIXEL:
        raise PictureError(
            f"has {width} x {height} pixels, more than {max_megapixels:g} million: raise --max-megapixels"
        )


def _regular(path: Path) -> BinaryIO:
    """A regular file, opened without waiting. Raises PictureError for anything else, and OSError."""
    _refuse_kinds(path.stat().st_mode)
    # O_NONBLOCK: a pipe may have taken the place of the file since then, and would wait for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    stream = os.fdopen(os.open(path, flags), "rb")
    try:
        _refuse_kinds(os.fstat(stream.fileno()).st_mode)
    except PictureError:
        stream.close()
        raise
    return stream


def _refuse_kinds(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for matches, name in _KINDS if matches(mode)), "something else")
        raise PictureError(f"is {kind}: pictures are regular files")


def _refuse_others(stream: BinaryIO) -> None:
    head = stream.read(_HEAD)
    stream.seek(0)
    if not head:
        raise PictureError("is empty")
    problem = disguise(head)
    if problem is not None and problem.kind is FileProblem.LFS_POINTER:
        raise PictureError("is a Git LFS pointer, not the picture itself; run `git lfs pull` to fetch it")


def _upright(opened: Image, reader: FileReader) -> tuple[Image, tuple[str, ...]]:
    """The picture as the reader turns it."""
    from PIL import ImageOps

    try:
        orientation = opened.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - broken metadata turn no picture
        return opened, ()
    if orientation not in range(2, 9):
        return opened, ()
    if reader in _TURNING:
        return ImageOps.exif_transpose(opened), (f"turned by the EXIF orientation, as {reader.value} does",)
    whose = "Pillow does not turn them either" if reader is FileReader.PILLOW else "with a cv2 kernel they are turned"
    return opened, (f"not turned by the EXIF orientation: {whose}",)


def _levels(opened: Image, reader: FileReader) -> tuple[AnyArray, tuple[str, ...]]:
    opened.load()
    if opened.mode.startswith("I;16"):
        return _eight_bits(np.asarray(opened), reader)
    if opened.mode in ("1", "L"):
        return np.asarray(opened.convert("L")), ()
    if opened.mode in ("I", "F"):
        raise PictureError("has 32 bits per pixel, whose scale is not known")
    if "A" in opened.mode or "transparency" in opened.info:
        dropped = (
            ()
            if reader is FileReader.OWN
            else (f"transparent: what is opaque or not is dropped, as {reader.value} does",)
        )
        return np.asarray(opened.convert("RGBA")), dropped
    # A copy of a large photograph is not made for nothing.
    return np.asarray(opened if opened.mode == "RGB" else opened.convert("RGB")), ()


def _eight_bits(levels: AnyArray, reader: FileReader) -> tuple[AnyArray, tuple[str, ...]]:
    """16-bit grey on the scale 0..255."""
    if reader is FileReader.OPENCV:
        return (levels >> 8).astype(np.uint8), ("16-bit grey: the upper eight bits are kept, as cv2.imread does",)
    if reader is FileReader.OWN:
        scaled = ((levels.astype(np.uint32) + 128) // 257).astype(np.uint8)
        return scaled, ("16-bit grey: scaled to 0..255",)
    return np.minimum(levels, 255).astype(np.uint8), ("16-bit grey: all above 255 is white, as Image.convert makes it",)
