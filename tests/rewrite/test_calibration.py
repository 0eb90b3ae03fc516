"""Calibration: closed forms against direct least squares, and what it does to a blurred network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from auditor.onnxfile import read_model
from auditor.rewrite.calibration import ridge
from auditor.rewrite.calibration.linear import linear_operator
from auditor.rewrite.calibration.ridge import Fit, Moments, error, fit, matched
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Options, Refit, RewriteError, Step, Strategy, Where
from auditor.sampling import analyse
from tests.rewrite.networks import Array, Network, run, session


def moments(z: Array, t: Array) -> Moments:
    """Sums over the rows of (positions, channels), added in two pieces."""
    sums = Moments(1, z.shape[1], t.shape[1])
    for part in (slice(0, 7), slice(7, None)):
        sums.add(z[part].T[None], t[part].T[None])
    return sums


def fit_from_nothing(used: Moments, held_out: Moments) -> Fit:
    unit = np.eye(used.columns)[None]
    return fit(used, held_out, unit, np.zeros((1, used.columns)), unit)


def test_a_linear_map_is_found_exactly_from_sums() -> None:
    random = np.random.default_rng(0)
    z = random.standard_normal((500, 4))
    matrix, bias = random.standard_normal((4, 4)), random.standard_normal(4)
    t = z @ matrix.T + bias
    found = fit_from_nothing(moments(z[:400], t[:400]), moments(z[400:], t[400:]))
    assert found.after < 1e-6 < found.before
    assert np.allclose(found.matrix[0], matrix, atol=1e-2)
    assert np.allclose(found.bias[0], bias, atol=1e-2)


def test_the_error_from_sums_is_the_error_of_the_samples() -> None:
    random = np.random.default_rng(1)
    z, t = random.standard_normal((2, 50, 3))
    matrix, bias = random.standard_normal((3, 3)), random.standard_normal(3)
    direct = ((t - z @ matrix.T - bias) ** 2).sum() / ((t - t.mean(0)) ** 2).sum()
    assert np.isclose(error(moments(z, t), matrix[None], bias[None]), direct)


def test_where_nothing_can_be_learnt_the_map_stays_close_to_doing_nothing() -> None:
    random = np.random.default_rng(2)
    z = random.standard_normal((12, 8))
    t = z + 0.01 * random.standard_normal((12, 8))
    found = fit_from_nothing(moments(z[:9], t[:9]), moments(z[9:], t[9:]))
    assert found.after <= found.before
    assert np.abs(found.matrix[0] - np.eye(8)).max() < 0.5


def test_channels_of_weaker_features_are_strengthened_where_pictures_say_little_else() -> None:
    random = np.random.default_rng(4)
    t = random.standard_normal((2000, 3))
    sums = moments(t * [0.5, 1.0, 0.1], t)
    assert np.allclose(matched(sums)[0], np.diag([2.0, 1.0, 2.5]), atol=1e-6)


@pytest.mark.parametrize("seed", range(24))
def test_every_convolution_is_its_matrix_over_its_columns(seed: int, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    rank = int(random.integers(1, 4))
    groups = int(random.choice([1, 2, 4]))
    kernel = [int(k) for k in random.integers(1, 4, rank)]
    weight = random.standard_normal((groups * 3, 4 // groups, *kernel)).astype(np.float32)
    bias = random.standard_normal(len(weight)).astype(np.float32)
    attributes: dict[str, Any] = {
        "group": groups,
        "strides": [int(s) for s in random.integers(1, 3, rank)],
        "dilations": [int(d) for d in random.integers(1, 3, rank)],
    }
    if random.random() < 0.3:
        attributes["auto_pad"] = "SAME_UPPER"
        attributes["dilations"] = [1] * rank
    else:
        attributes["pads"] = [int(p) for p in random.integers(0, 2, 2 * rank)]
    size = [int(n) for n in random.integers(7, 12, rank)]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w", "b"], ["y"], **attributes)],
        "one",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 4, *size])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(weight, "w"), onnx.numpy_helper.from_array(bias, "b")],
    )
    source = tmp_path / "one.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), source)
    model = read_model(source)
    editor = GraphEditor(model, analyse(model))
    operator = linear_operator(editor, next(editor.parts()))
    assert operator is not None
    given = random.standard_normal((2, 4, *size)).astype(np.float32)
    columns, wanted = operator.pairs(given, run(source, given))
    assert columns.shape[:2] == (groups, operator.columns)
    assert np.allclose(operator.weight @ columns + operator.bias[..., None], wanted, atol=1e-4)


@dataclass
class Noise:
    """Random pictures through onnxruntime in this process; remembers what was said of every pass over them."""

    count: int
    size: int
    passes: list[str] = field(default_factory=list)

    def pictures(self, seed: int) -> Iterator[Array]:
        random = np.random.default_rng(seed)
        for _ in range(self.count):
            yield random.standard_normal((1, 3, self.size, self.size)).astype(np.float32)

    def features(
        self, original: Path, wanted: Sequence[str], rewritten: Path, given: Sequence[str], what: str
    ) -> Iterator[tuple[list[Array], list[Array]]]:
        self.passes.append(what)
        found = []
        for path, tensors in ((rewritten, given), (original, wanted)):
            model = onnx.load(path)
            for tensor in {*tensors} - {value.name for value in model.graph.output}:
                model.graph.output.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
            found.append((session(model), list(tensors)))
        for picture in self.pictures(0):
            blurred, target = ([np.asarray(x) for x in one.run(names, {"x": picture})] for one, names in found)
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
    bare = rewrite(read, analysis, Step(Strategy.BLUR), tmp_path / "bare.onnx")
    done = rewrite(read, analysis, Step(Strategy.BLUR, calibrated=True), tmp_path / "fixed.onnx", pictures=pictures)
    assert {one.site.node.name.raw for one in done.calibrated} == {site.node.name.raw for site in bare.sites}
    assert all(one.after < one.before for one in done.calibrated)
    onnx.checker.check_model(onnx.load(tmp_path / "fixed.onnx"), full_check=True)
    assert not [site for site in analyse(read_model(tmp_path / "fixed.onnx")).sites if not site.antialiased]

    def distance(path: str) -> float:
        return float(np.mean([np.abs(run(tmp_path / path, one) - run(source, one)) for one in pictures.pictures(9)]))

    assert distance("fixed.onnx") < 0.8 * distance("bare.onnx")


@pytest.mark.parametrize("ir", [3, 8])
@pytest.mark.parametrize("kernel", [1, 3])
def test_the_convolution_that_alone_reads_a_blurred_map_takes_the_calibration_at_no_cost(
    ir: int, kernel: int, tmp_path: Path
) -> None:
    made = Network(np.random.default_rng(3), 3, (24, 24), opset=9, ir=ir)
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("Conv", made.weight(5, 3, kernel, kernel), pads=[kernel // 2] * 4)
    made.channels = 5
    made.add("GlobalAveragePool")
    source, target = tmp_path / "model.onnx", tmp_path / "fixed.onnx"
    source.write_bytes(made.model().SerializeToString())
    read = read_model(source)
    done = rewrite(read, analyse(read), Step(Strategy.BLUR, calibrated=True), target, pictures=Noise(40, 24))
    assert [one.folded for one in done.calibrated] == [True]
    assert done.flops == rewrite(read, analyse(read), Step(Strategy.BLUR)).flops
    written = onnx.load(target)
    onnx.checker.check_model(written, full_check=True)
    kinds = [node.op_type for node in written.graph.node if node.op_type != "Constant"]
    assert kinds == ["MaxPool", "Pad", "Conv", "Conv", "GlobalAveragePool"]
    assert not [node.name for node in written.graph.node if "mix" in node.name]
    # Weights that nothing reads stay only where they are inputs, too, which would have to be fed otherwise.
    kept = "w0" in {one.name for one in written.graph.initializer}
    assert kept == ("w0" in {value.name for value in written.graph.input})


def test_the_weights_end_where_the_outputs_were_nearest_and_every_step_is_told(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(5), 3, (24, 24))
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    for channels in (8, 8, 6):
        made.add("Conv", made.weight(channels, made.channels, 3, 3), pads=[1] * 4)
        made.channels = channels
        made.add("Relu")
    made.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2])
    made.add("Conv", made.weight(7, 6, 1, 1))
    made.channels = 7
    made.pooled_head()
    source = tmp_path / "model.onnx"
    source.write_bytes(made.model().SerializeToString())
    read, pictures = read_model(source), Noise(40, 24)
    curves = {}
    for further in Refit:
        target = tmp_path / f"{further.value}.onnx"
        pictures.passes.clear()
        done = rewrite(
            read, analyse(read), Step(Strategy.BLUR, Options(refit=further), calibrated=True), target, pictures=pictures
        )
        onnx.checker.check_model(onnx.load(target), full_check=True)
        curves[further] = done.curve
        count = 0 if done.curve is None else len(done.curve.refits)
        assert pictures.passes == [
            *(f"calibration, site {number} of 2" for number in (1, 2)),
            *(f"calibration, convolution {number} of {count}" for number in range(1, count + 1)),
            *(["calibration, outputs"] if count else []),
        ]

    def distance(path: Path) -> float:
        ours, theirs = (
            [run(one, picture) for place, picture in enumerate(pictures.pictures(0)) if place % 4 == 3]
            for one in (path, source)
        )
        return float(np.sum((np.array(ours) - theirs) ** 2) / np.sum((np.array(theirs) - np.mean(theirs)) ** 2))

    assert curves[Refit.NONE] is None
    last, every = curves[Refit.LAST], curves[Refit.ALL]
    assert last is not None
    assert every is not None
    assert len(last.refits) == 1
    assert len(every.refits) > 1
    assert np.isclose(distance(tmp_path / "none.onnx"), every.start, rtol=1e-3)
    shares = [every.start, *(one.outputs for one in every.refits)]
    assert np.isclose(distance(tmp_path / "all.onnx"), min(shares), rtol=1e-3)
    assert sum(one.kept for one in every.refits) == shares.index(min(shares))
    # What is taken back leaves nothing behind.
    size = {one: (tmp_path / f"{one.value}.onnx").stat().st_size for one in Refit}
    assert size[Refit.ALL] < size[Refit.NONE] + 2000


def test_too_few_pictures_stop_before_anything_is_written(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(trained(False).SerializeToString())
    read = read_model(source)
    with pytest.raises(RewriteError, match="at least 8 pictures"):
        rewrite(
            read, analyse(read), Step(Strategy.BLUR, calibrated=True), tmp_path / "fixed.onnx", pictures=Noise(3, 24)
        )
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_blur_in_front_cannot_be_calibrated(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(trained(False).SerializeToString())
    read = read_model(source)
    options = Options(where=Where.PRE)
    done = rewrite(read, analyse(read), Step(Strategy.BLUR, options, calibrated=True), pictures=Noise(40, 24))
    assert "cannot be calibrated" in done.skipped[0].refusal.reason


def test_the_chosen_ridge_is_fitted_anew_on_all_pictures_and_not_on_half_of_them() -> None:
    random = np.random.default_rng(5)
    used, held_out, both = (Moments(1, 3, 2) for _ in range(3))
    truth = random.standard_normal((2, 3))
    for moments in (used, held_out):
        z = random.standard_normal((1, 3, 40))
        t = truth @ z + 0.3 * random.standard_normal((1, 2, 40))
        moments.add(z, t)
        both.add(z, t)
    prior = np.zeros((1, 2, 3))
    found = fit(used, held_out, prior, np.zeros((1, 2)), prior)
    assert np.isfinite(found.strength)
    # What is fitted on all pictures errs less on all of them than the same ridge on either half.
    halves = [ridge._solved(half, found.strength, prior) for half in (used, held_out)]
    whole = ridge._solved(both, found.strength, prior)
    np.testing.assert_allclose(found.matrix, whole[0], rtol=1e-10)
    np.testing.assert_allclose(found.bias, whole[1], rtol=1e-10)
    assert all(error(both, found.matrix, found.bias) < error(both, *half) for half in halves)


def test_a_fit_that_nothing_improves_keeps_what_there_was_and_says_so() -> None:
    random = np.random.default_rng(4)
    used, held_out = Moments(1, 2, 2), Moments(1, 2, 2)
    for moments in (used, held_out):
        maps = random.standard_normal((1, 2, 400))
        moments.add(maps, maps)
    unit, nothing = np.eye(2)[None], np.zeros((1, 2))
    found = fit(used, held_out, unit, nothing, unit)
    np.testing.assert_array_equal(found.matrix, unit)
    assert found.before == found.after == error(held_out, unit, nothing)
