"""How much of the flicker is aliasing where that is known: all of it, none of it, or a known part."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from auditor.onnxfile import read_model
from auditor.sampling import analyse
from auditor.text import ModelText
from auditor.verify.arrays import AnyArray
from auditor.verify.errors import DataError
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.result import DataKind, Task
from auditor.verify.runner import verify
from auditor.verify.time.explained import Energies, explained
from auditor.verify.time.result import Explained, TimeResult
from tests.verify.models import saved
from tests.verify.test_runner import pictures
from tests.verify.time.clips import (
    SETTINGS,
    SIZE,
    STRIDE,
    blob,
    classifier,
    detector,
    drifting,
    landmarks,
    over_time,
    resting,
    run,
    segmenter,
    source,
)


def share(found: TimeResult, of: str = "score", static: bool = False) -> Explained:
    return next(one for one in found.explained if (one.of, one.static) == (of, static))


def scores(frames: list[AnyArray], gain: float = 4.0) -> NDArray[np.float64]:
    """The classifier's probability of the blob, written apart."""
    power = 3 * (150 / 255) ** 2 * np.pi * 4.0**2 / STRIDE**2
    samples = np.stack(frames)[:, ::STRIDE, ::STRIDE].astype(np.float64) / 255
    total = np.square(np.clip(samples - 48 / 255, 0, None)).sum(axis=(1, 2, 3))
    probability: NDArray[np.float64] = 1 / (1 + np.exp(-2 * gain * (total - 0.75 * power)))
    return probability


def change(frames: list[AnyArray]) -> float:
    return float(np.square(np.diff(scores(frames))).mean())


def test_all_of_it_where_only_the_grid_makes_the_answer_flicker(tmp_path: Path) -> None:
    found = over_time(tmp_path, classifier(), drifting(60), Task.CLASSIFICATION)
    one = share(found)
    assert one.told
    assert one.share is not None
    assert one.share > 0.9
    assert one.interval is not None
    assert one.interval.low > 0.8
    assert one.remains == pytest.approx(0, abs=0.01), "moved by whole grids, nothing changes"
    assert found.motion == pytest.approx(np.hypot(0.31, 0.83), abs=0.03)


@pytest.mark.parametrize("noise", [3.0, 8.0])
def test_none_of_it_where_only_noise_makes_the_answer_flicker(tmp_path: Path, noise: float) -> None:
    found = over_time(tmp_path, classifier(), resting(60, noise), Task.CLASSIFICATION)
    measure = found.measure("score-change")
    assert measure is not None
    assert measure.value > 0.03, "it does flicker"
    for static in (False, True):
        one = share(found, static=static)
        assert one.told
        assert one.share == pytest.approx(0, abs=0.02)
        assert one.interval is not None
        assert one.interval.high < 0.05
    assert found.at_rest > 0.95


@pytest.mark.parametrize("noise", [3.0, 5.0])
def test_a_part_of_it_where_both_do(tmp_path: Path, noise: float) -> None:
    clean, noisy = drifting(60), drifting(60, noise)
    truth = change(clean) / change(noisy)
    assert 0.2 < truth < 0.85, "the case has both"
    one = share(over_time(tmp_path, classifier(), noisy, Task.CLASSIFICATION))
    assert one.interval is not None
    assert one.interval.low <= truth <= one.interval.high
    assert one.share == pytest.approx(truth, abs=0.2)


def test_none_of_it_for_a_model_without_a_grid_to_speak_of(tmp_path: Path) -> None:
    """Every pixel is sampled: the power of a smooth blob is the same wherever it lies."""
    noisy = [blob(36 + 0.3 * at, 40 + 0.5 * at, 0, width=4.0, level=150 - 40 * (at % 2)) for at in range(40)]
    found = over_time(tmp_path, classifier(stride=1, gain=0.02), noisy, Task.CLASSIFICATION)
    one = share(found)
    assert one.share == pytest.approx(0, abs=0.02), "what changes is the light"


def test_boxes_that_dance_on_a_grid_are_explained_by_it(tmp_path: Path) -> None:
    found = over_time(tmp_path, detector(), drifting(60))
    for of in ("score", "position"):
        one = share(found, of)
        assert one.told
        assert one.share is not None
        assert one.share > 0.9
    jitter = found.measure("centre-jitter")
    assert jitter is not None
    assert jitter.value > 1, "the box moves in steps of the grid, the blob does not"


def test_boxes_that_flicker_by_noise_are_not(tmp_path: Path) -> None:
    found = over_time(tmp_path, detector(), resting(60, 8.0))
    one = share(found, static=True)
    assert one.told
    assert one.share == pytest.approx(0, abs=0.02)
    assert not share(found, "position").told, "boxes that do not move have nothing to explain"


def test_masks_flicker_at_their_boundary_by_the_grid(tmp_path: Path) -> None:
    found = over_time(tmp_path, segmenter(), drifting(60), Task.DENSE)
    one = share(found, "mask")
    assert one.share is not None
    assert one.share > 0.8
    values = {name: found.measure(f"mask-flicker{name}") for name in ("", "-boundary", "-inside")}
    assert all(measure is not None for measure in values.values())
    everything, boundary, inside = (measure.value for measure in values.values() if measure is not None)
    assert boundary > everything > inside
    assert inside < 0.02


