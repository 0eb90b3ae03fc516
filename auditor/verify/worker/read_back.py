"""What really ran a model outside of onnxruntime: device, version and precision, from what the runtime says of it.

The answers come from a process that a hostile model may have taken over: what is no plain word is shown as "unknown".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from auditor.text import count_text
from auditor.verify.errors import DeviceUnavailableError
from auditor.verify.result import OtherRuntime, Provider
from auditor.verify.worker.device import Device, DeviceKind
from auditor.verify.worker.job import Port
from auditor.verify.worker.messages import OpenReply
from auditor.verify.worker.providers import shown_version
from auditor.verify.worker.runtime import Runtime

# The operators that carry the arithmetic, by the names that these runtimes give them.
_COMPUTE = re.compile(r"conv|pool|matmul|fullyconnected|fully_connected|gemm|interpolate|resize|lstm|gru|rnn|mvn", re.I)
_FEW = 0.05
_WORD = re.compile(r"[\w.:() -]{1,40}")


def ran_in(runtime: Runtime, device: Device, opened: OpenReply, threads: int) -> tuple[Provider, tuple[str, ...]]:
    """What runs the model, and remarks about it.

    Raises:
        DeviceUnavailableError: the device that was asked for does not run it.
    """
    placement = opened.placement
    compute: Counter[str] = Counter()
    rest: Counter[str] = Counter()
    for holder, kind, count in placement.nodes:
        (compute if _COMPUTE.search(kind) else rest)[_word(holder)] += count
    holders = [name for name, _ in (compute or rest).most_common()] or [_word(name) for name in placement.providers]
    used = holders[0] if holders else "unknown"
    if device.kind in (DeviceKind.GPU, DeviceKind.NPU) and device.kind.name not in used.upper():
        raise DeviceUnavailableError(f"--device {device.asked} was asked for and {runtime.title} took {used}")
    precisions = Counter({_word(name): count for name, count in placement.precisions})
    facts = OtherRuntime(runtime.title, shown_version(placement.version), " and ".join(_main(precisions)))
    provider = Provider(device.asked, used, _ranked(compute), _ranked(rest), "", threads, facts)
    return provider, (*_mixed(precisions), *_quantised(opened.inputs))


def _mixed(precisions: Counter[str]) -> tuple[str, ...]:
    """How many nodes have which precision, where there are several."""
    if len(precisions) < 2:
        return ()
    counts = ", ".join(f"{count} of {name}" for name, count in precisions.most_common())
    return (f"precision of the {count_text(precisions.total(), 'node')} that run: {counts}",)


def _quantised(inputs: Sequence[Port]) -> tuple[str, ...]:
    stored = [port.quantised for port in inputs if port.quantised is not None]
    return tuple(
        f"an input of {_word(one.dtype)} with scale {one.scale:.4g} and zero point {one.zero_point}: the numbers of "
        "the preset are quantised in front of the model, and its outputs brought back to real numbers"
        for one in stored
    )


def _main(precisions: Counter[str]) -> list[str]:
    """The precisions that are more than conversions at the ends of the model."""
    return [name for name, count in precisions.most_common() if count >= _FEW * precisions.total()]


def _word(text: str) -> str:
    return text if _WORD.fullmatch(text) else "unknown"


def _ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
