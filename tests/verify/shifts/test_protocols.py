from __future__ import annotations

import numpy as np
import pytest

from auditor.verify.result import ProtocolKind
from auditor.verify.shifts.plan import ShiftSettings, Window
from auditor.verify.shifts.protocols import DEFAULT_FRACTIONS, Protocol, cut, inpaint
from auditor.verify.shifts.subpixel import fourier_shift

SMALL = ShiftSettings(radius=4, distances=(1, 3), pairs=6)


def picture(protocol: Protocol, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 255, (*protocol.picture, 3))


def protocols() -> list[Protocol]:
    return [Protocol(kind, (16, 20), margin=4) for kind in ProtocolKind]


@pytest.mark.parametrize("protocol", protocols(), ids=lambda protocol: protocol.kind.value)
def test_every_planned_window_can_be_cut_from_its_canvas(protocol: Protocol) -> None:
    plan = protocol.plan(2, SMALL)
    canvases = [protocol.canvas(picture(protocol), variant) for variant in range(protocol.variants)]
    for window in plan.windows:
        assert cut(canvases[window.variant], window, protocol.window).shape == (16, 20, 3)


def test_the_default_crop_protocol_is_zhangs_256_and_224() -> None:
    protocol = Protocol(ProtocolKind.CROP, (224, 224))
    assert protocol.picture == (256, 256)
    assert protocol.positions.centre == (16, 16)


def test_a_cropped_window_shows_the_picture_shifted() -> None:
    protocol = Protocol(ProtocolKind.CROP, (16, 20), margin=4)
    pixels = picture(protocol)
    canvas = protocol.canvas(pixels)
    np.testing.assert_array_equal(cut(canvas, Window(0, 1, 3), protocol.window), pixels[1:17, 3:23])


def test_a_rolled_window_is_a_circular_shift() -> None:
    protocol = Protocol(ProtocolKind.ROLL, (7, 9))
    pixels = picture(protocol)
    canvas = protocol.canvas(pixels)
    for y, x in ((0, 0), (6, 8), (3, 1)):
        rolled = np.roll(pixels, (-y, -x), axis=(0, 1))
        np.testing.assert_array_equal(cut(canvas, Window(0, y, x), protocol.window), rolled)


@pytest.mark.parametrize("kind", [ProtocolKind.EMBED_BLACK, ProtocolKind.EMBED_INPAINT])
def test_an_embedded_picture_is_whole_in_every_window(kind: ProtocolKind) -> None:
    protocol = Protocol(kind, (16, 16), margin=4)
    pixels = picture(protocol)
    canvas = protocol.canvas(pixels)
    for y in range(5):
        for x in range(5):
            window = cut(canvas, Window(0, y, x), protocol.window)
            top, left = 6 - y, 6 - x
            np.testing.assert_array_equal(window[top : top + 8, left : left + 8], pixels)
            if kind is ProtocolKind.EMBED_BLACK:
                assert np.count_nonzero(window) == pixels.size
            else:
                assert window.min() >= pixels.min() - 1e-9
                assert window.max() <= pixels.max() + 1e-9


def test_a_picture_that_leaves_no_room_to_move_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        Protocol(ProtocolKind.EMBED_BLACK, (32, 32), margin=20)
    with pytest.raises(ValueError, match="empty"):
        Protocol(ProtocolKind.CROP, (0, 5))


def test_filling_continues_a_flat_colour_and_keeps_what_is_known() -> None:
    canvas = np.zeros((13, 10, 3))
    known = np.zeros((13, 10), dtype=bool)
    known[4:7, 3:8] = True
    canvas[known] = (10.0, 20.0, 30.0)
    filled = inpaint(canvas, known)
    np.testing.assert_allclose(filled, np.broadcast_to((10.0, 20.0, 30.0), filled.shape), atol=1e-9)
    with pytest.raises(ValueError, match="known"):
        inpaint(canvas, np.zeros_like(known))


def test_filling_leaves_a_smaller_step_at_the_border_than_black() -> None:
    y, x = np.mgrid[:64, :64]
    scene = (120 + 60 * np.sin(y / 9) + 50 * np.cos(x / 7))[..., None]
    known = np.zeros((64, 64), dtype=bool)
    known[16:48, 16:48] = True
    filled = inpaint(scene, known)
    step = np.abs(filled[15, 16:48] - scene[16, 16:48]).mean()
    assert step < 0.25 * scene[16, 16:48].mean()


def test_the_sub_pixel_protocol_tests_purely_horizontal_and_vertical_fractions() -> None:
    assert any(dy == 0 and dx != 0 for dy, dx in DEFAULT_FRACTIONS)
    assert any(dx == 0 and dy != 0 for dy, dx in DEFAULT_FRACTIONS)


def test_a_sub_pixel_pair_shows_the_picture_at_the_shift_it_states() -> None:
    protocol = Protocol(ProtocolKind.SUBPIXEL, (11, 13))
    pixels = picture(protocol)
    plan = protocol.plan(0, SMALL)
    for pairs in (plan.pairs, plan.neighbours):
        assert len(pairs)
        for moved, shift in zip(pairs.moved, pairs.shift, strict=True):
            window = plan.windows[moved]
            shown = cut(protocol.canvas(pixels, window.variant), window, protocol.window)
            np.testing.assert_allclose(shown, fourier_shift(pixels, *shift), atol=1e-8)
            assert any(part % 1 for part in shift), "always a fraction"


def test_the_zoom_protocol_compares_the_same_window_at_two_scales() -> None:
    protocol = Protocol(ProtocolKind.ZOOM, (16, 20), margin=4)
    plan = protocol.plan(0, SMALL)
    assert protocol.variants == 3
    for reference, moved in zip(plan.pairs.reference, plan.pairs.moved, strict=True):
        left, right = plan.windows[reference], plan.windows[moved]
        assert (left.y, left.x, left.variant) == (right.y, right.x, 0)
        assert right.variant in (1, 2)
    assert {plan.windows[moved].variant for moved in plan.pairs.moved} == {1, 2}


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="needs"):
        Protocol(ProtocolKind.CROP, (8, 8), margin=2).canvas(np.zeros((8, 8, 3)))
    with pytest.raises(ValueError, match="leaves"):
        cut(np.zeros((8, 8, 3)), Window(0, 1, 0), (8, 8))
