"""Reading ONNX model files: everything but the weights, within limits, without running or importing anything heavy."""

from __future__ import annotations

from auditor.onnxfile.errors import FileProblem, ModelFileError
from auditor.onnxfile.limits import Limits
from auditor.onnxfile.read import read_model

__all__ = ["FileProblem", "Limits", "ModelFileError", "read_model"]
