"""The tests of a grid lock on the user's pictures: what they compute, what they refuse, and what they let through."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import save_model
from scipy import stats

from auditor.onnxfile import read_model
from auditor.policy.settings import Settings
from auditor.repair.held import added_by_choice, held_copy
from auditor.repair.job import RepairJob
from auditor.repair.original import opened
from auditor.repair.result import Repaired
from auditor.repair.run import run
from auditor.repair.search.search import Budget
from auditor.repair.trials import ACCURACY, HALF_PIXEL, NOISE, OBJECT, LockTest, accuracy_test, relative, trials
from auditor.report.repair.trials import lock_refusal, trial_lines
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Camera, Lock, Options, Step, Strategy
from auditor.sampling import analyse
from auditor.text import ModelText
from auditor.verify.images.preprocess import preset
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.options import read_keywords
from auditor.verify.perturbation import Perturbation, PerturbationKind
from auditor.verify.result import DataKind, Rejected
from auditor.verify.settings import VerifySettings
from auditor.verify.worker.device import Device, DeviceKind
from tests.rewrite.networks import fixed, session
from tests.rewrite.test_grid_lock import network, scene

SHARED = Path(__file__).parents[3] / "shared" / "models"
OPTIONS = Options(period=8, margin=10)
SETTINGS = VerifySettings(preprocessing=preset("unit"), device=Device(DeviceKind.CPU), radius=4, layer_images=0)


def photographs(count: int) -> list[Picture | Rejected]:
    views = [scene(90, 100, seed).transpose(1, 2, 0) for seed in range(count)]
    return [Picture(ModelText(f"{i}.png"), (255 * view).round().astype(np.uint8)) for i, view in enumerate(views)]


def source(count: int) -> ImageSource:
    items = photographs(count)
    return ImageSource(DataKind.ARRAYS, len(items), (), lambda: iter(items))


def locked(folder: Path, options: Options = OPTIONS) -> Path:
    target, done, _ = fixed(network(), folder, Strategy.GRID_LOCK, options)
    assert done.path is not None
    return target


def test_the_bound_is_students_over_the_images() -> None:
    random = np.random.default_rng(0)
    base, new = random.uniform(0, 1, 40), random.uniform(0, 1, 40)
    change, bound, images = relative(list(new - base), list(base))
    assert images == 40
    assert change == pytest.approx((new - base).mean() / base.mean())
    interval = stats.t.interval(0.9, 39, (new - base).mean(), stats.sem(new - base))
    assert bound == pytest.approx(interval[1] / base.mean(), rel=1e-3)


def test_images_without_a_number_are_left_out_and_too_few_tell_nothing() -> None:
    change, bound, images = relative([0.1, 0.1, math.nan, 0.1, 0.1, 0.1], [1, 1, 1, 1, 1, 1])
    assert images == 5
    assert (change, bound) == pytest.approx((0.1, 0.1))
    assert math.isnan(relative([0.1] * 4, [1] * 4)[1])
    assert math.isnan(relative([0.1] * 9, [0] * 9)[1])


def judged(noise: float, half: float, moved: float, options: Options = OPTIONS) -> dict[str, LockTest]:
    ones = (1.0,) * 9
    pairs = {
        NOISE.name: (ones, ones),
        HALF_PIXEL.name: (ones, (1 + half,) * 9),
        OBJECT.name: (ones, (1 + moved,) * 9),
    }
    return {one.protocol: one for one in trials(options, (noise,) * 9, pairs)}


@pytest.mark.parametrize(
    ("numbers", "failing"),
    [
        ((0.09, -0.01, 0.09), None),
        ((0.11, -0.01, 0.09), NOISE),
        ((0.09, 0.01, 0.09), HALF_PIXEL),
        ((0.09, 0.0, 0.09), HALF_PIXEL),
        ((0.09, -0.01, 0.11), OBJECT),
    ],
)
def test_each_limit_holds_from_both_sides(numbers: tuple[float, float, float], failing: Perturbation | None) -> None:
    found = judged(*numbers)
    assert {name for name, one in found.items() if one.held_back} == ({failing.name} if failing else set())
    reason = lock_refusal(list(found.values()))
    assert (reason is None) is (failing is None)
    assert failing is None or failing.name in str(reason)


def test_what_could_not_be_measured_is_not_passed() -> None:
    (noise, *others) = trials(OPTIONS, (), {NOISE.name: ((), ()), HALF_PIXEL.name: ((), ())})
    assert all(one.held_back for one in others)
    assert noise.held_back
    assert "not measurable" in "".join(trial_lines([noise]))


def test_a_moving_camera_is_not_held_to_a_still_background_but_told_of_it() -> None:
    found = judged(0, -1, 0.5, replace(OPTIONS, camera=Camera.MOVING))
    assert not found[OBJECT.name].held_back
    assert "not asked for" in list(trial_lines(list(found.values())))[-1]
    assert "--camera moving" in str(lock_refusal(list(judged(0, -1, 0.5).values())))


def test_whole_pixels_promise_nothing_between_pixels() -> None:
    assert HALF_PIXEL.name not in judged(0, 0.5, 0, replace(OPTIONS, lock=Lock.WHOLE_PIXEL))


@pytest.mark.parametrize("lock", Lock)
def test_a_held_window_is_the_one_that_was_given(lock: Lock, tmp_path: Path) -> None:
    path = locked(tmp_path, replace(OPTIONS, lock=lock))
    model = read_model(path)
    names = [node.outputs[0] for node in model.graph.nodes if node.op == "ArgMax"]
    assert len(names) == 2
    held = session(held_copy(path, names, tmp_path / "held.onnx"))
    view = scene(68, 76, 1)[None].astype(np.float32)
    with_choice = session(path)
    first = np.asarray(with_choice.run(None, {"x": view})[0])
    outputs = [
        np.asarray(held.run(None, {"x": view, **{name: np.array([index], np.int64) for name in names}})[0])
        for index in range(0, 8 * (32 if lock is Lock.SUB_PIXEL else 1), 5)
    ]
    assert np.ptp(np.stack(outputs), axis=0).max() > 1e-4
    chosen = onnx_choice(path, names, view)
    again = held.run(None, {"x": view, **chosen})[0]
    np.testing.assert_array_equal(first, again)


def onnx_choice(path: Path, names: list[str], view: np.ndarray) -> dict[str, np.ndarray]:
    """What the locked model chooses, from a copy that gives it out."""
    import onnx
    from onnx import helper

    model = onnx.load(path)
    model.graph.output.extend(helper.make_tensor_value_info(name, 7, [None]) for name in names)
    copy = path.with_name("open.onnx")
    save_model(model, copy)
    return dict(zip(names, session(copy).run(names, {"x": view}), strict=True))


def test_a_choice_adds_nothing_where_nothing_disturbs_and_something_under_heavy_noise(tmp_path: Path) -> None:
    path = locked(tmp_path, replace(OPTIONS, lock=Lock.WHOLE_PIXEL))
    analysis = analyse(read_model(path))
    for level, quiet in ((0.0, True), (80.0, False)):
        noise = Perturbation(PerturbationKind.NOISE, level)
        added = added_by_choice(path, analysis, source(8), SETTINGS, noise, "mac")
        assert sorted(added) == [f"{index}.png" for index in range(8)]
        assert (max(map(abs, added.values())) == 0) is quiet


PICTURES = 8


def repaired(folder: Path, options: Options, loss: float = 0.005, **asked: object) -> Repaired:
    """A measured lock of pictures that are all of class 0, where ``labelled``."""
    model, pictures = folder / "model.onnx", folder / "pictures.npz"
    save_model(network(), model)
    views = np.stack([scene(90, 100, seed).transpose(1, 2, 0) for seed in range(PICTURES)])
    views = (255 * views).round().astype(np.uint8)
    if asked.pop("labelled", False):
        np.savez(pictures, images=views, labels=np.zeros(PICTURES, np.int64))
    else:
        np.savez(pictures, images=views)
    usual = {"images": str(pictures), "preset": "unit", "device": "cpu", "radius": 4, "layers": 0}
    with opened(model, Settings(), folder / "locked.onnx") as original:
        job = RepairJob(Step(Strategy.GRID_LOCK, options), read_keywords({**usual, **asked}), budget=Budget(loss=loss))
        return run(original, job)


def test_a_measured_lock_is_kept_or_refused_by_its_tests(tmp_path: Path) -> None:
    done = repaired(tmp_path, OPTIONS)
    assert [one.protocol for one in done.trials] == [NOISE.name, HALF_PIXEL.name, OBJECT.name, ACCURACY]
    assert all(one.images == PICTURES for one in done.trials[:-1])
    failed = any(one.held_back for one in done.trials)
    assert (tmp_path / "locked.onnx").exists() is not failed
    assert (done.path is None) is failed
    assert (lock_refusal(done.trials) is None) is not failed


def test_a_detector_whose_layout_is_told_by_all_its_outputs_is_tested_too(tmp_path: Path) -> None:
    """The choice of the window is no output of the model that is measured."""
    faces = SHARED / "detector" / "ultraface_rfb320.onnx"
    if not faces.exists():
        pytest.skip("needs the folder shared/models beside the checkout")
    target = tmp_path / "locked.onnx"
    model = read_model(faces)
    assert rewrite(model, analyse(model), Step(Strategy.GRID_LOCK), target).path == target
    asked = {"images": None, "preset": "ultraface", "layout": "ultraface", "box_score": 0.05, "device": "cpu"}
    settings = read_keywords(asked).settings
    noise = Perturbation(PerturbationKind.NOISE, 8.0)
    added = added_by_choice(target, analyse(read_model(target)), source(4), settings, noise, "score-deviation")
    assert set(added) <= {f"{index}.png" for index in range(4)}


def test_a_loss_of_accuracy_is_held_to_the_budget_from_both_sides() -> None:
    right = [1.0] * 200
    for wrong, refused in ((0, False), (1, False), (2, True)):
        found = accuracy_test(right, [0.0] * wrong + right[wrong:], 0.005)
        assert found.change == pytest.approx(wrong / 200)
        assert found.held_back is refused
        assert (lock_refusal([found]) is not None) is refused
    reason = str(lock_refusal([found]))
    assert "+1.0 points" in reason
    assert "at most +0.5 (--max-drop)" in reason
    assert not accuracy_test(right, [0.0] * 2 + right[2:], 0.01).held_back
    assert not accuracy_test([0.0] * 200, right, 0.0).held_back


def test_the_bound_of_the_loss_is_students_over_the_images() -> None:
    random = np.random.default_rng(0)
    before, after = random.uniform(0, 1, 40), random.uniform(0, 1, 40)
    found = accuracy_test(list(before), list(after), 0.005)
    high = stats.t.interval(0.9, 39, (before - after).mean(), stats.sem(before - after))[1]
    assert found.bound == pytest.approx(high, rel=1e-3)


def test_without_labels_the_report_says_that_accuracy_was_not_measured() -> None:
    found = accuracy_test([math.nan] * 5, [math.nan] * 5, 0.005)
    assert not found.held_back
    assert "no labels" in "".join(trial_lines([found]))


def test_labels_tell_what_a_lock_loses_and_the_budget_says_how_much_it_may(tmp_path: Path) -> None:
    for most in (0.0, 1.0):
        done = repaired(tmp_path, OPTIONS, most, labelled=True)
        (test,) = (one for one in done.trials if one.protocol == ACCURACY)
        assert test.images == PICTURES
        assert test.held_back is (test.change > most + 1e-6)
        assert done.gain is not None
        assert done.gain.loss is not None
        assert test.change == pytest.approx(done.gain.loss.value)


def test_a_lock_of_an_embedding_is_tested_by_its_cosine(tmp_path: Path) -> None:
    done = repaired(tmp_path, OPTIONS, task="embedding")
    assert [one.protocol for one in done.trials] == [NOISE.name, HALF_PIXEL.name, OBJECT.name]
    assert all(one.images == PICTURES and math.isfinite(one.bound) for one in done.trials)
    assert done.gain is not None
    change = {one.protocol: one for one in done.gain.changes if one.measure == "cosine"}[HALF_PIXEL.name]
    half = done.trials[1]
    assert half.change == pytest.approx((change.base - change.new) / (1 - change.base), rel=1e-3)
