"""Calibration: closed forms against direct least squares, and what it does to a blurred network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest

from auditor.onnxfile import read_model
from auditor.rewrite import Options, RewriteError, Strategy, folding, rewrite
from auditor.rewrite.result import Where
from auditor.rewrite.ridge import Moments, error, fit
from auditor.sampling import analyse
from tests.rewrite.networks import Array, Network, run, session


def moments(z: Array, t: Array) -> Moments:
    """Sums over the rows of (positions, channels), added in two pieces."""
    sums = Moments(z.shape[1])
    for part in (slice(0, 7), slice(7, None)):
        sums.add(z[part].T[None], t[part].T[None])
    return sums


def test_a_linear_map_is_found_exactly_from_sums() -> None:
    random = np.random.default_rng(0)
    z = random.standard_normal((500, 4))
    matrix, bias = random.standard_normal((4, 4)), random.standard_normal(4)
    t = z @ matrix.T + bias
    found = fit(moments(z[:400], t[:400]), moments(z[400:], t[400:]))
    assert found.after < 1e-6 < found.before
    assert np.allclose(found.matrix, matrix, atol=1e-2)
    assert np.allclose(found.bias, bias, atol=1e-2)


def test_the_error_from_sums_is_the_error_of_the_samples() -> None:
    random = np.random.default_rng(1)
    z, t = random.standard_normal((2, 50, 3))
    matrix, bias = random.standard_normal((3, 3)), random.standard_normal(3)
    direct = ((t - z @ matrix.T - bias) ** 2).sum() / ((t - t.mean(0)) ** 2).sum()
    assert np.isclose(error(moments(z, t), matrix, bias), direct)


def test_where_nothing_can_be_learnt_the_map_stays_close_to_doing_nothing() -> None:
    random = np.random.default_rng(2)
    z = random.standard_normal((12, 8))
    t = z + 0.01 * random.standard_normal((12, 8))
    found = fit(moments(z[:9], t[:9]), moments(z[9:], t[9:]))
    assert found.after <= found.before
    assert np.abs(found.matrix - np.eye(8)).max() < 0.5


@dataclass
class Noise:
    """Random pictures through onnxruntime in this process; counts what it was asked for."""

    count: int
    size: int

    def pictures(self, seed: int) -> Iterator[Array]:
        random = np.random.default_rng(seed)
        for _ in range(self.count):
            yield random.standard_normal((1, 3, self.size, self.size)).astype(np.float32)

    def features(self, original: Path, wanted: str, rewritten: Path, given: str) -> Iterator[tuple[Array, Array]]:
        found = []
        for path, tensor in ((rewritten, given), (original, wanted)):
            model = onnx.load(path)
            model.graph.output.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
            found.append((session(model), tensor))
        for picture in self.pictures(0):
            blurred, target = (np.asarray(one.run([name], {"x": picture})[0]) for one, name in found)
            yield blurred, target


def trained(shortcut: bool) -> onnx.ModelProto:
    made = Network(np.random.default_rng(3), 3, (24, 24))
    if shortcut:
        made.residual()
    else:
        made.add("Conv", made.weight(6, 3, 3, 3), strides=[2, 2], pads=[1] * 4)
        made.channels = 6
        made.add("Relu")
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.pooled_head()
    return made.model()


@pytest.mark.parametrize("shortcut", [False, True])
def test_a_calibrated_blur_is_closer_to_the_original_than_a_bare_one(shortcut: bool, tmp_path: Path) -> None:
    model = trained(shortcut)
    source = tmp_path / "model.onnx"
    source.write_bytes(model.SerializeToString())
    read = read_model(source)
    analysis = analyse(read)
    pictures = Noise(40, 24)
    bare = rewrite(read, analysis, tmp_path / "bare.onnx", Strategy.BLUR)
    done = rewrite(read, analysis, tmp_path / "fixed.onnx", Strategy.BLUR, pictures=pictures)
    assert {one.site.node.name.raw for one in done.calibrated} == {site.node.name.raw for site in bare.sites}
    assert all(one.after < one.before for one in done.calibrated)
    onnx.checker.check_model(onnx.load(tmp_path / "fixed.onnx"), full_check=True)
    assert not [site for site in analyse(read_model(tmp_path / "fixed.onnx")).sites if not site.antialiased]

    def distance(path: str) -> float:
        return float(np.mean([np.abs(run(tmp_path / path, one) - run(source, one)) for one in pictures.pictures(9)]))

    assert distance("fixed.onnx") < 0.8 * distance("bare.onnx")


@pytest.mark.parametrize("ir", [3, 8])
def test_the_map_goes_into_a_1x1_convolution_that_alone_reads_it(
    ir: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Network(np.random.default_rng(3), 3, (24, 24), opset=9, ir=ir)
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("Conv", made.weight(5, 3, 1, 1))
    made.channels = 5
    made.add("GlobalAveragePool")
    source, target, apart = tmp_path / "model.onnx", tmp_path / "fixed.onnx", tmp_path / "apart.onnx"
    source.write_bytes(made.model().SerializeToString())
    read = read_model(source)
    done = rewrite(read, analyse(read), target, Strategy.BLUR, pictures=Noise(40, 24))
    assert [one.folded for one in done.calibrated] == [True]
    written = onnx.load(target)
    onnx.checker.check_model(written, full_check=True)
    kinds = [node.op_type for node in written.graph.node if node.op_type != "Constant"]
    assert kinds == ["MaxPool", "Pad", "Conv", "Conv", "GlobalAveragePool"]
    assert not [node.name for node in written.graph.node if "mix" in node.name]

    def no_reader(*_: object) -> None:
        return None

    monkeypatch.setattr(folding, "_only_reader", no_reader)
    rewrite(read, analyse(read), apart, Strategy.BLUR, pictures=Noise(40, 24))
    picture = next(Noise(1, 24).pictures(7))
    assert np.allclose(run(target, picture), run(apart, picture), atol=1e-5)
    assert not np.allclose(run(target, picture), run(source, picture), atol=1e-5)


def test_too_few_pictures_stop_before_anything_is_written(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(trained(False).SerializeToString())
    read = read_model(source)
    with pytest.raises(RewriteError, match="at least 8 pictures"):
        rewrite(read, analyse(read), tmp_path / "fixed.onnx", Strategy.BLUR, pictures=Noise(3, 24))
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_blur_in_front_cannot_be_calibrated(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(trained(False).SerializeToString())
    read = read_model(source)
    options = Options(where=Where.PRE)
    done = rewrite(read, analyse(read), None, Strategy.BLUR, options, pictures=Noise(40, 24))
    assert "cannot be calibrated" in done.skipped[0].refusal.reason
