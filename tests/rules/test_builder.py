"""The compact notation of the rules' cases builds the models that it says."""

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.rules.builder import build


def run(text: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    model = build(text)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {i.name: np.ones(shape, np.float32) for i, shape in zip(session.get_inputs(), shapes, strict=True)}
    return list(session.run(None, feeds))


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("input 1x3x32x32\nConv k3 s2 p1 c8\nRelu\nMaxPool k2 s2", (1, 8, 8, 8)),
        ("input 1x3x32x32\nConv k3x5 s2 p1,2,1,2 c8", (1, 8, 16, 16)),
        ("input 1x3x32\nConv k3 s2 p1 c8", (1, 8, 16)),
        ("input 1x3x32x32\nConv k3 s2 gdw auto_pad=SAME_UPPER", (1, 3, 16, 16)),
        ("input 1x4x8x8\na = Conv k1 c4\nb = Blur k3 <- x\nConcat <- a b", (1, 8, 8, 8)),
        ("input 1x4x8x8\nGlobalAveragePool\nFlatten\nGemm 10", (1, 10)),
        ("input 1x4x8x8\nSlice step=2", (1, 4, 4, 4)),
        ("input 1x4x8x8\nGather step=2 axis=3", (1, 4, 8, 4)),
        ("input 1x4x8x8\nResize scale=0.5 mode=linear antialias=1", (1, 4, 4, 4)),
        ("input 1x4x8x8\nSpaceToDepth block=2", (1, 16, 4, 4)),
        ("input 1x4x8x8\nDepthToSpace block=2", (1, 1, 16, 16)),
        ("input 1x4x8x8\nConvTranspose k4 s2 p1 c2", (1, 2, 16, 16)),
        ("input 1x4x8x8\nPatches block=4 16\nReduceMean axes=1 keepdims=0", (1, 16)),
        ("input 1x4x8x8\nTranspose perm=0,2,3,1\nReshape to=1,64,4\nPosition\nMatMul 8", (1, 64, 8)),
    ],
)
def test_lines_build_a_model_that_runs(text: str, shape: tuple[int, ...]) -> None:
    size = tuple(int(part) for part in text.splitlines()[0].split()[-1].split("x"))
    (output,) = run(text, size)
    assert output.shape == shape


def test_focus_and_pixel_unshuffle_hold_the_phases_of_space_to_depth() -> None:
    image = np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8)

    def phases(op: str) -> set[bytes]:
        model = build(f"input 1x1x8x8\n{op}").SerializeToString()
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        return {channel.tobytes() for channel in session.run(None, {"x": image})[0][0]}

    assert phases("Focus") == phases("PixelUnshuffle block=2") == phases("SpaceToDepth block=2")


def test_a_blur_keeps_a_constant_away_from_the_border() -> None:
    (output,) = run("input 1x2x16x16\nBlur k5 s2", (1, 2, 16, 16))
    assert output.shape == (1, 2, 8, 8)
    assert np.allclose(output[:, :, 1:-1, 1:-1], 1)
