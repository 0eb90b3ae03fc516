"""Whatever the audit accepts, a rewrite takes or refuses in one line: never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import onnx
import pytest

from auditor.onnxfile import ModelFileError, read_model
from auditor.rewrite.planning import plan, rewrite
from auditor.rewrite.recipe import recipe
from auditor.rewrite.result import Options, Phases, RewriteError, Step, Strategy
from auditor.sampling import analyse
from tests.rewrite.mutants import mutants
from tests.rewrite.networks import random_network

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


def attempt(model: onnx.ModelProto, folder: Path) -> None:
    """Plan, and rewrite with every strategy."""
    source = folder / "mutant.onnx"
    source.write_bytes(model.SerializeToString())
    try:
        read = read_model(source)
        analysis = analyse(read)
    except ModelFileError:
        return
    refused(lambda: recipe(read, analysis))
    for options in (Options(), Options(phases=Phases.ALL)):
        refused(partial(plan, read, analysis, options))
        for strategy in Strategy:
            refused(partial(rewrite, read, analysis, Step(strategy, options), folder / "fixed.onnx"))


def refused(call: Callable[[], object]) -> str | None:
    """What is said against the model, None where nothing is."""
    try:
        call()
    except RewriteError as error:
        return str(error)
    return None


@pytest.mark.parametrize("seed", range(6))
def test_no_fault_of_a_random_network_ends_in_a_traceback(seed: int, tmp_path: Path) -> None:
    for mutant in mutants(random_network(seed), seed, 15):
        attempt(mutant, tmp_path)


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not beside the checkout")
@pytest.mark.parametrize("case", sorted(CASES.glob("*.onnx")), ids=lambda path: path.stem)
def test_no_fault_of_a_case_ends_in_a_traceback(case: Path, tmp_path: Path) -> None:
    for mutant in mutants(onnx.load(case), 1, 4):
        attempt(mutant, tmp_path)
