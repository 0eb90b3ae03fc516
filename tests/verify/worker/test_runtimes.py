"""Models in other runtimes, behind the worker that onnxruntime has."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from auditor.onnxfile.graph import ModelFormat
from auditor.verify.errors import (
    DeviceUnavailableError,
    ModelRefusedError,
    ModelRejectedError,
    RuntimeMissingError,
    WorkerCrashedError,
)
from auditor.verify.worker.client import Worker
from auditor.verify.worker.device import parse_device
from auditor.verify.worker.job import Job, Opened, Quantisation, SessionSpec, Windows
from auditor.verify.worker.limits import RunLimits
from auditor.verify.worker.runtime import Runtime, chosen_runtime, device_of, require_device
from tests.verify.models import classifier, saved
from tests.verify.other_runtimes import fake_litert, fake_openvino, tflite_file, without
from tests.verify.worker.test_client import CANVAS, PLACES, expected, job

Fakes = Callable[..., None]


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """Put packages in the place of those that may be installed."""

    def place(*folders: Path) -> None:
        for folder in folders:
            monkeypatch.syspath_prepend(folder)

    return place


def worker(device: str = "cpu") -> Worker:
    return Worker(parse_device(device), RunLimits(), 1)


def run_openvino(path: Path, batch: int = 4) -> tuple[Opened, np.ndarray]:
    with worker() as one:
        opened = one.open(SessionSpec(path, runtime=Runtime.OPENVINO))
        return opened, np.stack(one.run(job(opened.key, batch)).rows("y")).copy()


def test_windows_in_openvino_give_what_onnxruntime_gives(tmp_path: Path, fakes: Fakes) -> None:
    fakes(fake_openvino(tmp_path))
    path = saved(tmp_path / "m.onnx", classifier())
    opened, answers = run_openvino(path)
    np.testing.assert_allclose(answers, expected(path), rtol=1e-4, atol=1e-5)
    assert [(port.name, port.dtype, port.shape) for port in opened.inputs] == [("x", "float32", (None, 3, 16, 16))]
    assert [port.name for port in opened.outputs] == ["y"], "not another name of the same tensor"


@pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")
def test_windows_in_the_real_openvino_give_what_onnxruntime_gives(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", classifier())
    opened, answers = run_openvino(path)
    np.testing.assert_allclose(answers, expected(path), rtol=1e-4, atol=1e-4)
    assert opened.provider.used == "OpenVINO CPU"
    assert opened.provider.runtime is not None
    assert opened.provider.runtime.precision == "f32"


def test_it_is_said_what_really_ran(tmp_path: Path, fakes: Fakes) -> None:
    fakes(fake_openvino(tmp_path))
    opened, _ = run_openvino(saved(tmp_path / "m.onnx", classifier()))
    provider = opened.provider
    assert (provider.used, provider.placement) == ("OpenVINO CPU", (("OpenVINO CPU", 2),))
    assert provider.software == "OpenVINO 2099.1.0 in f32", "what the nodes were given, with float32 asked for"
    assert provider.onnxruntime == ""


def test_both_runtimes_may_be_open_in_one_worker(tmp_path: Path, fakes: Fakes) -> None:
    fakes(fake_openvino(tmp_path))
    path = saved(tmp_path / "m.onnx", classifier())
    with worker() as one:
        sessions = [one.open(SessionSpec(path, runtime=kind)) for kind in (Runtime.OPENVINO, Runtime.ONNXRUNTIME)]
        answers = [np.stack(one.run(job(opened.key, 3)).rows("y")).copy() for opened in sessions]
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-4, atol=1e-5)
    assert [opened.provider.runtime is None for opened in sessions] == [False, True]


@pytest.mark.parametrize(
    ("runtime", "packages", "command"),
    [
        (Runtime.ONNXRUNTIME, ["onnxruntime"], r"onnxruntime is not installed: pip install 'aliasaudit\[cpu\]'"),
        (Runtime.OPENVINO, ["openvino"], r"OpenVINO is not installed: pip install 'aliasaudit\[openvino\]'"),
        (
            Runtime.TFLITE,
            ["ai_edge_litert", "tflite_runtime"],
            r"LiteRT is not installed: pip install 'aliasaudit\[tflite\]'",
        ),
    ],
)
def test_a_runtime_that_is_missing_is_one_line_with_the_command(
    tmp_path: Path, fakes: Fakes, runtime: Runtime, packages: list[str], command: str
) -> None:
    fakes(without(tmp_path, *packages))
    path = saved(tmp_path / "m.onnx", classifier())
    with worker() as one, pytest.raises(RuntimeMissingError, match=command):
        one.open(SessionSpec(path, runtime=runtime))


def test_another_runtime_is_run_without_onnxruntime(tmp_path: Path, fakes: Fakes) -> None:
    fakes(fake_openvino(tmp_path), without(tmp_path, "onnxruntime"))
    _, answers = run_openvino(saved(tmp_path / "m.onnx", classifier()))
    assert answers.shape == (11, 6)


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("raise RuntimeError('cannot\\nreshape')", ModelRejectedError, "OpenVINO refuses the model or its input"),
        ("import os; os.kill(os.getpid(), 11)", WorkerCrashedError, "OpenVINO died with SIGSEGV"),
    ],
)
def test_errors_name_the_runtime_that_made_them(
    tmp_path: Path, fakes: Fakes, fault: str, error: type[Exception], words: str
) -> None:
    fakes(fake_openvino(tmp_path, fault))
    with pytest.raises(error, match=words):
        run_openvino(saved(tmp_path / "m.onnx", classifier()))


def test_a_device_that_openvino_does_not_find_is_an_error(tmp_path: Path, fakes: Fakes) -> None:
    fakes(fake_openvino(tmp_path))
    path = saved(tmp_path / "m.onnx", classifier())
    with worker("npu") as one, pytest.raises(DeviceUnavailableError, match=r"--device npu .* OpenVINO finds no such"):
        one.open(SessionSpec(path, runtime=Runtime.OPENVINO))


def test_a_device_that_openvino_has_is_used(tmp_path: Path, fakes: Fakes) -> None:
    fakes(fake_openvino(tmp_path, devices=("CPU", "GPU.0", "GPU.1")))
    path = saved(tmp_path / "m.onnx", classifier())
    with worker("gpu") as one:
        assert one.open(SessionSpec(path, runtime=Runtime.OPENVINO)).provider.used == "OpenVINO GPU"
        beside = one.open(SessionSpec(path)).provider
    assert (beside.asked, beside.used) == ("cpu", "CPUExecutionProvider"), "the same worker's onnxruntime has none"


def means(path: Path, values: np.ndarray) -> tuple[Opened, np.ndarray]:
    """The answers of a file for windows of ``values``, and the session."""
    with worker() as one:
        opened = one.open(SessionSpec(path, runtime=Runtime.TFLITE))
        windows = Windows("pixels", values, PLACES, (16, 16), channels_last=True)
        return opened, np.stack(one.run(Job(opened.key, windows, ("means",))).rows("means")).copy()


def windows_of(values: np.ndarray) -> np.ndarray:
    return np.stack([values[i, y : y + 16, x : x + 16] for i, y, x in PLACES])


def test_a_tflite_file_is_run_on_pictures_with_channels_last(tmp_path: Path, fakes: Fakes) -> None:
    fakes(fake_litert(tmp_path))
    values = np.ascontiguousarray(CANVAS.transpose(0, 2, 3, 1))
    opened, answers = means(tflite_file(tmp_path / "m.tflite"), values)
    np.testing.assert_allclose(answers, windows_of(values).mean((1, 2)), atol=1e-6)
    assert [(port.dtype, port.shape, port.quantised) for port in opened.inputs] == [("float32", (1, 16, 16, 3), None)]
    assert opened.provider.software == "LiteRT 9.8.7 in float32"


def test_operators_that_a_delegate_took_are_told_from_those_that_it_did_not(tmp_path: Path, fakes: Fakes) -> None:
    fakes(fake_litert(tmp_path))
    opened, _ = means(tflite_file(tmp_path / "m.tflite"), np.zeros((2, 20, 22, 3), np.float32))
    assert dict(opened.provider.placement) == {"LiteRT XNNPACK": 1, "LiteRT CPU": 1}
    assert dict(opened.provider.others) == {"LiteRT XNNPACK": 1}, "the mean"


def test_a_quantised_tflite_file_is_fed_and_read_in_real_numbers(tmp_path: Path, fakes: Fakes) -> None:
    fakes(fake_litert(tmp_path))
    path = tflite_file(tmp_path / "m.tflite", (1 / 128, 127, "uint8"), (0.001, -3, "int16"))
    values = np.random.default_rng(3).uniform(-1.2, 1.2, (2, 20, 22, 3)).astype(np.float32)
    opened, answers = means(path, values)
    assert [port.dtype for port in (*opened.inputs, *opened.outputs)] == ["float32", "float32"]
    assert opened.inputs[0].quantised == Quantisation("uint8", 1 / 128, 127)
    stored = np.clip(np.rint(windows_of(values).astype(np.float64) * 128) + 127, 0, 255)
    wanted = ((stored - 127) / 128).mean((1, 2))
    np.testing.assert_allclose(answers, wanted, atol=0.0011)
    assert any("uint8 with scale 0.007812 and zero point 127" in remark for remark in opened.remarks)


@pytest.mark.parametrize(
    ("form", "asked", "runtime"),
    [
        (ModelFormat.ONNX, None, Runtime.ONNXRUNTIME),
        (ModelFormat.OPENVINO_IR, None, Runtime.OPENVINO),
        (ModelFormat.TFLITE, None, Runtime.TFLITE),
        (ModelFormat.ONNX, Runtime.OPENVINO, Runtime.OPENVINO),
        (ModelFormat.TFLITE, Runtime.OPENVINO, Runtime.OPENVINO),
    ],
)
def test_a_file_is_run_by_the_runtime_of_its_format_or_by_the_one_that_was_named(
    form: ModelFormat, asked: Runtime | None, runtime: Runtime
) -> None:
    assert chosen_runtime(form, asked) is runtime


@pytest.mark.parametrize(
    ("form", "asked", "able"),
    [
        (ModelFormat.ONNX, Runtime.TFLITE, "give --runtime onnxruntime or openvino"),
        (ModelFormat.OPENVINO_IR, Runtime.ONNXRUNTIME, "give --runtime openvino"),
        (ModelFormat.TFLITE, Runtime.ONNXRUNTIME, "give --runtime openvino or tflite"),
    ],
)
def test_a_runtime_that_does_not_read_a_format_is_refused(form: ModelFormat, asked: Runtime, able: str) -> None:
    with pytest.raises(ModelRefusedError, match=able):
        chosen_runtime(form, asked)


@pytest.mark.parametrize(
    ("runtime", "device"),
    [(Runtime.ONNXRUNTIME, "gpu"), (Runtime.OPENVINO, "cuda:1"), (Runtime.TFLITE, "tensorrt"), (Runtime.TFLITE, "npu")],
)
def test_a_device_of_another_runtime_is_refused(runtime: Runtime, device: str) -> None:
    with pytest.raises(DeviceUnavailableError, match=f"has no --device {device}: give one of auto, cpu"):
        require_device(runtime, parse_device(device))
    assert device_of(runtime, parse_device(device)) == parse_device("cpu")
    require_device(runtime, parse_device("auto"))
