"""Whether a rewritten model runs: it is loaded once before it gets its name, so that no file is kept that does not."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from auditor.onnxfile import read_model
from auditor.onnxfile.graph import Model
from auditor.rewrite.result import RewriteError
from auditor.verify.admission import check_domains
from auditor.verify.errors import ModelRefusedError, VerifyError

_MOST_BYTES = (1 << 31) - 1  # of a file that the shape inference of the onnx package takes


def require_loads(source: Model, written: Path) -> None:
    """See that onnxruntime loads the rewritten model, in a process of its own that a hostile one may kill.

    Where there is no onnxruntime, and for operators of foreign domains, which are never run unasked, strict shape
    inference stands in for it.

    Raises:
        RewriteError: It does not load; the message says whether ``source`` itself does.
        ModelFileError: A file cannot be read.
    """
    runs = find_spec("onnxruntime") is not None and _is_standard(written)
    fault = (_refused if runs else _contradiction)(written)
    if fault is None:
        return
    if (_refused if runs else _contradiction)(source.source) is None:
        raise RewriteError(f"the rewritten model cannot be loaded, so nothing was written: {fault}")
    if runs:
        raise RewriteError(f"onnxruntime cannot load the model as it is, so nothing was written: {fault}")


def _is_standard(path: Path) -> bool:
    try:
        check_domains(read_model(path), frozenset({"com.microsoft"}))
    except ModelRefusedError:
        return False
    return True


def _refused(path: Path) -> str | None:
    """Why onnxruntime does not load a model, None where it does."""
    from auditor.verify.worker.client import Worker
    from auditor.verify.worker.device import Device, DeviceKind
    from auditor.verify.worker.job import SessionSpec
    from auditor.verify.worker.limits import RunLimits

    try:
        with Worker(Device(DeviceKind.CPU), RunLimits(), threads=1) as worker:
            worker.open(SessionSpec(path))
    except VerifyError as error:
        return " ".join(f"{error} {error.detail.raw}".split())
    return None


def _contradiction(path: Path) -> str | None:
    """What strict shape inference finds wrong, None where it finds nothing."""
    import onnx
    from onnx import checker, shape_inference

    if path.stat().st_size > _MOST_BYTES:
        return None
    try:
        model = onnx.load(str(path), load_external_data=False)
        shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (shape_inference.InferenceError, checker.ValidationError, ValueError, RuntimeError) as error:
        return " ".join(str(error).split())
    return None
