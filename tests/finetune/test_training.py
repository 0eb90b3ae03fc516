"""Training, where PyTorch and the converter are installed: what it learns, what it keeps, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from auditor.finetune import Finetuned, FinetuneError, finetune
from auditor.finetune.convert import Student, student
from auditor.finetune.copy import numbers, weights
from auditor.finetune.lessons import Lessons, lessons
from auditor.finetune.train import train
from auditor.onnxfile import read_model
from auditor.verify.observer import Silent
from tests.finetune.models import Array, blurred, network, pictures, quick, request

pytest.importorskip("torch", reason="the extra `finetune` is not installed")
pytest.importorskip("onnx2torch", reason="the extra `finetune` is not installed")


def arrays(path: Path) -> dict[str, Array]:
    return {tensor.name: numbers(tensor) for tensor in onnx.load(path).graph.initializer}


def tuned(folder: Path, name: str = "tuned.onnx", schedule: dict[str, Any] | None = None, **kind: Any) -> Finetuned:
    """Blur a network and fine-tune it."""
    original = network(folder / "net.onnx", **kind)
    rewritten = blurred(original, folder / "blurred.onnx")
    asked = request(pictures(folder / "pictures.npz"))
    return finetune(
        read_model(rewritten),
        read_model(original),
        asked,
        folder / name,
        quick(**(schedule or {})),
        Silent(),
    )


@pytest.mark.parametrize("head", ["logits", "probabilities", "embedding", "dense"])
def test_training_brings_the_held_out_answers_nearer_and_the_file_runs_as_before(head: str, tmp_path: Path) -> None:
    done = tuned(tmp_path, schedule={"epochs": 15}, head=head)
    assert done.path is not None
    assert min(done.losses) == done.losses[done.best] < 0.9 * done.losses[0]
    before, after = (ort.InferenceSession(tmp_path / name) for name in ("blurred.onnx", "tuned.onnx"))
    for old, new in zip(
        (*before.get_inputs(), *before.get_outputs()), (*after.get_inputs(), *after.get_outputs()), strict=True
    ):
        assert (old.name, old.shape, old.type) == (new.name, new.shape, new.type)
    onnx.checker.check_model(onnx.load(tmp_path / "tuned.onnx"))


def test_blurs_and_statistics_of_batch_norms_are_not_trained(tmp_path: Path) -> None:
    done = tuned(tmp_path)
    old, new = arrays(tmp_path / "blurred.onnx"), arrays(tmp_path / "tuned.onnx")
    changed = {name for name in old if not np.array_equal(old[name], new[name])}
    assert changed == {"w1", "s", "b", "w2", "b2", "w3", "b3"}
    assert done.trained == len(changed)
    assert done.frozen == 2


def test_the_written_file_scores_what_the_report_says(tmp_path: Path) -> None:
    """The oracle is onnxruntime with the loss of the held-out pictures, computed from the definition."""
    done = tuned(tmp_path, schedule={"epochs": 2})
    model = read_model(tmp_path / "tuned.onnx")
    asked = request(tmp_path / "pictures.npz")
    with lessons(read_model(tmp_path / "net.onnx"), model, asked, quick(epochs=2), Silent()) as taught:
        random = np.random.default_rng([0, 1])
        session = ort.InferenceSession(tmp_path / "tuned.onnx")
        losses = []
        for picture in taught.held_out():
            for y, x in random.integers(0, np.array(taught.room) + 1, size=(3, 2)):
                (answer,) = session.run(None, {"image": taught.windows([(picture, int(y), int(x))])})
                logits = np.asarray(answer, np.float64)[0]
                log = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
                target = taught.targets[picture, 0].astype(np.float64)
                losses.append(float((target * (np.log(np.maximum(target, 1e-30)) - log)).sum()))
    assert np.isclose(np.mean(losses), done.losses[done.best], rtol=1e-3)


def test_the_same_seed_gives_the_same_file_and_another_one_another(tmp_path: Path) -> None:
    for name, seed in (("a.onnx", 4), ("b.onnx", 4), ("c.onnx", 5)):
        assert tuned(tmp_path, name, {"seed": seed, "epochs": 2}).path is not None
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert (tmp_path / "a.onnx").read_bytes() != (tmp_path / "c.onnx").read_bytes()


@pytest.mark.parametrize(
    "kind",
    [
        {"dtype": np.float16},
        {"opset": 7, "ir": 3},
        {"opset": 21, "ir": 10},
        {"batch": 1, "fixed": True},
        {"batch": 1},
    ],
    ids=["half", "old", "newest", "batch of one inside", "batch of one declared"],
)
def test_files_of_every_kind_are_trained(kind: dict[str, Any], tmp_path: Path) -> None:
    done = tuned(tmp_path, schedule={"epochs": 2}, **kind)
    assert done.path is not None
    assert done.trained == 7
    types = {name: values.dtype for name, values in arrays(tmp_path / "tuned.onnx").items()}
    assert types == {name: values.dtype for name, values in arrays(tmp_path / "blurred.onnx").items()}


def test_where_no_epoch_helps_nothing_is_written(tmp_path: Path) -> None:
    done = tuned(tmp_path, schedule={"rate": 100.0})
    assert (done.path, done.best) == (None, 0)
    assert len(done.losses) == 2
    assert not (tmp_path / "tuned.onnx").exists()


def test_time_that_is_up_ends_the_training_with_its_epoch(tmp_path: Path) -> None:
    assert len(tuned(tmp_path, schedule={"minutes": 1e-6}).losses) == 2


@contextmanager
def converted(folder: Path) -> Iterator[tuple[Student, Lessons]]:
    path = network(folder / "net.onnx")
    model, asked = read_model(path), request(pictures(folder / "pictures.npz", 8))
    with lessons(model, model, asked, quick(), Silent()) as taught:
        yield student(model, weights(model)[0], "answer"), taught


def test_every_parameter_holds_the_weight_whose_name_it_has(tmp_path: Path) -> None:
    with converted(tmp_path) as (made, _):
        values, file = made.values(), arrays(tmp_path / "net.onnx")
        assert set(values) == {"w1", "s", "b", "w2", "b2", "w3", "b3"}
        assert all(np.array_equal(values[name], file[name]) for name in values)
        assert made.transposed == {"w3"}


def test_a_conversion_that_computes_something_else_is_noticed(tmp_path: Path) -> None:
    import torch

    with converted(tmp_path) as (made, taught):
        with torch.no_grad():
            made.parameters["w1"].mul_(1.01)
        with pytest.raises(FinetuneError, match="answers otherwise"):
            train(made, taught, quick(), "cpu", lambda: None)


def test_a_graph_without_gradients_is_a_reason(tmp_path: Path) -> None:
    with converted(tmp_path) as (made, taught):
        for parameter in made.parameters.values():
            parameter.requires_grad_(False)
        with pytest.raises(FinetuneError, match="PyTorch cannot train this graph"):
            train(made, taught, quick(), "cpu", lambda: None)


def test_an_operator_that_the_converter_does_not_know_is_a_reason(tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx")
    model = onnx.load(path)
    model.graph.node[2].op_type = "ThresholdedRelu"
    onnx.save(model, path)
    read = read_model(path)
    with pytest.raises(FinetuneError, match="cannot convert") as refused:
        student(read, weights(read)[0], "answer")
    assert "ThresholdedRelu" in refused.value.detail.raw


def test_the_original_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(FinetuneError, match="the output is the original"):
        tuned(tmp_path, "net.onnx")
