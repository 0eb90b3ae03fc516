"""Files that libraries read differently are read as the library of the pipeline does, and the report says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auditor.verify.images.picture_file import FileReader, decode
from auditor.verify.images.preprocess import preset
from auditor.verify.images.source import Picture, open_images

image = pytest.importorskip("PIL.Image")

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
DEEP = np.array([[0, 127, 128, 255, 256, 511, 32767, 32768, 65279, 65535]], np.uint16)
TURNED = {
    1: PIXELS,
    2: PIXELS[:, ::-1],
    3: PIXELS[::-1, ::-1],
    4: PIXELS[::-1],
    5: PIXELS.transpose(1, 0, 2),
    6: np.rot90(PIXELS, -1),
    7: PIXELS[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(PIXELS),
}


def oriented(path: Path, orientation: int) -> Path:
    """A file whose pixels are to be turned for the viewer."""
    exif = image.Exif()
    exif[0x0112] = orientation
    image.fromarray(PIXELS).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", TURNED)
def test_a_picture_is_turned_by_its_exif_orientation_where_opencv_reads_it(tmp_path: Path, orientation: int) -> None:
    pixels, notes = decode(oriented(tmp_path / "x.png", orientation), reader=FileReader.OPENCV)
    assert (pixels == TURNED[orientation]).all()
    assert bool(notes) == (orientation != 1)
    assert all("turned by the EXIF orientation, as cv2.imread does" in note for note in notes)


@pytest.mark.parametrize("reader", [FileReader.OWN, FileReader.PILLOW])
def test_pillow_leaves_a_picture_as_it_lies_and_the_report_says_so(tmp_path: Path, reader: FileReader) -> None:
    pixels, notes = decode(oriented(tmp_path / "x.png", 6), reader=reader)
    assert (pixels == PIXELS).all()
    assert "not turned by the EXIF orientation" in notes[0]
    assert decode(oriented(tmp_path / "y.png", 1), reader=reader)[1] == ()


def test_opencv_itself_reads_the_same_pixels(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    for orientation in (1, 3, 6, 8):
        file = oriented(tmp_path / f"{orientation}.jpg", orientation)
        assert (decode(file, reader=FileReader.OPENCV)[0] == cv2.imread(str(file))[..., ::-1]).all()
    image.fromarray(DEEP).save(tmp_path / "deep.png")
    grey, _ = decode(tmp_path / "deep.png", reader=FileReader.OPENCV)
    assert (grey == cv2.imread(str(tmp_path / "deep.png"))[..., 0]).all()


def test_sixteen_bit_grey_is_cut_off_by_opencv_and_clipped_by_pillow(tmp_path: Path) -> None:
    image.fromarray(DEEP).save(tmp_path / "deep.png")
    found = {reader: decode(tmp_path / "deep.png", reader=reader) for reader in FileReader}
    assert found[FileReader.OPENCV][0].tolist() == [[0, 0, 0, 0, 1, 1, 127, 128, 254, 255]]
    assert (found[FileReader.PILLOW][0] == np.asarray(image.open(tmp_path / "deep.png").convert("L"))).all()
    assert found[FileReader.OWN][0].tolist() == [[0, 0, 0, 1, 1, 2, 127, 128, 254, 255]]
    for reader, words in (
        (FileReader.OPENCV, "upper eight bits"),
        (FileReader.PILLOW, "white"),
        (FileReader.OWN, "scaled"),
    ):
        assert words in found[reader][1][0]


def test_the_library_of_the_kernel_reads_the_files() -> None:
    readers = {name: preset(name).reader for name in ("imagenet", "ultralytics", "torchvision", "transformers-vit")}
    assert readers == {
        "imagenet": FileReader.OWN,
        "ultralytics": FileReader.OPENCV,
        "torchvision": FileReader.PILLOW,
        "transformers-vit": FileReader.TRANSFORMERS,
    }


def test_a_folder_is_read_as_the_pipeline_reads_it(tmp_path: Path) -> None:
    oriented(tmp_path / "x.png", 6)
    shapes = {}
    for reader in (FileReader.OWN, FileReader.OPENCV):
        (picture,) = open_images(str(tmp_path), reader=reader)
        assert isinstance(picture, Picture)
        shapes[reader] = picture.pixels.shape[:2]
    assert shapes == {FileReader.OWN: (4, 6), FileReader.OPENCV: (6, 4)}
