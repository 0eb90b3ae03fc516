from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.text import ModelText
from auditor.verify.errors import DataError
from auditor.verify.images import source as images_source
from auditor.verify.images.source import ImageSource, Picture, open_images, spread
from auditor.verify.result import DataKind, Rejected

image = pytest.importorskip("PIL.Image")
PngImageFile = pytest.importorskip("PIL.PngImagePlugin").PngImageFile


def write(path: Path, value: int = 7, mode: str = "RGB", size: tuple[int, int] = (6, 4)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = {"RGB": (value,) * 3, "RGBA": (value,) * 3 + (255,), "LA": (value, 255), "CMYK": (0, 0, 0, 0)}
    image.new(mode, size, colour.get(mode, value)).save(path)
    return path


def usable(source: ImageSource) -> list[Picture]:
    return [one for one in source if isinstance(one, Picture)]


def rejected(source: ImageSource) -> list[Rejected]:
    return [one for one in source if isinstance(one, Rejected)]


def test_a_folder_is_read_in_the_order_of_its_paths(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "c.jpg"):
        write(tmp_path / name)
    source = open_images(str(tmp_path))
    assert source.kind is DataKind.FOLDER
    assert source.count == 3
    assert [one.name.raw for one in usable(source)] == ["a.png", "b.png", "c.jpg"]
    assert [one.name.raw for one in usable(source)] == ["a.png", "b.png", "c.jpg"], "a source can be read again"
    assert {one.label for one in usable(source)} == {None}


def test_unusable_images_are_listed_with_the_reason_and_the_others_are_used(tmp_path: Path) -> None:
    write(tmp_path / "good.png")
    whole = write(tmp_path / "cut.png", size=(60, 60)).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "notes.txt").write_text("annotations")
    (tmp_path / ".hidden").write_text("x")
    source = open_images(str(tmp_path))
    assert [one.name.raw for one in usable(source)] == ["good.png"]
    assert sorted(one.name.raw for one in rejected(source)) == ["cut.png", "empty.jpg", "text.png"]
    assert {one.name.raw: one.reason for one in rejected(source)} == {
        "cut.png": "cannot be decoded (OSError)",
        "empty.jpg": "is empty",
        "text.png": "is not a picture of a known format (PNG, JPEG, WEBP, BMP, TIFF, GIF, PPM)",
    }
    assert source.notes[0] == "skipped 1 non-image file"


@pytest.mark.parametrize("limit", [0.0024, 0.0025])
def test_a_picture_of_too_many_pixels_is_skipped_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: float
) -> None:
    write(tmp_path / "files" / "big.png", size=(50, 50))
    np.save(tmp_path / "big.npy", np.zeros((1, 50, 50, 3), np.uint8))
    decoded: list[object] = []
    usual = PngImageFile.load

    def load(picture: Any) -> Any:
        decoded.append(picture)
        return usual(picture)

    monkeypatch.setattr(PngImageFile, "load", load)
    for where in ("files", "big.npy"):
        (one,) = open_images(str(tmp_path / where), max_megapixels=limit)
        if limit * 1e6 < 2500:
            assert isinstance(one, Rejected)
            assert one.reason == "has 50 x 50 pixels, more than 0.0024 million: raise --max-megapixels"
        else:
            assert isinstance(one, Picture)
    assert bool(decoded) == (limit * 1e6 >= 2500)


def test_what_pillow_itself_takes_for_a_bomb_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "big.png", size=(50, 50))
    monkeypatch.setattr(image, "MAX_IMAGE_PIXELS", 1000)
    (one,) = rejected(open_images(str(tmp_path)))
    assert one.reason == "has more than 178 million pixels"


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n%%EOF\n"
STRANGERS = {
    "EPS": EPS,
    "EPS with a preview": b"\xc5\xd0\xd3\xc6"
    + (32).to_bytes(4, "little")
    + len(EPS).to_bytes(4, "little")
    + bytes(20)
    + EPS,
    "PDF": b"%PDF-1.4\n",
    "ICNS": b"icns\x00\x00\x00\x08",
    "a program": b"\x7fELF" + bytes(60),
    "a web page": b"<!DOCTYPE html><html></html>",
}


