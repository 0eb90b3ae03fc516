from __future__ import annotations

import sys
from pathlib import Path

import pytest

from auditor.verify.errors import DeviceUnavailableError
from auditor.verify.worker.device import Device, DeviceKind, parse_device
from auditor.verify.worker.job import NodePlacement
from auditor.verify.worker.providers import (
    CPU,
    CUDA,
    TENSORRT,
    clashing_wheels,
    installed_clash,
    missing_libraries,
    names_and_versions,
    placed,
    provider_list,
)

ALL = [TENSORRT, CUDA, CPU]
CUDA_LOG = (
    "[E:onnxruntime:Default, provider_bridge_ort.cc:2167 TryGetProviderInfo_CUDA] Failed to load library "
    "libonnxruntime_providers_cuda.so with error: libcudnn.so.9: cannot open shared object file: No such file\n"
)


def placement(*nodes: tuple[str, str, int], log: str = "") -> NodePlacement:
    return NodePlacement(nodes, (CUDA, CPU), "1.31.1", log)


def unread(*providers: str, log: str = "") -> NodePlacement:
    """What an onnxruntime answers that does not say where its nodes are."""
    return NodePlacement((), providers, "1.23.2", log)


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("auto", Device(DeviceKind.AUTO)),
        ("cpu", Device(DeviceKind.CPU)),
        ("cuda", Device(DeviceKind.CUDA)),
        ("cuda:3", Device(DeviceKind.CUDA, 3)),
        ("tensorrt", Device(DeviceKind.TENSORRT)),
        ("openvino", Device(DeviceKind.OPENVINO)),
        ("coreml", Device(DeviceKind.COREML)),
        ("directml", Device(DeviceKind.DIRECTML)),
        ("gpu", Device(DeviceKind.GPU)),
        ("npu", Device(DeviceKind.NPU)),
    ],
)
def test_a_device_is_read(text: str, device: Device) -> None:
    assert parse_device(text) == device
    assert device.asked == text


@pytest.mark.parametrize("text", ["", "gpu:0", "GPU", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "CUDA", "cuda:²"])
def test_anything_else_is_no_device(text: str) -> None:
    with pytest.raises(ValueError, match="auto, cpu, cuda"):
        parse_device(text)


def test_cuda_is_asked_for_without_tensor_float_and_with_a_deterministic_search() -> None:
    (name, options), (last, _) = provider_list(Device(DeviceKind.CUDA, 1), ALL, 7)
    assert (name, last) == (CUDA, CPU)
    assert options["device_id"] == "1"
    assert options["use_tf32"] == "0"
    assert options["cudnn_conv_algo_search"] in ("DEFAULT", "HEURISTIC")
    assert options["gpu_mem_limit"] == "7"


def test_tensorrt_is_never_tried_unless_asked_for() -> None:
    for kind in (DeviceKind.AUTO, DeviceKind.CPU, DeviceKind.CUDA):
        assert TENSORRT not in dict(provider_list(Device(kind), ALL, None))
    assert [name for name, _ in provider_list(Device(DeviceKind.TENSORRT), ALL, None)] == ALL


def test_a_build_without_cuda_is_an_error_when_cuda_was_asked_for_and_none_for_auto() -> None:
    with pytest.raises(DeviceUnavailableError, match=r"aliasaudit\[gpu\]"):
        provider_list(Device(DeviceKind.CUDA), [CPU], None)
    assert provider_list(Device(DeviceKind.AUTO), [CPU], None) == [(CPU, {})]


def test_cuda_that_ran_nothing_is_an_error_that_names_the_missing_library() -> None:
    with pytest.raises(DeviceUnavailableError, match=r"missing libcudnn\.so\.9"):
        placed(Device(DeviceKind.CUDA), placement((CPU, "Conv", 4), log=CUDA_LOG), 2)


def test_shape_arithmetic_on_the_cpu_does_not_count_against_cuda() -> None:
    nodes = placement((CUDA, "Conv", 4), (CPU, "Gather", 9), (CPU, "Concat", 2))
    provider, remarks = placed(Device(DeviceKind.CUDA), nodes, 2)
    assert provider.used == CUDA
    assert provider.placement == ((CUDA, 4),)
    assert provider.others == ((CPU, 11),)
    assert not remarks


def test_compute_nodes_left_on_the_cpu_are_said() -> None:
    provider, remarks = placed(Device(DeviceKind.CUDA), placement((CUDA, "Conv", 4), (CPU, "ConvInteger", 1)), 2)
    assert provider.used == CUDA
    assert remarks == ("1 of 5 compute nodes do not run on CUDAExecutionProvider",)


def test_a_device_found_by_itself_says_why_it_is_not_the_gpu() -> None:
    provider, remarks = placed(Device(DeviceKind.AUTO), placement((CPU, "Conv", 4), log=CUDA_LOG), 2)
    assert provider.used == CPU
    assert "libcudnn.so.9" in remarks[0]


