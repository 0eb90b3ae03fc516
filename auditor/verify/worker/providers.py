"""Which onnxruntime provider to ask for, and which one really runs the model. Plain values in, plain values out."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from auditor.verify.errors import DeviceUnavailableError
from auditor.verify.result import Provider
from auditor.verify.worker.device import Device, DeviceKind
from auditor.verify.worker.job import NodePlacement

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
OPENVINO = "OpenVINOExecutionProvider"
COREML = "CoreMLExecutionProvider"
DIRECTML = "DmlExecutionProvider"

# The operators that carry the arithmetic: onnxruntime places shape arithmetic on the CPU whatever the device.
_COMPUTE = re.compile(
    r"(Conv|Pool|MatMul|Gemm|Einsum|Attention|^(LSTM|GRU|RNN|DeformConv|LRN|Resize|InstanceNormalization)$)"
)
_LIBRARY = re.compile(r"\blib[\w+.-]+?\.so(?:\.\d+)*|\b\w+64_\d+\.dll")

# The provider of onnxruntime that a device is.
_PROVIDERS = {
    DeviceKind.CUDA: CUDA,
    DeviceKind.TENSORRT: TENSORRT,
    DeviceKind.OPENVINO: OPENVINO,
    DeviceKind.COREML: COREML,
    DeviceKind.DIRECTML: DIRECTML,
}
# Some compute in less than the model's precision unless they are told not to.
_FULL_PRECISION: Mapping[str, Mapping[str, str]] = {OPENVINO: {"device_type": "CPU", "precision": "FP32"}}
# Those behind which CUDA takes what they do not.
_NVIDIA = (DeviceKind.CUDA, DeviceKind.TENSORRT)


def wants_gpu(device: Device, available: Collection[str]) -> bool:
    """Whether a GPU provider is tried. ``available`` are the providers compiled in, which says nothing about a GPU."""
    if device.kind is DeviceKind.AUTO:
        return CUDA in available
    return device.kind in _NVIDIA


def provider_list(
    device: Device, available: Collection[str], memory_bytes: int | None
) -> list[tuple[str, dict[str, str]]]:
    """The providers to ask for, in order, with deterministic settings and without TensorFloat-32.

    The CPU stays behind the GPU for the shape arithmetic that onnxruntime wants there; :func:`placed` then says whether
    the compute nodes went where they should.

    Raises:
        DeviceUnavailableError: the onnxruntime that is installed was built without the provider.
    """
    providers: list[tuple[str, dict[str, str]]] = []
    if device.kind is DeviceKind.TENSORRT:
        _need(TENSORRT, available, device)
        providers.append((TENSORRT, {"device_id": str(device.index)}))
    elif device.kind in _PROVIDERS and device.kind is not DeviceKind.CUDA:
        provider = _PROVIDERS[device.kind]
        _need(provider, available, device)
        providers.append((provider, dict(_FULL_PRECISION.get(provider, {}))))
    if wants_gpu(device, available):
        _need(CUDA, available, device)
        options = {"device_id": str(device.index), "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
        if memory_bytes is not None:
            options["gpu_mem_limit"] = str(memory_bytes)
        providers.append((CUDA, options))
    return [*providers, (CPU, {})]


def placed(device: Device, placement: NodePlacement, threads: int) -> tuple[Provider, tuple[str, ...]]:
    """What runs the model, from the provider of every node of the optimised graph, and remarks about it.

    Where onnxruntime does not give the nodes, the providers of the session are what is known: no node is counted, and a
    remark says so where a node may be on one or another. A missing CUDA library is found in what onnxruntime said while
    it made the session. Names that are no provider's are shown as "unknown": the placement comes from the process that
    a hostile model may have taken over.

    Raises:
        DeviceUnavailableError: a GPU was asked for and no compute node, or no session, is on it.
    """
    compute: Counter[str] = Counter()
    rest: Counter[str] = Counter()
    for name, op, count in placement.nodes:
        (compute if _COMPUTE.search(op) else rest)[_provider_name(name)] += count
    log = placement.log
    version = shown_version(placement.version)
    counted = compute or rest
    # Best guess first: the provider of most nodes, or the session's first choice.
    holders = [name for name, _ in _ranked(counted)] or [_provider_name(name) for name in placement.providers]
    wanted = _PROVIDERS.get(device.kind)
    if wanted is not None and wanted not in holders:
        where = "no compute node runs on" if counted else "the session is without"
        raise DeviceUnavailableError(
            f"--device {device.asked} was asked for and {where} {wanted}: {_reason(log, device.kind in _NVIDIA)}",
            log[-2000:],
        )
    used = wanted or next(iter(holders), CPU)
    remarks: tuple[str, ...] = ()
    stray = sum(count for name, count in counted.items() if name != used)
    if stray:
        remarks = (f"{stray} of {sum(counted.values())} compute nodes do not run on {used}",)
    if not counted and len(holders) > 1:
        unknown = f"the session has {used}, and how many nodes run there is not known"
        remarks = (f"onnxruntime {version} did not say where its nodes run (1.24 and later can): {unknown}",)
    if device.kind is DeviceKind.AUTO and used == CPU and _LIBRARY.search(log):
        remarks += (f"CUDA was tried and is not usable: {_reason(log, nvidia=True)}",)
    return Provider(device.asked, used, _ranked(compute), _ranked(rest), version, threads), remarks


def shown_version(text: str) -> str:
    """The version of a runtime, as far as it can be one."""
    return text if re.fullmatch(r"[\w.+-]{1,60}", text) else "unknown"


def _provider_name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z]{1,40}ExecutionProvider", name) else "unknown"


def missing_libraries(log: str) -> tuple[str, ...]:
    """The shared libraries that onnxruntime could not load, each once, in order."""
    lines = [
        line
        for line in log.splitlines()
        if re.search(r"cannot open|not found|error loading|failed to load", line, re.I)
    ]
    found = [name for line in lines for name in _LIBRARY.findall(line)]
    # The provider itself is named as the file that could not be loaded; its missing dependency is the cause.
    causes = [name for name in found if "onnxruntime" not in name]
    return tuple(dict.fromkeys(causes or found))


def clashing_wheels(installed: Mapping[str, str]) -> tuple[str, ...]:
    """The installed distributions that all own the import name ``onnxruntime``, where there is more than one.

    ``installed`` maps distribution names to versions. Such wheels overwrite each other's files, and what runs depends
    on the order of installation.
    """
    names = sorted(name for name in installed if re.fullmatch(r"(ort-nightly|onnxruntime)(-\w+)*", name, re.I))
    owners = [name for name in names if "extensions" not in name and "genai" not in name and "tools" not in name]
    return tuple(f"{name} {installed[name]}" for name in owners) if len(owners) > 1 else ()


def unbuilt(device: Device) -> DeviceUnavailableError:
    """The error for an onnxruntime that was built without the provider of the device."""
    if device.kind not in _NVIDIA:
        return DeviceUnavailableError(
            f"--device {device.asked} was asked for and the installed onnxruntime was built without "
            f"{_PROVIDERS.get(device.kind, 'it')}: install the build of onnxruntime that has it, alone"
        )
    return DeviceUnavailableError(
        f"--device {device.asked} was asked for and the installed onnxruntime was built without it: "
        "install the extra aliasaudit[gpu] in place of aliasaudit[cpu]"
    )


def installed_clash() -> str:
    """One line about several onnxruntime wheels in this environment, empty where there is at most one."""
    from importlib.metadata import distributions

    # The facts of every package that is installed would take longer to read than a small model to measure.
    owners = [one for name in _owners_of_onnxruntime() for one in distributions(name=name)]
    found = names_and_versions([(one.metadata["Name"], one.version) for one in owners])
    clash = clashing_wheels(found)
    if not clash:
        return ""
    return (
        f"{' and '.join(clash)} are installed together and overwrite each other: uninstall all of them, then install "
        "one of aliasaudit[cpu] and aliasaudit[gpu]"
    )


def _owners_of_onnxruntime() -> list[str]:
    """Names of installed distributions that begin as those do which hold ONNX Runtime, by their folders alone."""
    found = set()
    for folder in sys.path:
        try:
            names = [entry.name for entry in Path(folder or ".").iterdir()]
        except OSError:  # an archive, or a folder that is not there
            continue
        found |= {
            name.partition("-")[0] for name in names if re.match(r"(ort_nightly|onnxruntime).*-info$", name, re.I)
        }
    return sorted(found)


def _need(provider: str, available: Collection[str], device: Device) -> None:
    if provider not in available:
        raise unbuilt(device)


def _reason(log: str, nvidia: bool) -> str:
    if not nvidia:
        return "onnxruntime fell back without naming a cause"
    libraries = missing_libraries(log)
    if libraries:
        return f"missing {', '.join(libraries)}; install the CUDA and cuDNN that this onnxruntime was built for"
    if re.search(r"no CUDA-capable device|cudaErrorNoDevice|driver version is insufficient", log):
        return "there is no usable GPU or its driver is too old"
    return "onnxruntime fell back without naming a cause; run nvidia-smi and check the versions of CUDA and cuDNN"


def _ranked(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def names_and_versions(distributions: Sequence[tuple[str | None, str]]) -> dict[str, str]:
    """Distribution names as keys, in lower case with hyphens; broken installations have no name and are left out."""
    return {name.lower().replace("_", "-"): version for name, version in distributions if name}