def test_masks_that_flicker_by_noise_are_not_explained(tmp_path: Path) -> None:
    found = over_time(tmp_path, segmenter(), resting(60, 25.0), Task.DENSE)
    measure = found.measure("mask-flicker")
    assert measure is not None
    assert measure.value > 0.001
    one = share(found, "mask")
    assert one.share is None or one.share < 0.05


def test_joints_that_step_along_the_grid_of_a_heat_map_are_explained_by_it(tmp_path: Path) -> None:
    settings = replace(SETTINGS, decoding="heatmap")
    found = run(tmp_path, landmarks(), source(drifting(60)), Task.KEYPOINTS, settings).time
    assert found is not None
    jitter = found.measure("joint-jitter")
    assert jitter is not None
    assert jitter.value > 0.5
    one = share(found, "position")
    assert one.share is not None
    assert one.share > 0.8


def test_crossings_are_counted_per_hundred_frames(tmp_path: Path) -> None:
    """The peak of a resting blob lies above the threshold in two frames of three."""
    frames = [blob(40, 40, level=60 if index % 3 == 2 else 120) for index in range(30)]
    found = over_time(tmp_path, detector(stride=1), frames)
    crossings = found.measure("crossings")
    assert crossings is not None
    flips = sum((one % 3 == 2) != ((one + 1) % 3 == 2) for one in range(29))
    assert crossings.value == pytest.approx(100 * flips / 29)
    assert crossings.unit == "per 100 frames"


def test_a_clip_that_does_not_change_has_nothing_to_explain(tmp_path: Path) -> None:
    found = over_time(tmp_path, detector(), [blob(40, 40)] * 20)
    for name in ("crossings", "score-change", "centre-jitter"):
        measure = found.measure(name)
        assert measure is not None
        assert measure.value == 0
    assert not any(one.told for one in found.explained)
    assert found.at_rest == 1


def test_every_frame_is_run_once_and_shifts_on_some_of_them(tmp_path: Path) -> None:
    found = run(tmp_path, detector(), source(drifting(70)))
    assert found.time is not None
    assert found.time.frames == 70
    assert len(found.data.used) == 16
    assert found.data.kind is DataKind.FRAMES
    assert found.measure("flicker") is not None


@pytest.mark.parametrize(
    ("stage", "done", "said"),
    [("images", 2, "interrupted after 2 of 16 images"), ("images for layers", 1, "interrupted while layers were")],
)
def test_an_interrupt_counts_the_frames_that_are_shifted_and_not_all(
    tmp_path: Path, stage: str, done: int, said: str
) -> None:
    class Impatient:
        left = -1

        def begin(self, what: str, total: int | None) -> None:  # noqa: ARG002 - the interface of an observer
            self.left = done if what == stage else -1

        def advance(self) -> None:
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    read = read_model(saved(tmp_path / "m.onnx", classifier()))
    settings = replace(SETTINGS, task=Task.CLASSIFICATION, layer_images=2)
    found = verify(read, source(drifting(20)), settings, analyse(read), observer=Impatient())
    assert found.incomplete.startswith(said)


def test_pictures_are_not_taken_for_a_clip(tmp_path: Path) -> None:
    items = pictures(9, SIZE)
    still = ImageSource(DataKind.ARRAYS, 9, (), lambda: iter(items))
    assert run(tmp_path, classifier(), still, Task.CLASSIFICATION).time is None


def test_a_task_that_is_not_followed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="embedding models are not followed over frames"):
        over_time(tmp_path, classifier(), drifting(12), Task.EMBEDDING)


def test_a_share_is_told_only_where_its_interval_is_narrow() -> None:
    alike = [Energies(0.01, 0.006, 0.0)] * 20
    assert explained("score", alike, 8).told
    assert explained("score", alike, 8).share == pytest.approx(0.6)
    assert not explained("score", alike[:7], 8).told
    assert not explained("score", alike, None).told
    rng = np.random.default_rng(0)
    apart = [Energies(0.01, float(value), 0.0) for value in rng.normal(0.006, 0.02, 20)]
    unclear = explained("score", apart, 8)
    assert not unclear.told
    assert "leave it between" in unclear.why


def test_the_interval_of_the_share_holds_the_truth_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(4), 0
    for _ in range(400):
        grid, noise = rng.normal(0, 1.0, 40), rng.normal(0, 0.7, 40)
        pairs = [Energies((a + n) ** 2, a * a, 0.0) for a, n in zip(grid, noise, strict=True)]
        interval = explained("score", pairs, 8).interval
        assert interval is not None
        held += interval.low <= 1 / (1 + 0.49) <= interval.high
    assert held / 400 > 0.9


def test_a_long_clip_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    read = read_model(saved(tmp_path / "m.onnx", detector()))

    def peak(count: int) -> int:
        frame = lambda index: Picture(ModelText(f"{index}.png"), blob(40 + 0.2 * (index % 20), 48, 2.0, index))  # noqa: E731
        tracemalloc.start()
        found = verify(read, ImageSource.listed(DataKind.FRAMES, count, (), frame), SETTINGS, analyse(read))
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.time is not None
        assert found.time.frames == count
        return highest

    peak(12)  # what is loaded once
    short, long = peak(50), peak(200)
    # Kept frames would be 27 kB each, and their grey levels 74 kB.
    assert long - short < 150 * 10_000