@pytest.mark.parametrize("content", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.eps", "x"])
def test_only_a_fixed_list_of_formats_is_read_whatever_the_name_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    started: list[object] = []
    for function in ("Popen", "check_call", "call", "run"):
        monkeypatch.setattr(subprocess, function, lambda *arguments, **_: started.append(arguments))
    (tmp_path / name).write_bytes(content)
    (one,) = open_images(str(tmp_path))
    assert isinstance(one, Rejected)
    assert one.reason.startswith("is not a picture of a known format")
    assert started == []


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_a_picture_is_known_by_its_content(tmp_path: Path, kind: str) -> None:
    with (tmp_path / "picture.of.mine").open("wb") as stream:
        image.new("RGB", (6, 4), (200, 200, 200)).save(stream, kind)
    (one,) = usable(open_images(str(tmp_path)))
    assert np.abs(one.pixels.astype(int) - 200).max() <= 2


def test_a_pointer_to_a_picture_in_git_lfs_says_how_to_fetch_it(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    (tmp_path / "x.png").write_text(pointer)
    (one,) = rejected(open_images(str(tmp_path)))
    assert "git lfs pull" in one.reason


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes and sockets in the file system")
def test_what_is_no_regular_file_is_skipped_and_never_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    write(Path("good.png"))
    os.mkfifo("pipe.png")
    Path("device.png").symlink_to("/dev/zero")
    Path("nowhere.png").symlink_to("absent.png")
    Path("linked.png").symlink_to("good.png")
    Path("classes").mkdir()
    Path("more").symlink_to("classes")
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind("socket.png")
        source = open_images(".")
        assert [one.name.raw for one in usable(source)] == ["good.png", "linked.png"]
        assert {one.name.raw: one.reason for one in rejected(source)} == {
            "device.png": "is a device: pictures are regular files",
            "nowhere.png": "cannot be decoded (FileNotFoundError)",
            "pipe.png": "is a named pipe: pictures are regular files",
            "socket.png": "is a socket: pictures are regular files",
        }
    assert source.notes == ("1 linked folders are not followed",)


def test_an_array_file_that_unpacks_beyond_the_memory_is_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "x.npz", images=np.zeros((4, 64, 64, 3), np.uint8))
    monkeypatch.setattr("auditor.verify.images.source.default_limit", lambda: 1000)
    with pytest.raises(DataError, match="unpacks to"):
        open_images(str(tmp_path / "x.npz"))


def test_a_damaged_archive_of_arrays_is_one_line(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", images=np.arange(4 * 64 * 64, dtype=np.uint8).reshape(4, 64, 64))
    whole = (tmp_path / "x.npz").read_bytes()
    refused = 0
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        (tmp_path / "x.npz").write_bytes(damaged)
        with contextlib.suppress(DataError):
            open_images(str(tmp_path / "x.npz"))
            continue
        refused += 1
    assert refused > 5


@pytest.mark.parametrize("where", ["while it is imported", "when it is called", "while it is read"])
def test_a_function_of_images_that_ends_the_program_is_an_error(tmp_path: Path, where: str) -> None:
    lines = {
        "while it is imported": "raise SystemExit(0)\n",
        "when it is called": "def images():\n    raise SystemExit(0)\n",
        "while it is read": "def images():\n    yield None\n    raise SystemExit(0)\n",
    }
    (tmp_path / "mine.py").write_text(lines[where])
    with pytest.raises(DataError, match="SystemExit"):
        list(open_images(f"{tmp_path / 'mine.py'}:images"))


def test_sub_folders_are_classes_by_number_or_by_order(tmp_path: Path) -> None:
    for name in ("12/x.png", "7/y.png"):
        write(tmp_path / "numbers" / name)
        write(tmp_path / "names" / name.replace("12", "cat").replace("7", "ant"))
    assert [(one.name.raw, one.label) for one in usable(open_images(str(tmp_path / "numbers")))] == [
        ("12/x.png", 12),
        ("7/y.png", 7),
    ]
    named = open_images(str(tmp_path / "names"))
    assert [(one.name.raw, one.label) for one in usable(named)] == [("ant/y.png", 0), ("cat/x.png", 1)]
    assert "order of 2 sub-folder names" in named.notes[0]
    assert [one.group.raw for one in usable(named)] == ["ant", "cat"]


def test_labels_come_from_a_csv_by_path_or_by_unique_name(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for name in ("a/same.png", "b/same.png", "b/only.png", "b/none.png"):
        write(folder / name)
    labels = tmp_path / "labels.csv"
    labels.write_text("file,label\na/same.png,3\nonly.png,4\nsame.png,5\nlost.png,6\n")
    source = open_images(str(folder), labels=labels)
    known = {one.name.raw: one.label for one in usable(source)}
    assert known == {"a/same.png": 3, "b/none.png": None, "b/only.png": 4, "b/same.png": None}
    assert {one.name.raw: one.reason for one in rejected(source)} == {
        "same.png": "several files have this name: give the path",
        "lost.png": "named in the labels, not in the folder",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.png,cat\nb.png,dog\n", "line 1 of .* is not 'file,class index'"),
        ("a.png,cat\n", "line 1 "),
        ("a.png;3\n", "line 1 "),
        ("a.png\nb.png\n", "line 1 "),
        ("file,label\n", "line 1 "),
        ("file,label\n\na.png,1\n\nb.png,-1\n", "line 5 "),
        ("a.png,1\na.png,2\n", "line 2 of .* gives a file a second class"),
        ("", "no row 'file,class index'"),
    ],
)
def test_a_csv_with_a_row_that_cannot_be_read_is_refused_and_the_line_named(
    tmp_path: Path, text: str, message: str
) -> None:
    write(tmp_path / "a.png")
    write(tmp_path / "b.png")
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        open_images(str(tmp_path), labels=tmp_path / "labels.csv")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "CMYK"])
def test_every_mode_of_picture_becomes_grey_or_colour_levels(tmp_path: Path, mode: str) -> None:
    suffix = ".tif" if mode == "CMYK" else ".png"
    write(tmp_path / f"x{suffix}", 200, mode)
    (one,) = usable(open_images(str(tmp_path)))
    assert one.pixels.dtype == np.uint8
    assert one.pixels.shape == {"L": (4, 6), "1": (4, 6), "RGBA": (4, 6, 4), "LA": (4, 6, 4)}.get(mode, (4, 6, 3))
    assert one.transparent == (mode in ("RGBA", "LA"))


