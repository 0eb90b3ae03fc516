"""A measurement in another runtime than onnxruntime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import auditor
from auditor.onnxfile import FileProblem, ModelFileError, read_model, read_runnable
from auditor.onnxfile.graph import ModelFormat
from auditor.sampling import analyse
from auditor.verify.errors import RuntimeMissingError
from auditor.verify.result import Task, Verification
from auditor.verify.runner import verify, verify_pair
from auditor.verify.settings import ReferenceReading, VerifySettings
from auditor.verify.worker.runtime import Runtime
from tests.verify.models import classifier, saved
from tests.verify.other_runtimes import fake_litert, fake_openvino, tflite_file, without
from tests.verify.test_runner import SETTINGS, pictures, source, value

IN_OPENVINO = replace(SETTINGS, runtime=Runtime.OPENVINO)


def measured(path: Path, settings: VerifySettings, count: int = 6) -> Verification:
    return verify(read_runnable(path), source(pictures(count)), settings)


def test_an_onnx_file_in_another_runtime_is_held_against_onnxruntime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(fake_openvino(tmp_path))
    path = saved(tmp_path / "m.onnx", classifier())
    found = measured(path, IN_OPENVINO)
    alone = measured(path, SETTINGS)
    share = f"{100 * value(alone, 'consistency'):.1f}"
    assert found.notes[0] == (
        "in OpenVINO 2099.1.0 the model answers as in onnxruntime on 6 of 6 pictures; "
        f"its shift consistency is {share} against {share} %"
    )
    assert value(found, "consistency") == value(alone, "consistency")
    assert value(found, "fidelity") == 1
    assert found.provider.software == "OpenVINO 2099.1.0 in f32"
    assert not any("the reference" in note and "reads" in note for note in found.notes)


def test_a_runtime_that_answers_otherwise_is_told_from_one_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = "feeds = {name: -value for name, value in feeds.items()}"
    monkeypatch.syspath_prepend(fake_openvino(tmp_path, fault))
    found = measured(saved(tmp_path / "m.onnx", classifier()), IN_OPENVINO)
    alike = round(6 * value(found, "fidelity-unshifted"))
    assert alike < 6
    assert f"on {alike} of 6 pictures" in found.notes[0]


def test_without_onnxruntime_the_other_runtime_is_measured_alone_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (fake_openvino(tmp_path), without(tmp_path, "onnxruntime")):
        monkeypatch.syspath_prepend(folder)
    found = measured(saved(tmp_path / "m.onnx", classifier()), IN_OPENVINO)
    assert found.notes[0].startswith("answers were not held against onnxruntime's: onnxruntime is not installed")
    assert found.measure("consistency") is not None
    assert found.measure("fidelity") is None


def test_a_runtime_that_was_asked_for_and_is_missing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(without(tmp_path, "openvino"))
    with pytest.raises(RuntimeMissingError, match="OpenVINO is not installed"):
        measured(saved(tmp_path / "m.onnx", classifier()), IN_OPENVINO)


def test_layers_are_measured_in_onnxruntime_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(fake_openvino(tmp_path))
    model = read_model(saved(tmp_path / "m.onnx", classifier()))
    found = verify(model, source(pictures(3)), replace(IN_OPENVINO, layer_images=1), analyse(model))
    assert [layer.tensor.raw for layer in found.layers] == ["pool"]
    assert "layers were measured on 1 image in onnxruntime, which alone can" in found.notes


def test_a_reference_may_be_a_file_of_another_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(fake_litert(tmp_path))
    coarse = tflite_file(tmp_path / "coarse.tflite", (1 / 4, 0, "uint8"))
    whole = tflite_file(tmp_path / "whole.tflite")
    settings = replace(SETTINGS, task=Task.CLASSIFICATION)
    same = measured(whole, replace(settings, reference=tflite_file(tmp_path / "same.tflite")))
    other = measured(whole, replace(settings, reference=coarse))
    assert value(same, "fidelity") == 1
    assert value(other, "fidelity") < 1
    before, after = verify_pair(
        read_runnable(whole), source(pictures(6)), replace(settings, reference=coarse), analyse(read_runnable(whole))
    )
    assert before.provider.runtime == after.provider.runtime
    assert value(before, "mac") != value(after, "mac")
    assert any("no layers: TensorFlow Lite files are run, not read" in note for note in before.notes) is False


def test_the_reference_takes_the_runtime_that_was_named_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(fake_openvino(tmp_path, "feeds = {name: -value for name, value in feeds.items()}"))
    path = saved(tmp_path / "m.onnx", classifier())
    other = saved(tmp_path / "other.onnx", classifier())
    in_ours = measured(path, replace(SETTINGS, reference=other))
    reading = ReferenceReading(runtime=Runtime.OPENVINO)
    in_theirs = measured(path, replace(SETTINGS, reference=other, reference_reading=reading))
    assert value(in_ours, "fidelity") == 1
    assert value(in_theirs, "fidelity") < 1


@pytest.mark.parametrize(
    ("head", "form", "problem"),
    [
        (b"\x1c\0\0\0TFL3\0\0", ModelFormat.TFLITE, FileProblem.TFLITE),
        (b'<?xml version="1.0"?>\n<net name="m" version="11">', ModelFormat.OPENVINO_IR, FileProblem.OPENVINO_IR),
        (b'<net name="m" version="11">', ModelFormat.OPENVINO_IR, FileProblem.OPENVINO_IR),
    ],
)
def test_files_of_other_runtimes_can_be_run_and_not_audited(
    tmp_path: Path, head: bytes, form: ModelFormat, problem: FileProblem
) -> None:
    path = tmp_path / "model.onnx"  # what a file is called says nothing
    path.write_bytes(head)
    assert read_runnable(path).format is form
    with pytest.raises(ModelFileError, match="has no static audit") as refused:
        read_model(path)
    assert refused.value.kind is problem


@pytest.mark.parametrize("head", [b"<?xml version='1.0'?><html>", b"<network>", b"TFL3\0\0\0\0", b""])
def test_what_is_no_model_cannot_be_run_either(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(head)
    with pytest.raises(ModelFileError):
        read_runnable(path)


def test_the_weights_of_an_openvino_model_are_named_with_their_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(fake_openvino(tmp_path, "pass").parent)
    from auditor.verify.admission import admit

    path = tmp_path / "net.xml"
    path.write_bytes(b'<?xml version="1.0"?><net name="m">')
    path.with_suffix(".bin").write_bytes(b"weights")
    spec, external = admit(read_runnable(path), SETTINGS)
    assert spec.runtime is Runtime.OPENVINO
    assert [(name.raw, len(digest)) for name, digest in external] == [("net.bin", 64)]


def test_python_callers_measure_a_tflite_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(fake_litert(tmp_path))
    path = tflite_file(tmp_path / "m.tflite")
    np.save(tmp_path / "p.npy", np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), np.uint8))
    found = auditor.measure(
        path, images=str(tmp_path / "p.npy"), preset="unit", task="classification", radius=4, shifts=1, device="cpu"
    )
    assert found.provider.used == "LiteRT CPU"
    assert found.to_dict()["provider"]["runtime"] == {"name": "LiteRT", "version": "9.8.7", "precision": "float32"}
