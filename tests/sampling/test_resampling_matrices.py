"""Resizes that are written as products with constant matrices, by exporters or by `fix --portable`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import helper
from PIL import Image

from auditor.onnxfile import read_model
from auditor.sampling import Analysis, analyse
from auditor.sampling.lattice.banded import SparseMatrix, resampling_of
from auditor.sampling.lattice.interpolation import coordinates
from auditor.sampling.result import HeadKind, SiteKind
from auditor.tiling.maps import Banded, Part, Stretched
from tests.rewrite.portable.nodes import lowered, one_node
from tests.sampling.impulse import Array, Impulses, audit, build, measure, node

quick = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)


def pillow(length: int, size: int, kernel: Image.Resampling) -> Array:
    """The matrix (size, length) by which Pillow resizes: what it makes of lines of one pixel."""
    rows = [
        np.asarray(Image.fromarray(np.eye(length, dtype=np.float32)[k : k + 1]).resize((size, 1), kernel))[0]
        for k in range(length)
    ]
    return np.stack(rows, axis=1)


def across(matrix: Array) -> onnx.ModelProto:
    """A product that resizes the columns of a square picture."""
    length = matrix.shape[1]
    return build([node("MatMul", ["x", "m"], ["y"])], [1, 2, length, length], {"m": matrix.T.astype(np.float32)})


def lattices(found: Analysis) -> list[tuple[Fraction, Fraction] | None]:
    """Step and centre of every axis of the output; None where it is that of the input."""
    steps = [None if axis is None else (axis.stride, axis.offset) for axis in found.tensors["y"]]
    return [None if step is None or step == (Fraction(1), Fraction(0)) else step for step in steps]


def _coarsest(analysis: Analysis) -> list[tuple[Fraction | None, ...]]:
    """The largest cumulative factors of a site, without the axes that it leaves alone: a Resize names none of those."""
    return sorted(tuple(factor for factor in site.cumulative if factor != 1) for site in analysis.sites)[-1:]


@given(
    mode=st.sampled_from(["linear", "cubic"]),
    coordinate=st.sampled_from(["half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"]),
    antialias=st.sampled_from([0, 1]),
    sizes=st.tuples(*[st.sampled_from([48, 60, 64, 90])] * 2),
    results=st.tuples(*[st.sampled_from([15, 16, 20, 24, 32, 45, 60, 96, 120])] * 2),
    by_scale=st.booleans(),
)
@quick
def test_the_grid_of_a_lowered_resize_is_that_of_the_resize(
    tmp_path: Path,
    mode: str,
    coordinate: str,
    antialias: int,
    sizes: tuple[int, int],
    results: tuple[int, int],
    by_scale: bool,
) -> None:
    shape = (1, 2, *sizes)
    constant: dict[str, Array] = {"z": np.array([1, 2, *results], np.int64)}
    if by_scale:
        constant = {"z": np.array([1, 1, *(m / n for m, n in zip(results, sizes, strict=True))], np.float32)}
    inputs = ["x", "", "z"] if by_scale else ["x", "", "", "z"]
    attributes: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": coordinate, "antialias": antialias}
    model = one_node("Resize", shape, 19, constant, inputs, **attributes)
    path, done = lowered(model, tmp_path)
    assume(done.nodes)
    before, after = audit(model), analyse(read_model(path))
    assert lattices(after) == lattices(before)
    assert _coarsest(after) == _coarsest(before)
    assert not after.untracked
    if "matrix" in done.nodes[0].how:
        assert [up.factor for up in after.upsamplings] == [up.factor for up in before.upsamplings]
        for old, new in zip(before.sites, after.sites, strict=True):
            assert (new.factor, new.offset, new.receptive_field) == (old.factor, old.offset, old.receptive_field)
            assert old.alias is not None
            assert new.alias is not None
            assert new.alias.flat == pytest.approx(old.alias.flat, abs=0.02)
            assert new.antialiased == old.antialiased
            assert new.input.raw == "x"


@given(
    coordinate=st.sampled_from(["half_pixel", "asymmetric"]),
    rounding=st.sampled_from(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
    sizes=st.tuples(*[st.sampled_from([48, 60, 64])] * 2),
    results=st.tuples(*[st.sampled_from([16, 20, 24, 40, 45, 60, 96])] * 2),
)
@quick
def test_the_grid_of_a_lowered_nearest_resize_is_that_of_the_resize(
    tmp_path: Path, coordinate: str, rounding: str, sizes: tuple[int, int], results: tuple[int, int]
) -> None:
    constant = {"z": np.array([1, 2, *results], np.int64)}
    attributes: dict[str, Any] = {"nearest_mode": rounding, "coordinate_transformation_mode": coordinate}
    model = one_node("Resize", (1, 2, *sizes), 13, constant, ["x", "", "", "z"], mode="nearest", **attributes)
    path, done = lowered(model, tmp_path)
    assume(done.nodes)
    for old, new in zip(lattices(audit(model)), lattices(analyse(read_model(path))), strict=True):
        if old is None or new is None:
            assert old is new
            continue
        assert new[0] == old[0]
        # Where onnxruntime rounds a place that is whole to the sample in front, the matrix does so too.
        assert abs(new[1] - old[1]) <= Fraction(1, old[0].denominator)


@pytest.mark.parametrize("kernel", [Image.Resampling.BILINEAR, Image.Resampling.HAMMING, Image.Resampling.LANCZOS])
@pytest.mark.parametrize(("length", "size"), [(96, 32), (96, 40), (90, 54), (64, 96)])
def test_a_matrix_that_pillow_resizes_by_has_the_ratio_of_the_sizes_and_keeps_the_middle(
    length: int, size: int, kernel: Image.Resampling
) -> None:
    matrix = pillow(length, size, kernel)
    found = audit(across(matrix))
    step = Fraction(length, size)
    assert lattices(found)[3] == (step, (step - 1) / 2)
    if size < length:
        (site,) = found.sites
        assert site.factor == (step,)
        assert site.antialiased == (kernel is not Image.Resampling.HAMMING)
    else:
        assert not found.sites
        assert [up.factor for up in found.upsamplings] == [(1 / step,)]


@given(data=st.data())
@quick
def test_step_centre_and_window_are_those_that_impulses_measure(data: Any) -> None:
    up, down = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    width = data.draw(st.integers(1, 7))
    start = data.draw(st.integers(0, 6))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    rows = random.uniform(0.5, 1, (up, width))
    rows /= rows.sum(axis=1, keepdims=True)
    length = 70
    count = (length - start - width - down) * up // down
    matrix = np.zeros((count, length))
    for output in range(count):
        first = start + output * down // up
        matrix[output, first : first + width] = rows[output % up]
    model = across(matrix)
    lattice = audit(model).tensors["y"][3]
    assert lattice is not None
    measured = measure(Impulses(model, (1, 2, length, length)).matrix(3, 3), period=up)
    assert measured.stride == lattice.stride == Fraction(down, up)
    assert measured.offset is not None
    assert float(lattice.offset) == pytest.approx(float(measured.offset), abs=2e-3)
    assert measured.span == lattice.receptive_field


def test_products_in_any_form_are_one_site(tmp_path: Path) -> None:
    rows, columns = (pillow(64, 32, Image.Resampling.BILINEAR).astype(np.float32) for _ in range(2))
    turned = [0, 1, 3, 2]
    forms = {
        "left": [node("MatMul", ["x", "ct"], ["a"]), node("MatMul", ["r", "a"], ["y"])],
        "right": [
            node("MatMul", ["x", "ct"], ["a"]),
            node("Transpose", ["a"], ["b"], perm=turned),
            node("MatMul", ["b", "ct"], ["c"]),
            node("Transpose", ["c"], ["y"], perm=turned),
        ],
        "einsum": [
            node("Einsum", ["x", "r"], ["a"], equation="nchw,Hh->ncHw"),
            node("Einsum", ["ct", "a"], ["y"], equation="wW,nchw->nchW"),
        ],
    }
    for nodes in forms.values():
        found = audit(build(nodes, [1, 3, 64, 64], {"r": rows, "ct": columns.T.copy()}))
        (site,) = found.sites
        assert site.kind is SiteKind.RESIZE
        assert site.factor == (Fraction(2), Fraction(2))
        assert site.antialiased
        assert site.input.raw == "x"
        assert lattices(found)[2:] == [(Fraction(2), Fraction(1, 2))] * 2
        assert [head.kind for head in found.heads] == [HeadKind.DENSE]


@pytest.mark.parametrize("where", ["initializer", "large", "constant"])
def test_weights_are_read_wherever_they_are(where: str) -> None:
    length = 960 if where == "large" else 64
    matrix = pillow(length, length // 2, Image.Resampling.BILINEAR).T.astype(np.float32)
    nodes = [node("MatMul", ["x", "m"], ["y"])]
    if where == "constant":
        nodes.insert(0, node("Constant", [], ["m"], value=onnx.numpy_helper.from_array(matrix)))
    found = audit(build(nodes, [1, 1, 8, length], {} if where == "constant" else {"m": matrix}))
    assert lattices(found)[3] == (Fraction(2), Fraction(1, 2))


def dct(size: int) -> Array:
    place, wave = np.arange(size)[None] + 0.5, np.arange(size)[:, None]
    return np.asarray(np.cos(np.pi / size * place * wave))


@pytest.mark.parametrize(
    "matrix",
    [
        np.random.default_rng(0).standard_normal((32, 64)),
        np.random.default_rng(1).standard_normal((64, 64)),
        dct(64),
        np.tril(np.ones((64, 64))) / np.arange(1, 65)[:, None],
        np.eye(64)[np.random.default_rng(2).permutation(64)],
        np.eye(64) * np.linspace(0.5, 1, 64)[:, None],
        np.full((32, 64), 1 / 64),
    ],
    ids=["dense", "square", "cosines", "running means", "permutation", "a weight per position", "means of all"],
)
def test_a_matrix_that_treats_positions_differently_still_ends_the_grid(matrix: Array) -> None:
    found = audit(across(matrix))
    assert lattices(found)[3] is None
    assert not found.sites


def test_a_rule_speaks_of_the_matrix_and_not_of_an_attribute_that_is_not_there(tmp_path: Path) -> None:
    import auditor

    length = 64
    unfiltered = np.zeros((32, length))
    for output in range(32):
        unfiltered[output, 2 * output : 2 * output + 2] = 0.5
    model = across(unfiltered)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, [1, 2, length, 32]))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    (finding,) = [found for found in auditor.check(path).findings if found.rule == "AA105"]
    assert "constant matrix that resamples down by 2" in finding.message


@pytest.mark.parametrize(("length", "size"), [(96, 40), (90, 54), (64, 96)])
def test_tiles_read_through_a_matrix_what_they_read_through_the_resize(length: int, size: int) -> None:
    found = resampling_of(_taps(pillow(length, size, Image.Resampling.BILINEAR)))
    place = coordinates("half_pixel", length, size, Fraction(size, length), (0, 1))
    assert found is not None
    assert found.repeats
    assert place is not None
    inside, outside = Fraction(1), Fraction(length, size)
    resize = Stretched(inside, outside, place, "linear", "", antialias=True)
    matrix = Banded(inside, outside, found)
    for output in range(size):
        part = Part(output * outside, output * outside)
        assert matrix.read(part) == resize.read(part)


def _taps(matrix: Array) -> SparseMatrix:
    outputs, inputs = np.nonzero(matrix)
    rows, columns = matrix.shape
    return SparseMatrix(rows, columns, outputs, inputs, matrix[outputs, inputs])