def test_sixteen_bit_grey_keeps_its_scale(tmp_path: Path) -> None:
    image.fromarray(np.full((4, 6), 128 * 257, dtype=np.uint16)).save(tmp_path / "deep.png")
    (one,) = usable(open_images(str(tmp_path)))
    np.testing.assert_array_equal(one.pixels, 128)


def test_array_files_bring_images_labels_and_further_inputs(tmp_path: Path) -> None:
    pixels = np.arange(5 * 4 * 6 * 3, dtype=np.uint8).reshape(5, 4, 6, 3)
    np.save(tmp_path / "x.npy", pixels)
    np.savez(tmp_path / "x.npz", images=pixels.transpose(0, 3, 1, 2), labels=np.arange(5), mask=np.ones((5, 2)), k=1)
    plain = usable(open_images(str(tmp_path / "x.npy")))
    rich = open_images(str(tmp_path / "x.npz"))
    for left, right, original in zip(plain, usable(rich), pixels, strict=True):
        np.testing.assert_array_equal(left.pixels, original)
        np.testing.assert_array_equal(right.pixels, original)
    assert [one.label for one in usable(rich)] == list(range(5))
    assert usable(rich)[0].extra["mask"].tolist() == [1.0, 1.0]
    assert "another length" in rich.notes[0]


def test_float_images_of_another_scale_are_pointed_out(tmp_path: Path) -> None:
    np.save(tmp_path / "unit.npy", np.random.default_rng(0).random((2, 4, 4, 3)))
    np.save(tmp_path / "levels.npy", np.full((2, 4, 4, 3), 200.0))
    assert "0..255 scale" in open_images(str(tmp_path / "unit.npy")).notes[0]
    assert open_images(str(tmp_path / "levels.npy")).notes == ()


def test_array_files_never_unpickle(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        open_images(str(tmp_path / "x.npy"))


@pytest.mark.parametrize("shape", [(3,), (0, 4, 4, 3), (2, 2, 4, 4, 3)])
def test_arrays_that_are_no_stack_of_images_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "x.npy", np.zeros(shape))
    with pytest.raises(DataError, match="shape"):
        open_images(str(tmp_path / "x.npy"))


def test_a_picture_with_nan_or_odd_channels_is_listed(tmp_path: Path) -> None:
    pixels = np.ones((2, 4, 4, 3))
    pixels[1, 0, 0, 0] = np.nan
    np.save(tmp_path / "x.npy", pixels)
    source = open_images(str(tmp_path / "x.npy"))
    assert [one.name.raw for one in rejected(source)] == ["x.npy[1]"]
    np.save(tmp_path / "y.npy", np.ones((2, 6, 6, 5)))
    assert len(rejected(open_images(str(tmp_path / "y.npy")))) == 2


