from __future__ import annotations

import numpy as np
import pytest

from auditor.verify.errors import DataError
from auditor.verify.images.inputs import DEFAULT_SIZE, image_input, other_feeds
from auditor.verify.images.preprocess import ChannelOrder, ImageLayout, preset
from auditor.verify.worker.job import Port


def port(*shape: int | str | None, name: str = "x", dtype: str = "float32") -> Port:
    return Port(name, dtype, shape)


@pytest.mark.parametrize(
    ("shape", "layout", "channels", "size", "batch"),
    [
        ((1, 3, 224, 224), ImageLayout.NCHW, 3, (224, 224), 1),
        (("N", 3, 32, 48), ImageLayout.NCHW, 3, (32, 48), None),
        ((8, 1, 28, 28), ImageLayout.NCHW, 1, (28, 28), 8),
        ((1, 128, 128, 3), ImageLayout.NHWC, 3, (128, 128), 1),
        ((None, None, None, 3), ImageLayout.NHWC, 3, DEFAULT_SIZE, None),
        (("N", 3, "H", "W"), ImageLayout.NCHW, 3, DEFAULT_SIZE, None),
        ((1, 28, 28), ImageLayout.NHW, 1, (28, 28), 1),
    ],
)
def test_layout_size_channels_and_batch_are_read_from_the_shape(
    shape: tuple[int | str | None, ...],
    layout: ImageLayout,
    channels: int,
    size: tuple[int, int],
    batch: int | None,
) -> None:
    found = image_input((port(*shape),))
    assert (found.layout, found.channels, found.size, found.batch) == (layout, channels, size, batch)


def test_a_free_size_is_taken_from_the_user_and_said_to_be_assumed_without() -> None:
    assert image_input((port("N", 3, "H", "W"),)).assumed_size
    told = image_input((port("N", 3, "H", "W"),), size=(64, 96))
    assert told.size == (64, 96)
    assert not told.assumed_size


@pytest.mark.parametrize(
    "other",
    [
        port(1, 16, 8, 8, name="state"),
        port(1, 1, 8, 8, name="mask"),
        port("N", 1, "H", "W", name="mask"),
        port(1, 128, 64, name="state"),
        port(2, "N", 64, name="h"),
        port(1, 3, 4, 4, name="anchors"),
        port(1, 2, name="size"),
        port(1, 3, 8, 8, name="x2", dtype="int64"),
    ],
)
def test_the_picture_among_several_inputs_is_told_by_its_shape(other: Port) -> None:
    for ports in ((other, port(1, 3, 8, 8)), (port("N", 3, "H", "W"), other), (port(1, 8, 8, 3), other)):
        assert image_input(ports).name == "x"


def test_an_input_that_no_shape_tells_can_be_named() -> None:
    found = image_input((port(1, 28, 280, name="line"), port(1, 28, 28)), name="line", layout=ImageLayout.NHW)
    assert (found.name, found.size) == ("line", (28, 280))


def test_a_side_that_is_fixed_stays_when_another_size_is_tried() -> None:
    found = image_input((port("N", 3, 32, "W"),))
    assert (found.size, found.possible((48, 320))) == ((32, 224), (32, 320))
    assert image_input((port("N", 3, "H", "W"),)).possible((48, 320)) == (48, 320)


@pytest.mark.parametrize(
    ("ports", "options", "words"),
    [
        ((), {}, "no inputs"),
        ((port(1, 3, 8, 8, name="a"), port(1, 3, 8, 8, name="b")), {}, "2 inputs"),
        ((port(1, 16, 8, 8),), {}, "16 channels"),
        ((port(1, 3, 8, 8),), {"name": "nothing"}, "no input of the name"),
        ((port(1, 12, 1000),), {}, "no inputs"),  # an electrocardiogram
        ((port("N", 12, "T"),), {}, "no inputs"),
        ((port(1, 1, 12, 5000),), {}, "no inputs"),
        ((port(1, 257, 1, 2),), {}, "channels"),
        ((port(3, 224, 224),), {}, "no inputs"),  # colours without a batch
        ((port("batch", "sequence", name="input"), port(2, "batch", 128, name="state")), {}, "no inputs"),
        ((port(1, 3, 8, 8, dtype="int64"),), {"name": "x"}, "is no image"),
        ((port(1, 3, 8, 8),), {"size": (9, 9)}, "fixed to 8 px"),
        ((port(1, 3, 8, 8),), {"layout": ImageLayout.NHW}, "does not fit"),
        ((port(1, 3, 8, 8),), {"channels": 1}, "3 channels"),
    ],
)
def test_what_cannot_be_told_is_an_error_that_says_what_to_do(
    ports: tuple[Port, ...], options: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        image_input(ports, **options)  # type: ignore[arg-type]


def test_a_preprocessing_takes_layout_type_and_channels_of_the_input() -> None:
    fitted = image_input((port(1, 28, 28, 1, dtype="uint8"),)).fit(preset("caffe-bgr"))
    assert (fitted.layout, fitted.dtype, fitted.channels, fitted.order) == (
        ImageLayout.NHWC,
        "uint8",
        1,
        ChannelOrder.RGB,
    )
    assert len(fitted.mean) == 1


def test_further_inputs_take_what_came_with_the_image_then_constants() -> None:
    ports = (port(1, 3, 8, 8), port("N", 4, name="state"), port(name="gain"), port(2, "T", name="mask"))
    image = image_input(ports, name="x")
    feeds = other_feeds(ports, image, {"gain": 2.0, "mask": 1.0}, {"state": np.arange(4.0)}, 3)
    np.testing.assert_array_equal(feeds["state"], np.tile(np.arange(4.0), (3, 1)))
    assert feeds["state"].dtype == np.float32
    assert feeds["gain"].shape == ()
    assert feeds["mask"].shape == (2, 1)
    with pytest.raises(DataError, match="--feed"):
        other_feeds(ports, image, {}, {}, 1)
