"""The frames of a clip in the order of time: a folder of pictures, or a video that PyAV decodes.

Frames are decoded one at a time, and all of them or none: a clip with a gap would show a jump that no camera made. So a
frame that cannot be read, or one of another size, ends the run with its place, where a set of pictures goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from auditor.text import ModelText, plain
from auditor.verify.arrays import AnyArray
from auditor.verify.errors import DataError
from auditor.verify.images.folder import walk
from auditor.verify.images.picture_file import MAX_MEGAPIXELS, FileReader, PictureError, refuse_size
from auditor.verify.images.source import ImageSource, Picture, load
from auditor.verify.result import DataKind, Rejected

_LEAST = 2
# Containers that hold a video themselves; a playlist would have FFmpeg open whatever it names.
_CONTAINERS = (
    *("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "m4v", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo"),
    *("flv", "ogg", "gif", "apng", "asf", "mxf", "nut", "ivf", "h264", "hevc", "yuv4mpegpipe"),
)


def open_frames(
    where: Path, limit: int | None = None, max_megapixels: float = MAX_MEGAPIXELS, reader: FileReader = FileReader.OWN
) -> ImageSource:
    """The picture files of a folder as frames, numbers in their names in the order of counting.

    ``limit`` takes the first ones, so that neighbours stay neighbours.

    Raises:
        DataError: there are fewer than two frames; when read, one is no picture or has another size than the first.
    """
    if not where.is_dir():
        raise DataError("there is no such folder of frames", str(where))
    files, beside, _ = walk(where)
    files = sorted(files, key=_counted)[:limit]
    if len(files) < _LEAST:
        raise DataError(f"the folder holds {len(files)} picture files, and a clip has two frames or more", str(where))
    notes = (f"skipped {beside} non-image {'file' if beside == 1 else 'files'}",) if beside else ()
    first: tuple[int, ...] | None = None

    def at(index: int) -> Picture | Rejected:
        nonlocal first
        frame = load(where, files[index], None, max_megapixels, reader)
        if isinstance(frame, Rejected):
            raise DataError(f"frame {index} of the folder {frame.reason}", str(files[index]))
        first = first or frame.pixels.shape
        _refuse_other_size(frame.pixels, first, index)
        return frame

    return ImageSource.listed(DataKind.FRAMES, len(files), notes, at)


def open_video(where: Path, limit: int | None = None, max_megapixels: float = MAX_MEGAPIXELS) -> ImageSource:
    """The frames of a video file, turned as its own metadata say. ``limit`` takes the first ones.

    Raises:
        DataError: PyAV is missing, or the file is no video that it decodes; when read, the stream breaks off.
    """
    if not where.is_file():
        raise DataError("there is no such video file", str(where))
    count, width, height = _counted_frames(where)
    try:
        refuse_size(height, width, max_megapixels)
    except PictureError as error:
        raise DataError(f"the video {error}", str(where)) from error
    if limit is not None:
        count = min(count, limit)
    if count < _LEAST:
        raise DataError(f"the video holds {count} frames, and a clip has two or more", str(where))
    return ImageSource(DataKind.VIDEO, count, (), lambda: _decoded(where, count))


def _counted(path: Path) -> list[tuple[int, int, str]]:
    """``frame_2`` comes before ``frame_10``."""
    parts = re.split(r"([0-9]+)", path.as_posix())
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]


def _refuse_other_size(pixels: AnyArray, first: tuple[int, ...], index: int) -> None:
    if pixels.shape[:2] != first[:2]:
        sizes = [f"{shape[1]} x {shape[0]}" for shape in (pixels.shape, first)]
        raise DataError(f"frame {index} has {sizes[0]} pixels and the first one {sizes[1]}: a clip has one size")


@contextmanager
def _container(where: Path) -> Iterator[tuple[Any, Any]]:
    """The opened file and its first video stream.

    Raises:
        DataError: PyAV is missing, or the file is no video that it decodes.
    """
    try:
        import av
    except ImportError as error:
        raise DataError("reading a video needs PyAV: install aliasaudit[video], or give --frames") from error
    options = {"format_whitelist": ",".join(_CONTAINERS)}
    try:
        with where.open("rb") as stream, av.open(stream, mode="r", options=options) as container:
            if not container.streams.video:
                raise DataError("the file holds no video stream: it has sound only, or is cut off", str(where))
            track = container.streams.video[0]
            if getattr(track, "codec_context", None) is None:
                raise DataError("the video has a codec that this FFmpeg does not decode", str(where))
            yield container, track
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DataError(_reason(error), str(where)) from error


def _reason(error: Exception) -> str:
    kind = type(error).__name__.removesuffix("Error")
    return f"the video cannot be decoded ({plain(kind, 40)}): convert it, or give its frames with --frames"


def _counted_frames(where: Path) -> tuple[int, int, int]:
    """Frames by their packets, which costs no decoding, and the width and height of one."""
    with _container(where) as (container, track):
        size = int(track.codec_context.width), int(track.codec_context.height)
        return sum(bool(packet.size) for packet in container.demux(track)), *size


def _decoded(where: Path, count: int) -> Iterator[Picture | Rejected]:
    index, first = 0, (0, 0)
    with _container(where) as (container, track):
        for frame in container.decode(track):
            pixels = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
            first = (pixels.shape[0], pixels.shape[1]) if index == 0 else first
            _refuse_other_size(pixels, first, index)
            yield Picture(ModelText(f"frame {index}"), pixels)
            index += 1
            if index == count:
                return
    if index < _LEAST:
        raise DataError(f"the video breaks off after {index} frames", str(where))
