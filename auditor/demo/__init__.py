"""The built-in example: a small trained network, and held-out images for it.

``digits.onnx`` is a residual network that reads handwritten digits, trained by ``scripts/train_demo.py`` on the data
set that scikit-learn ships; ``NOTICE.md`` says where both come from. Input ``image`` is float32 [N, 1, 48, 48] as
:mod:`auditor.demo.digits` draws it, output ``logits`` float32 [N, 10].
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).resolve().parent


def demo_model() -> Path:
    """The path of the built-in example network."""
    return _FOLDER / "digits.onnx"


def demo_images() -> Path:
    """The path of 64 held-out digits: ``images`` uint8 [64, 8, 8] with values 0 to 16, and ``labels`` uint8 [64]."""
    return _FOLDER / "digits_images.npz"


def more_demo_images() -> Path:
    """The path of the other 296 held-out digits, in the form of :func:`demo_images`.

    All 360 together are enough to decide whether a repair of the network made it steadier.
    """
    return _FOLDER / "digits_more.npz"


def demo_workflow() -> Path:
    """The path of a GitHub workflow that gates a pull request on a model."""
    return _FOLDER / "workflow.yml"
