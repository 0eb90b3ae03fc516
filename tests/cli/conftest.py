"""Models for the tests of the command line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from auditor.cli import main
from auditor.demo import demo_images, demo_model
from auditor.demo.digits import LAST_POSITION, draw

HOSTILE_NAME = "\x1b[31m::set-output name=x::y\n::error::z ##[error]w \u202e"


# How the pictures of the fixture ``digits`` are measured.
HOW = ("--preset", "unit", "--device", "cpu", "--images", "digits.npz")
_DIGITS = 16


def write_network(path: Path, stride: int = 2, name: str = "pool", size: int | str = 32) -> Path:
    """A max-pool of stride ``stride`` behind a convolution, written to ``path``."""
    # Kernels that differ: equal ones would be a blur in front of the pool.
    values = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    weights = numpy_helper.from_array(values, "weights")
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["features"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["features"], ["pooled"], name, kernel_shape=[2, 2], strides=[stride, stride]),
        helper.make_node("GlobalAveragePool", ["pooled"], ["logits"], "head"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, size, size])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 4, 1, 1])
    graph = helper.make_graph(nodes, "network", [image], [logits], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name=name)
    model.ir_version = 8
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and an environment that sets nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CI", "ALIASAUDIT_OUTPUT_FORMAT", "ALIASAUDIT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".git").mkdir()  # settings of whoever runs the tests stay out
    return tmp_path


@pytest.fixture
def digits() -> Path:
    """The built-in trained network beside some held-out digits, with room to move."""
    held_out = np.load(demo_images())
    images, labels = held_out["images"][:_DIGITS], held_out["labels"][:_DIGITS]
    middle = np.full(_DIGITS, LAST_POSITION // 2)
    pictures = np.pad(draw(images, middle, middle)[:, 0], ((0, 0), (8, 8), (8, 8)))
    pixels = np.round(255 * pictures).astype(np.uint8)[..., None]
    np.savez("digits.npz", images=pixels, labels=labels)
    np.savez("unlabelled.npz", images=pixels)
    return Path(shutil.copy(demo_model(), "digits.onnx"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the program in this process: exit code, stdout, stderr."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call
