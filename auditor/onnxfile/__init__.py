"""Reading ONNX model files: everything but the weights, within limits, without running or importing anything heavy."""

from __future__ import annotations

from auditor.onnxfile.errors import FileProblem, ModelFileError
from auditor.onnxfile.limits import Limits
from auditor.onnxfile.metadata import origin
from auditor.onnxfile.read import read_model, read_runnable
from auditor.onnxfile.scopes import bind, bodies, callee, label, qualified, walk
from auditor.onnxfile.values import inline_values
from auditor.onnxfile.weights import read_tensor

__all__ = [
    "FileProblem",
    "Limits",
    "ModelFileError",
    "bind",
    "bodies",
    "callee",
    "inline_values",
    "label",
    "origin",
    "qualified",
    "read_model",
    "read_runnable",
    "read_tensor",
    "walk",
]
