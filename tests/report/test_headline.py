"""The first sentence of a report: it never promises more than the analysis knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from auditor.report.words.grid import meaning
from tests.sampling.impulse import Array, audit, build, node

PICTURE = [1, 4, 32, 32]
CONV: Mapping[str, Array] = {"w": np.ones([4, 4, 3, 3], np.float32), "one": np.ones([4, 4, 1, 1], np.float32)}


def line(model: ModelProto, shapes: Mapping[str, Sequence[int]] | None = None) -> str:
    return meaning(audit(model, shapes))


def unknown(*before: str) -> ModelProto:
    """An operator that nobody knows in front of a strided pool, behind ``before``."""
    nodes = [node("Conv", ["x", "w"], ["c"], strides=[2, 2])] if before else []
    nodes += [
        node("Mystery", ["c" if before else "x"], ["m"], "somewhere.else"),
        node("MaxPool", ["m"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    return build(nodes, PICTURE, dict(CONV))


def test_a_network_of_stride_one_is_not_subsampled() -> None:
    made = build([node("Conv", ["x", "w"], ["y"])], PICTURE, dict(CONV))
    assert line(made) == "The input grid is not subsampled: the cumulative factor is 1."


def test_above_an_untracked_part_nothing_is_said_to_be_free_of_subsampling() -> None:
    assert line(unknown()) == (
        "How much the input grid is subsampled is not known:"
        " the analysis lost the grid at 1 place, and the total at 1 site is open."
    )


def test_a_factor_that_is_known_up_to_an_untracked_part_is_a_lower_bound() -> None:
    assert line(unknown("Conv")).startswith(
        "Cumulative subsampling 2 at least (the analysis lost the grid at 1 place, and the total at 1 site is open)"
    )


def test_no_share_of_exact_shifts_is_given_where_the_smallest_is_larger_than_the_picture() -> None:
    nodes, name = [], "x"
    for place, step in enumerate([2, 3, 5]):
        nodes.append(node("MaxPool", [name], [f"p{place}"], kernel_shape=[1, 1], strides=[step, step]))
        nodes.append(node("Resize", [f"p{place}", "", "", f"s{place}"], [f"r{place}"], mode="nearest"))
        name = f"r{place}"
    sizes = {"s0": [1, 4, 31, 31], "s1": [1, 4, 29, 29], "s2": [1, 4, 7, 7]}
    constants: dict[str, Array] = {key: np.array(value) for key, value in sizes.items()}
    found = line(build([*nodes, node("Relu", [name], ["y"])], PICTURE, constants))
    assert found.endswith("no shift that is smaller than the input brings the grid back to the same phase.")
    assert "1 in" not in found


def test_a_site_on_no_path_to_an_output_leaves_every_shift_exact() -> None:
    nodes = [
        node("MaxPool", ["x"], ["aside"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["x", "one"], ["y"]),
    ]
    found = line(build(nodes, PICTURE, dict(CONV)))
    assert found == "Cumulative subsampling 2, on no path to an output: the outputs follow every whole shift."


def test_the_share_of_exact_shifts_is_one_in_the_product_of_the_steps() -> None:
    made = build([node("Conv", ["x", "w"], ["y"], strides=[2, 4])], PICTURE, dict(CONV))
    assert line(made).endswith("only for multiples of 2x4 input samples, 1 in 8 shifts.")


@pytest.mark.parametrize("condition", [True, False])
def test_the_branch_of_an_if_that_never_runs_has_no_part_in_the_report(condition: bool) -> None:
    def branch(name: str, stride: int) -> object:
        made = node("MaxPool", ["x"], [f"{name}_y"], kernel_shape=[2, 2], strides=[stride] * 2, pads=[0, 0, 1, 1])
        value = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)
        return helper.make_graph([made], name, [], [value])

    made = node("If", ["condition"], ["y"], then_branch=branch("then", 1), else_branch=branch("else", 2))
    found = audit(build([made], PICTURE, {"condition": np.array(condition)}))
    assert len(found.sites) == (0 if condition else 1)
    assert found.subsampling == (1 if condition else 2)
