"""Every operator that the analysis knows, held against what onnxruntime does with a change of one entry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auditor.sampling.ops import TRANSFERS
from tests.sampling import operators_of_maps, operators_of_tokens
from tests.sampling.impulse import audit, session
from tests.sampling.recipes import Reach, Recipe, reached

MAPS, TOKENS = operators_of_maps, operators_of_tokens
TABLES = [MAPS.pointwise, MAPS.quantised, MAPS.pairs, MAPS.along, MAPS.shapes]
TABLES += [TOKENS.products, TOKENS.sequences, TOKENS.chosen, TOKENS.others]
RECIPES = {op: recipe for table in TABLES for op, recipe in table().items()}
HERE = Path(__file__).parent

ELSEWHERE = {
    "test_transfer_windows.py": """
    Conv FusedConv ConvInteger QLinearConv MaxPool AveragePool LpPool NhwcMaxPool QLinearAveragePool DeformConv
    ConvTranspose ConvTransposeWithDynamicPads Col2Im STFT
    """,
    "test_transfer_layout.py": "DepthToSpace SpaceToDepth Reshape Flatten Transpose Squeeze Unsqueeze MatMul Einsum",
    "test_transfer_indexing.py": "Slice Gather GatherND Pad CenterCropPad Split Concat",
    "test_transfer_resize.py": "Resize Upsample",
    "test_optimised.py": """
    QuantizeLinear ReorderOutput DynamicQuantizeMatMul MatMulIntegerToFloat MatMulNBits QAttention
    """,
}
"""Operators whose impulses other tests of this folder measure, by the file."""

GENERATES = "has no tensor of the network among its inputs, so that nothing of a grid can reach its output"
NOT_ON_CPU = "no onnxruntime runs it on a CPU"
LIKE = "gives other random numbers in every run, so that no change can be seen"
WITHOUT_IMPULSES = {
    **dict.fromkeys(["RandomNormal", "RandomUniform", "Range", "Constant", "MelWeightMatrix"], GENERATES),
    **dict.fromkeys(["HannWindow", "HammingWindow", "BlackmanWindow"], GENERATES),
    **dict.fromkeys(["GroupNorm", "SkipGroupNorm", "NhwcConv", "PackedMultiHeadAttention"], NOT_ON_CPU),
    **dict.fromkeys(["QLinearConvTranspose", "NhwcGlobalAveragePool"], NOT_ON_CPU),
    **dict.fromkeys(["RandomNormalLike", "RandomUniformLike"], LIKE),
    "AffineGrid": "its input is a matrix per picture, not a map",
    "GroupQueryAttention": "reads keys of earlier calls, so that one call says nothing of its places",
    "MatMulBnb4": "its weights are packed as those of MatMulNBits, and it is the same product",
    "NhwcFusedConv": "onnxruntime runs it in half precision on some processors only",
    "ReorderInput": "its blocks depend on the processor; only onnxruntime writes it, in front of its own convolutions",
}


def runs(recipe: Recipe) -> bool:
    try:
        session(recipe.model())
    except Exception:  # noqa: BLE001 - onnxruntime has no common error type
        return False
    return True


def test_every_operator_that_the_analysis_knows_has_its_impulses_measured_or_a_reason() -> None:
    elsewhere = {op: name for name, ops in ELSEWHERE.items() for op in ops.split()}
    assert set(TRANSFERS) == {*RECIPES, *elsewhere, *WITHOUT_IMPULSES}
    assert len(TRANSFERS) == len(RECIPES) + len(elsewhere) + len(WITHOUT_IMPULSES)
    missing = [op for op, name in elsewhere.items() if f'"{op}"' not in (HERE / name).read_text(encoding="utf-8")]
    assert not missing
    assert not [op for op in RECIPES if not any(op == made.op_type for made in RECIPES[op].nodes)]


@pytest.mark.parametrize("op", sorted(RECIPES))
def test_a_change_of_one_entry_reaches_what_the_analysis_says(op: str) -> None:
    recipe = RECIPES[op]
    found = audit(recipe.model())
    assert not found.untracked, found.untracked
    if recipe.reach is Reach.DATA:
        assert [plain.node.op.raw for plain in found.data_dependent] == [op]
        return
    if not runs(recipe):
        pytest.skip(f"this onnxruntime does not run {op}")
    assert not found.data_dependent
    for source, target in recipe.axes.items():
        ended = recipe.reach in (Reach.ENDED, Reach.NOTHING)
        matrix = reached(recipe, source, None if ended else target, seed=5)
        if recipe.reach is Reach.NOTHING:
            assert not matrix.any()
            assert "y" not in found.tensors or not any(found.tensors["y"])
            continue
        if recipe.reach is Reach.ENDED:
            assert matrix.any()
            assert not any(found.tensors["y"])
            continue
        lattice = found.tensors["y"][target]
        assert lattice is not None
        assert lattice.size == matrix.shape[0]
        for place in range(lattice.size):
            centre, reach = lattice.stride * place + lattice.offset, (lattice.receptive_field - 1) / 2
            inside = [abs(entry - centre) <= reach for entry in range(matrix.shape[1])]
            if recipe.reach is Reach.PLACE:
                assert np.array_equal(matrix[place], inside), (place, matrix[place], inside)
            else:
                assert matrix[place, int(centre)] or not matrix[place].any(), (place, matrix[place])
