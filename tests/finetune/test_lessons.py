"""What the student learns from: the original's own answers, averaged over windows of each picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from auditor.finetune.lessons import AnswerKind, Lessons, lessons
from auditor.finetune.result import FinetuneError
from auditor.finetune.views import views
from auditor.onnxfile import read_model
from auditor.verify.images.source import Picture
from auditor.verify.observer import Silent
from auditor.verify.worker.windows import cut
from tests.finetune.models import Array, blurred, network, pictures, quick, request


def run(path: Path, windows: Array) -> Array:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.concatenate([np.asarray(session.run(None, {"image": one[None]})[0]) for one in windows])


def collected(original: Path, rewritten: Path, images: Path, check: object = None) -> None:
    """Run ``check`` while the lessons are there."""
    asked = request(images)
    with lessons(read_model(original), read_model(rewritten), asked, quick(), Silent()) as taught:
        assert callable(check)
        check(taught)


def placed(taught: Lessons, picture: int, places: Array) -> Array:
    corners = np.concatenate([np.zeros((len(places), 1), np.int64), places], 1)
    return cut(np.asarray(taught.canvases[picture : picture + 1]), corners, taught.size, taught.channels_last)


@pytest.mark.parametrize("head", ["logits", "probabilities", "embedding", "dense"])
def test_targets_are_the_answers_of_the_original_in_onnxruntime(head: str, tmp_path: Path) -> None:
    original = network(tmp_path / "net.onnx", head)
    rewritten = blurred(original, tmp_path / "blurred.onnx")

    def check(taught: Lessons) -> None:
        assert taught.answer is AnswerKind(head)
        assert (len(taught), len(taught.held_out()), len(taught.trained())) == (8, 2, 6)
        assert not set(taught.held_out()) & set(taught.trained())
        for picture in (0, 7):
            if head == "dense":
                wanted = run(original, placed(taught, picture, taught.places[picture]))
                assert np.allclose(taught.targets[picture], wanted, atol=1e-5 * np.abs(wanted).max())
                continue
            every = [(y, x) for y in range(taught.room[0] + 1) for x in range(taught.room[1] + 1)]
            answers = run(original, placed(taught, picture, np.array(every))).astype(np.float64)
            if head == "logits":
                answers = np.exp(answers - answers.max(1, keepdims=True))
            if head == "embedding":
                answers /= np.linalg.norm(answers, axis=1, keepdims=True)
            else:
                answers /= answers.sum(1, keepdims=True)
            # A mean over some windows lies among them, and near the mean over all.
            target = taught.targets[picture][0]
            assert (target >= answers.min(0) - 1e-5).all()
            assert (target <= answers.max(0) + 1e-5).all()
            assert np.abs(target - answers.mean(0)).max() < 0.5 * np.ptp(answers, axis=0).max()
        windows, answers = taught.probes
        assert np.allclose(run(rewritten, windows), answers, atol=1e-4 * np.abs(answers).max())

    collected(original, rewritten, pictures(tmp_path / "pictures.npz", 8), check)


def test_too_few_pictures_are_an_error(tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx")
    with pytest.raises(FinetuneError, match="at least 8 pictures"):
        collected(path, path, pictures(tmp_path / "few.npz", 7))


def test_a_model_with_another_output_is_not_the_rewritten_one(tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx")
    other = tmp_path / "other.onnx"
    other.write_bytes(path.read_bytes().replace(b"answer", b"ANSWER"))
    with pytest.raises(FinetuneError, match="other inputs or outputs"):
        collected(path, other, pictures(tmp_path / "pictures.npz", 8))


def test_a_map_of_classes_instead_of_scores_teaches_nothing(tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx", "dense")
    model = onnx.load(path)
    model.graph.node.append(onnx.helper.make_node("ArgMax", ["answer"], ["classes"], axis=1))
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("classes", onnx.TensorProto.INT64, None))
    onnx.save(model, path)
    with pytest.raises(FinetuneError, match="not of floating point"):
        collected(path, path, pictures(tmp_path / "pictures.npz", 8))


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    path = network(tmp_path / "net.onnx")
    collected(path, path, pictures(tmp_path / "p.npz", 8), lambda _: next(spare.iterdir()))
    assert not list(spare.iterdir())


def test_the_same_seed_gives_the_same_windows_and_another_one_others(tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx", "dense")
    images = pictures(tmp_path / "pictures.npz", 8)
    found = []
    for seed in (0, 0, 1):
        asked, model = request(images), read_model(path)
        with lessons(model, model, asked, quick(seed=seed), Silent()) as taught:
            found.append(np.array(taught.places))
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_pictures_to_train_on_come_in_several_views_and_held_out_ones_as_they_are(tmp_path: Path) -> None:
    source = request(pictures(tmp_path / "pictures.npz", 8)).source()
    before, after, again = (
        [one for one in some if isinstance(one, Picture)] for some in (source, *(views(source, 3, 0) for _ in range(2)))
    )
    assert len(after) == views(source, 3, 0).count == 6 * 3 + 2
    assert [one.label for one in after] == ([0] * 9 + [1]) * 2
    plain = [one for one in after if one.label == 1]
    assert all(np.array_equal(one.pixels, before[place].pixels) for one, place in zip(plain, (3, 7), strict=True))
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(after, again, strict=True))
    first = before[0].pixels
    for view in after[1:3]:
        side = view.pixels.shape[0]
        parts = [first[y : y + side, x : x + side] for y in range(41 - side) for x in range(41 - side)]
        assert view.pixels.shape[1] == side >= 20
        assert any(np.array_equal(view.pixels, part) or np.array_equal(view.pixels, part[:, ::-1]) for part in parts)
