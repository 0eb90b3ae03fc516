"""A clip is read frame by frame in the order of time; what is no clip is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from auditor.verify.arrays import AnyArray
from auditor.verify.errors import DataError
from auditor.verify.images.clip import open_frames, open_video
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.result import DataKind

av = pytest.importorskip("av")


def frame(level: int, size: tuple[int, int] = (32, 48)) -> AnyArray:
    picture = np.full((*size, 3), 20, np.uint8)
    picture[:, : 4 * level] = 200
    return picture


def folder(where: Path, frames: dict[str, AnyArray]) -> Path:
    where.mkdir(parents=True, exist_ok=True)
    for name, pixels in frames.items():
        Image.fromarray(pixels).save(where / name)
    return where


def encoded(path: Path, frames: list[AnyArray], codec: str = "mpeg4") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.bit_rate = 4_000_000
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def levels(source: ImageSource) -> list[float]:
    return [float(one.pixels.mean()) for one in source if isinstance(one, Picture)]


def test_frames_come_in_the_order_in_which_people_count(tmp_path: Path) -> None:
    names = {f"frame_{number}.png": frame(number) for number in (10, 2, 1, 9)}
    source = open_frames(folder(tmp_path / "f", names))
    assert source.kind is DataKind.FRAMES
    assert source.is_clip
    assert levels(source) == sorted(levels(source))
    assert [one.name.raw for one in source] == [f"frame_{number}.png" for number in (1, 2, 9, 10)]


def test_a_limit_takes_the_first_frames_so_that_neighbours_stay_neighbours(tmp_path: Path) -> None:
    frames = [frame(level) for level in range(8)]
    pictures = folder(tmp_path / "f", {f"{index}.png": pixels for index, pixels in enumerate(frames)})
    video = encoded(tmp_path / "clip.mp4", frames)
    assert len(levels(open_frames(pictures, limit=3))) == len(levels(open_video(video, limit=3))) == 3
    assert levels(open_frames(pictures, limit=3)) == levels(open_frames(pictures))[:3]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "clip.mkv"])
def test_a_video_gives_the_frames_that_were_encoded(tmp_path: Path, name: str) -> None:
    frames = [frame(level) for level in range(6)]
    source = open_video(encoded(tmp_path / name, frames))
    assert (source.kind, source.count) == (DataKind.VIDEO, 6)
    assert levels(source) == pytest.approx([float(pixels.mean()) for pixels in frames], abs=2.5)
    assert levels(source) == levels(source), "a source may be read again"


def test_a_video_is_not_decoded_before_it_is_read_nor_further_than_it_is_read(tmp_path: Path) -> None:
    frames = iter(open_video(encoded(tmp_path / "clip.mp4", [frame(level) for level in range(9)])))
    assert isinstance(next(frames), Picture)
    frames.close()  # type: ignore[attr-defined]


def broken(tmp_path: Path, case: str) -> Path:
    path = tmp_path / f"{case}.mp4"
    good = encoded(tmp_path / "good.mp4", [frame(level) for level in range(6)]).read_bytes()
    path.write_bytes({"text": b"not a video at all\n" * 50, "empty": b"", "cut": good[: len(good) // 2]}[case])
    return path


@pytest.mark.parametrize("case", ["text", "empty", "cut"])
def test_a_broken_video_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    with pytest.raises(DataError, match=r"cannot be decoded|is cut off") as caught:
        list(open_video(broken(tmp_path, case)))
    assert "\n" not in str(caught.value)


def test_damage_in_the_middle_of_a_stream_never_passes_for_a_whole_clip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = encoded(tmp_path / "clip.mp4", [rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(6)], "mjpeg")
    data = bytearray(path.read_bytes())
    starts = [at for at in range(len(data)) if data[at : at + 3] == b"\xff\xd8\xff"]
    data[starts[2] : starts[3]] = bytes(starts[3] - starts[2])
    path.write_bytes(bytes(data))
    with pytest.raises(DataError):
        list(open_video(path))


def test_a_playlist_is_no_video_and_opens_nothing_that_it_names(tmp_path: Path) -> None:
    encoded(tmp_path / "clip.mp4", [frame(level) for level in range(6)])
    for name, text in {
        "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nclip.mp4\n#EXT-X-ENDLIST\n",
        "list.txt": "ffconcat version 1.0\nfile clip.mp4\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match="cannot be decoded"):
            open_video(tmp_path / name)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(DataError, match="no video stream"):
        open_video(path)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ({}, "holds 0 picture files"),
        ({"1.png": frame(1)}, "holds 1 picture files"),
        ({"1.png": frame(1), "2.png": frame(1, (32, 40))}, "frame 1 has 40 x 32 pixels and the first one 48 x 32"),
    ],
)
def test_a_folder_that_is_no_clip_is_refused(tmp_path: Path, frames: dict[str, AnyArray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(open_frames(folder(tmp_path / "f", frames)))


def test_a_frame_that_cannot_be_read_ends_the_run_and_is_not_left_out(tmp_path: Path) -> None:
    where = folder(tmp_path / "f", {f"{index}.png": frame(index) for index in range(4)})
    (where / "2.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="frame 2 of the folder is not a picture"):
        list(open_frames(where))


def test_a_clip_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for opened in (open_frames, open_video):
        with pytest.raises(DataError, match="there is no such"):
            opened(tmp_path / "nothing")


def test_frames_larger_than_allowed_are_refused(tmp_path: Path) -> None:
    path = encoded(tmp_path / "clip.mp4", [frame(1), frame(2)])
    with pytest.raises(DataError, match="raise --max-megapixels"):
        open_video(path, max_megapixels=0.001)
