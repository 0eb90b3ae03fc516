"""One table of operator traits: the analysis and the rewrites agree on every operator of it."""

from __future__ import annotations

import pytest

from auditor.sampling.ops import TRANSFERS
from auditor.sampling.traits import OPERATORS, UNKNOWN, Family, traits_of


@pytest.mark.parametrize("op", OPERATORS)
def test_the_analysis_knows_every_operator_of_the_table(op: str) -> None:
    assert op in TRANSFERS


@pytest.mark.parametrize("op", ["Gelu", "QuickGelu", "FastGelu", "BiasGelu", "HardSwish", "Mish"])
def test_an_activation_is_one_for_the_analysis_and_for_every_rewrite(op: str) -> None:
    traits = traits_of("com.microsoft" if op.endswith("kGelu") else "", op)
    assert traits.family is Family.ACTIVATION
    assert traits.pointwise
    assert traits.by_picture
    assert not traits.affine
    assert not traits.retyped


def test_an_operator_of_a_foreign_domain_has_no_traits_whatever_its_name() -> None:
    assert traits_of("nobody.knows", "Relu") is UNKNOWN
    assert traits_of("", "Einsum") is UNKNOWN


@pytest.mark.parametrize("op", ["CumSum", "Trilu", "ReverseSequence", "Hardmax", "Softmax", "Bernoulli"])
def test_what_reads_other_samples_or_is_random_is_never_taken_for_a_function_of_each_picture_alone(op: str) -> None:
    assert not traits_of("", op).by_picture
