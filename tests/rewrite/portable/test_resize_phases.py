"""A filtered Resize by a ratio of whole numbers: written as phases of a convolution where that is the cheaper form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import auditor
from auditor.onnxfile import read_model
from auditor.sampling import analyse
from auditor.sampling.analysis import followed
from auditor.tiling.links import Links
from auditor.tiling.maps import Banded, Part
from tests.rewrite.portable.nodes import ANY_COST, against, answer, distance, lowered, noise, one_node

SAME = 1e-4  # of the range
RATIOS = [(3, 5), (2, 3), (3, 4), (5, 8), (4, 9), (1, 2)]


def resized(
    before: tuple[int, ...], after: tuple[int, ...], channels: int = 1, mode: str = "linear", **attributes: Any
) -> onnx.ModelProto:
    """An antialiased Resize to sizes."""
    sizes = np.array([1, channels, *after], np.int64)
    shape = (1, channels, *before)
    return one_node("Resize", shape, 18, {"z": sizes}, ["x", "", "", "z"], mode=mode, antialias=1, **attributes)


def operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load_model(path).graph.node]


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    mode=st.sampled_from(["linear", "cubic"]),
    coordinate=st.sampled_from(["half_pixel", "pytorch_half_pixel", "asymmetric", "half_pixel_symmetric"]),
    exclude=st.sampled_from([0, 1]),
    ratios=st.tuples(*[st.sampled_from(RATIOS)] * 2),
    blocks=st.tuples(st.integers(1, 3), st.integers(250, 270)),
    by_scale=st.booleans(),
)
def test_phases_compute_what_the_resize_did(
    tmp_path: Path,
    mode: str,
    coordinate: str,
    exclude: int,
    ratios: tuple[tuple[int, int], ...],
    blocks: tuple[int, ...],
    by_scale: bool,
) -> None:
    before = tuple(p * count for (_, p), count in zip(ratios, blocks, strict=True))
    after = tuple(q * count for (q, _), count in zip(ratios, blocks, strict=True))
    model = resized(before, after, 2, mode, coordinate_transformation_mode=coordinate, exclude_outside=exclude)
    if by_scale:
        scales = np.array([1, 1, *(m / n for m, n in zip(after, before, strict=True))], np.float32)
        model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(scales, "z"))
        model.graph.node[0].input[:] = ["x", "", "z"]
    picture = noise((1, 2, *before))
    expected = answer(model, picture)
    assert expected is not None
    path, done = lowered(model, tmp_path)
    (node,) = done.nodes
    assert "phases" in node.how or {ratio[0] for ratio in ratios} == {1}
    result = answer(path, picture)
    assert result is not None
    assert distance(expected, result) <= SAME
    onnx.checker.check_model(str(path), full_check=True)
    assert not against(path)


def test_the_cheaper_of_both_forms_is_written(tmp_path: Path) -> None:
    path, done = lowered(resized((40, 40), (24, 24)), tmp_path, most=ANY_COST)
    assert done.nodes[0].how == "two constant matrix products"
    assert operators(path) == ["MatMul", "MatMul"]
    path, done = lowered(resized((600, 600), (360, 360)), tmp_path, most=1.5)
    assert done.nodes[0].how == "Pad of mode edge and strided convolutions of phases"
    assert operators(path) == ["Pad", *["Conv", "Reshape", "Transpose", "Reshape"] * 2]
    # 599 and 359 have no common factor: every output has weights of its own.
    left = lowered(resized((599, 599), (359, 359)), tmp_path, most=1.5)[1].left
    assert "two constant matrix products would take" in left[0].reason


def test_what_still_costs_too_much_is_refused_with_the_number(tmp_path: Path) -> None:
    done = lowered(resized((900, 900), (800, 800)), tmp_path, most=1.0)[1]
    (left,) = done.left
    assert "phases would take" in left.reason
    assert "--max-cost" in left.reason
    assert lowered(resized((900, 900), (800, 800)), tmp_path, most=3.0)[1].nodes


def test_no_kernel_of_nine_taps_in_a_row_is_written(tmp_path: Path) -> None:
    for ratio in range(2, 9):
        path, done = lowered(resized((6, 900), (6, 900 // 9 * ratio)), tmp_path)
        if "phases" in done.nodes[0].how:
            (kernel,) = [tensor for tensor in onnx.load_model(path).graph.initializer if len(tensor.dims) == 4]
            assert kernel.dims[-1] != 9


def test_a_picture_of_open_batch_is_resized_for_every_batch(tmp_path: Path) -> None:
    scales = {"s": np.array([1, 1, 0.6, 0.6], np.float32)}
    model = one_node("Resize", ("N", 1, 600, 600), 18, scales, ["x", "", "s"], mode="linear", antialias=1)
    path, done = lowered(model, tmp_path)
    assert "phases" in done.nodes[0].how
    for batch in (1, 3):
        pictures = noise((batch, 1, 600, 600))
        expected, result = answer(model, pictures), answer(path, pictures)
        assert expected is not None
        assert result is not None
        assert distance(expected, result) <= SAME


@pytest.mark.parametrize("exclude", [0, 1])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize(("before", "after"), [((600, 640), (360, 400)), ((900, 960), (500, 320))])
def test_an_audit_finds_one_site_with_the_grid_and_the_verdict_of_the_resize(
    tmp_path: Path, before: tuple[int, int], after: tuple[int, int], mode: str, exclude: int
) -> None:
    model = resized(before, after, mode=mode, exclude_outside=exclude)
    source = tmp_path / "resize.onnx"
    source.write_bytes(model.SerializeToString())
    path, done = lowered(model, tmp_path)
    assert "phases" in done.nodes[0].how
    old, new = analyse(read_model(source)), analyse(read_model(path))
    (was,), (now,) = old.sites, new.sites
    assert (now.kind, now.factor, now.cumulative) == (was.kind, was.factor, was.cumulative)
    assert (now.offset, now.receptive_field) == (was.offset, was.receptive_field)
    assert (now.reads_input, now.antialiased) == (was.reads_input, was.antialiased)
    assert was.alias is not None
    assert now.alias is not None
    assert now.alias.flat == pytest.approx(was.alias.flat, abs=0.02)
    assert [up.factor for up in new.upsamplings] == [up.factor for up in old.upsamplings]
    assert not new.untracked
    assert [axis and axis.offset for axis in new.tensors["y"]] == [axis and axis.offset for axis in old.tensors["y"]]


def test_weights_that_do_not_filter_are_found_at_the_same_severity(tmp_path: Path) -> None:
    sizes = {"z": np.array([1, 1, 360, 360], np.int64)}
    model = one_node(
        "Resize",
        (1, 1, 600, 600),
        13,
        sizes,
        ["x", "", "", "z"],
        mode="linear",
        coordinate_transformation_mode="asymmetric",
    )
    source = tmp_path / "resize.onnx"
    model.graph.output[0].type.tensor_type.shape.dim[2].dim_value = 360
    source.write_bytes(model.SerializeToString())
    path, done = lowered(model, tmp_path, ["ncnn"])
    assert "phases" in done.nodes[0].how
    (was,) = [finding for finding in auditor.check(source).findings if finding.rule == "AA105"]
    (now,) = [finding for finding in auditor.check(path).findings if finding.rule == "AA105"]
    assert now.severity == was.severity
    assert "convolution with interleaved phases" in now.message


def test_phases_of_different_sums_or_of_channels_of_their_own_are_no_resize(tmp_path: Path) -> None:
    path, _ = lowered(resized((6, 600), (6, 360), 2), tmp_path)
    model = onnx.load_model(path)
    (kernel,) = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 4]
    weights = np.frombuffer(kernel.raw_data, np.float32).reshape(tuple(kernel.dims))
    for factors in (np.linspace(0.5, 1, 3).tolist() * 4, [1] * 6 + [2] * 6):
        changed = weights * np.resize(factors, len(weights))[:, None, None, None].astype(np.float32)
        kernel.CopyFrom(onnx.numpy_helper.from_array(changed, kernel.name))
        onnx.save_model(model, path)
        assert all(site.node.op.raw == "Conv" for site in analyse(read_model(path)).sites)


def test_tiles_read_through_phases_what_they_read_through_matrices(tmp_path: Path) -> None:
    model = resized((6, 600), (6, 360))
    path, _ = lowered(model, tmp_path)
    links = Links()
    followed(read_model(path), {}, links)
    read = [found for link in links.links for read in link.reads for found in read.maps.values()]
    maps = [found for found in read if isinstance(found, Banded)]
    (banded,) = maps
    for output in range(30, 60):
        part = banded.read(Part(*[banded.outside * output] * 2))
        assert part is not None
        # Two samples on both sides of 5/3 reach 5/3 samples far.
        centre = (output + 0.5) * 5 / 3 - 0.5 + 1  # behind a Pad of one sample
        assert abs(float(part.low) - np.ceil(centre - 5 / 3 + 1e-9)) < 1
        assert abs(float(part.high) - np.floor(centre + 5 / 3 - 1e-9)) < 1