@pytest.mark.parametrize("kind", [DeviceKind.CUDA, DeviceKind.AUTO])
def test_cuda_in_the_session_of_an_older_runtime_counts_no_node_and_says_that_none_was_read_back(
    kind: DeviceKind,
) -> None:
    provider, remarks = placed(Device(kind), unread(CUDA, CPU), 2)
    assert (provider.used, provider.placement, provider.others) == (CUDA, (), ())
    (remark,) = remarks
    assert remark.startswith("onnxruntime 1.23.2 did not say where its nodes run (1.24 and later can)")
    assert f"the session has {CUDA}" in remark


@pytest.mark.parametrize("kind", [DeviceKind.CUDA, DeviceKind.TENSORRT])
@pytest.mark.parametrize("providers", [(), (CPU,), ("\x1b[31mCUDA", CPU)])
def test_an_older_runtime_whose_session_is_without_the_gpu_is_an_error_that_says_why(
    kind: DeviceKind, providers: tuple[str, ...]
) -> None:
    with pytest.raises(DeviceUnavailableError, match=r"the session is without \w+: missing libcudnn\.so\.9"):
        placed(Device(kind), unread(*providers, log=CUDA_LOG), 2)


def test_cuda_alone_in_the_session_is_not_the_tensorrt_that_was_asked_for() -> None:
    with pytest.raises(DeviceUnavailableError, match=f"the session is without {TENSORRT}"):
        placed(Device(DeviceKind.TENSORRT), unread(CUDA, CPU), 2)


def test_a_session_on_the_cpu_alone_leaves_no_doubt_where_nodes_run() -> None:
    for kind in (DeviceKind.CPU, DeviceKind.AUTO):
        provider, remarks = placed(Device(kind), unread(CPU), 2)
        assert (provider.used, provider.placement) == (CPU, ())
        assert not remarks
    assert "libcudnn.so.9" in placed(Device(DeviceKind.AUTO), unread(CPU, log=CUDA_LOG), 2)[1][0]


def test_names_from_the_worker_are_not_believed() -> None:
    provider, _ = placed(
        Device(DeviceKind.CPU), NodePlacement((("\x1b[31m::error::", "Conv", 1),), (), "1\n::x", ""), 2
    )
    assert provider.used == "unknown"
    assert provider.onnxruntime == "unknown"


def test_missing_libraries_are_named_once_without_the_provider_itself() -> None:
    assert missing_libraries(CUDA_LOG * 2) == ("libcudnn.so.9",)
    assert missing_libraries("libcublas.so.13 loaded fine") == ()


def test_wheels_that_overwrite_each_other_are_found_among_all_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(folder: str, facts: str) -> None:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "METADATA").write_text(facts, encoding="utf-8")

    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "absent"), __file__])
    install("numpy-2.0.dist-info", "Name: numpy\nVersion: 2.0\n")
    install("onnxruntime-1.31.1.dist-info", "Name: onnxruntime\nVersion: 1.31.1\n")
    assert installed_clash() == ""
    install("onnxruntime_gpu-1.30.0.dist-info", "Name: onnxruntime-gpu\nVersion: 1.30.0\n")
    assert installed_clash().startswith("onnxruntime 1.31.1 and onnxruntime-gpu 1.30.0 are installed together")


def test_two_wheels_that_own_the_same_import_are_found() -> None:
    both = names_and_versions([("onnxruntime", "1.31.1"), ("onnxruntime_gpu", "1.31.1"), (None, ""), ("numpy", "2")])
    assert clashing_wheels(both) == ("onnxruntime 1.31.1", "onnxruntime-gpu 1.31.1")
    assert clashing_wheels({"onnxruntime-gpu": "1", "onnxruntime-extensions": "1"}) == ()


@pytest.mark.parametrize(
    ("kind", "provider"),
    [
        (DeviceKind.OPENVINO, "OpenVINOExecutionProvider"),
        (DeviceKind.COREML, "CoreMLExecutionProvider"),
        (DeviceKind.DIRECTML, "DmlExecutionProvider"),
    ],
)
def test_another_provider_is_asked_for_by_its_device_and_has_to_run_the_nodes(kind: DeviceKind, provider: str) -> None:
    device = Device(kind)
    assert [name for name, _ in provider_list(device, [provider, CUDA, CPU], 7)] == [provider, CPU], "and not CUDA"
    with pytest.raises(DeviceUnavailableError, match=f"built without {provider}: install the build of onnxruntime"):
        provider_list(device, ALL, None)
    used, _ = placed(device, NodePlacement(((provider, "Conv", 3), (CPU, "Conv", 1)), (), "1.31.1", ""), 1)
    assert (used.used, used.placement) == (provider, ((provider, 3), (CPU, 1)))
    with pytest.raises(DeviceUnavailableError, match=f"no compute node runs on {provider}: .* without naming a cause$"):
        placed(device, NodePlacement(((CPU, "Conv", 4),), (), "1.31.1", ""), 1)


def test_openvino_is_asked_to_compute_in_float32() -> None:
    (_, options), _ = provider_list(Device(DeviceKind.OPENVINO), ["OpenVINOExecutionProvider", CPU], None)
    assert options["precision"] == "FP32"