FUNCTIONS = """
import numpy as np
def plain():
    for i in range(4): yield np.full((3, 3), i, dtype=np.uint8)
def rich():
    yield np.zeros((3, 3), dtype=np.uint8), 5
    yield {"image": np.zeros((3, 3, 3)), "label": 6, "size": np.array([2])}
    yield {"label": 6}
    yield np.zeros((3, 3)), "cat"
def broken():
    yield np.zeros((3, 3))
    raise RuntimeError("no disk")
value = 3
"""


def test_a_function_gives_images_with_labels_and_further_inputs(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    where = f"{tmp_path / 'mine.py'}"
    assert len(usable(open_images(f"{where}:plain", limit=3))) == 3
    rich = open_images(f"{where}:rich")
    assert rich.kind is DataKind.CALLABLE
    assert rich.count is None
    assert [one.label for one in usable(rich)] == [5, 6]
    assert usable(rich)[1].extra["size"].tolist() == [2]
    assert len(rejected(rich)) == 2
    with pytest.raises(DataError, match="RuntimeError") as failed:
        list(open_images(f"{where}:broken"))
    assert failed.value.detail == ModelText("no disk")
    for wrong in (f"{where}:value", f"{where}:absent", "no_such_module_at_all:f", f"{tmp_path}/absent.py:f"):
        with pytest.raises(DataError, match="module"):
            open_images(wrong)


def test_a_limit_is_spread_over_the_classes(tmp_path: Path) -> None:
    for label in range(4):
        for name in ("a.png", "b.png", "c.png"):
            write(tmp_path / str(label) / name)
    assert {one.label for one in usable(open_images(str(tmp_path), limit=4))} == {0, 1, 2, 3}
    assert spread(3, 10) == [0, 1, 2]
    assert spread(10, 4) == [0, 2, 5, 7]
    with pytest.raises(ValueError, match="at least 1"):
        open_images(str(tmp_path), limit=0)


def test_nothing_to_read_is_one_clear_line(tmp_path: Path) -> None:
    for wrong in (str(tmp_path), str(tmp_path / "absent.npy"), str(tmp_path / "absent")):
        with pytest.raises(DataError):
            open_images(wrong)
    np.save(tmp_path / "x.npy", np.zeros((1, 2, 2), dtype=np.uint8))
    with pytest.raises(DataError, match="CSV"):
        open_images(str(tmp_path / "x.npy"), labels=tmp_path / "labels.csv")


def test_the_digest_sees_pixels_shape_and_type() -> None:
    def digest(pixels: np.ndarray) -> str:
        state = hashlib.sha256()
        Picture(ModelText("x"), pixels).digest_into(state)
        return state.hexdigest()

    base = np.zeros((4, 6), dtype=np.uint8)
    changed = base.copy()
    changed[0, 0] = 1
    assert len({digest(base), digest(changed), digest(base.reshape(6, 4)), digest(base.astype(np.float32))}) == 4
    assert digest(base) == digest(base.copy())


def test_places_are_those_of_reading_everything_and_nothing_else_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png", "c.png", "d.png"):
        write(tmp_path / "folder" / name, ord(name[0]))
    labels = tmp_path / "labels.csv"
    labels.write_text("missing.png,1\na.png,0\nb.png,1\nc.png,0\nd.png,1\n")
    np.save(tmp_path / "stack.npy", np.arange(5 * 6 * 4 * 3, dtype=np.uint8).reshape(5, 6, 4, 3))
    (tmp_path / "made.py").write_text(
        "import numpy as np\ndef images():\n    yield from np.zeros((5, 6, 4, 3), 'u1')\n"
    )
    for where in ("folder", "stack.npy", "made.py:images"):
        source = open_images(str(tmp_path / where), labels if where == "folder" else None)
        every = list(source)
        assert len(every) == 5
        for place, item in source.places({4, 1}):
            there = every[place]
            assert isinstance(item, Picture)
            assert isinstance(there, Picture)
            assert item.name == there.name
            assert np.array_equal(item.pixels, there.pixels)
        assert [place for place, _ in source.places({4, 1})] == [1, 4]
        assert list(source.places(())) == []
    decoded: list[str] = []

    def decode(path: Path, *_: object) -> tuple[np.ndarray, tuple[str, ...]]:
        decoded.append(path.name)
        return np.zeros((6, 4)), ()

    monkeypatch.setattr(images_source, "decode", decode)
    source = open_images(str(tmp_path / "folder"), labels)
    assert [place for place, _ in source.places([0, 3])] == [0, 3]
    assert decoded == ["c.png"]
