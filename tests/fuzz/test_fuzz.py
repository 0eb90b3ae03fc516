"""Every command that takes a file keeps its promises on faulty ones: one line, a documented exit code, nothing left.

``ALIASAUDIT_MUTANTS`` sets how many mutants are tried in all, and ``ALIASAUDIT_SEED`` the first seed: the nightly run
tries others every night. A failure names what runs its mutant again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.corpus import build, models
from tests.fuzz.run import Case, Corpus, run_case
from tests.fuzz.targets import TARGETS, Target

MUTANTS = int(os.environ.get("ALIASAUDIT_MUTANTS", "2000"))
SEED = int(os.environ.get("ALIASAUDIT_SEED", "0"))
# A case that runs a model takes as long as fifty others, most of it the start of the process that runs it; such a start
# is the same in all of them, so that fewer do.
_MEASURED = 100
_REWRITES = 2  # a rewrite analyses the model twice and writes it


def _share(target: Target) -> float:
    if target.measures:
        return 1 / _MEASURED
    return 1 / _REWRITES if target.name.startswith("fix-") else 1.0


_SHARES = {target.name: _share(target) for target in TARGETS.values()}


def count_of(target: Target) -> int:
    """How many of the mutants are for this command."""
    return max(1, round(MUTANTS * _SHARES[target.name] / sum(_SHARES.values())))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    build(folder)
    return Corpus(folder, tuple(models(shared=False)))


@pytest.mark.parametrize("name", TARGETS)
def test_no_mutant_breaks_a_promise(corpus: Corpus, tmp_path: Path, name: str) -> None:
    target = TARGETS[name]
    broken = {}
    for seed in range(SEED, SEED + count_of(target)):
        case = Case(target, seed)
        verdict = run_case(case, corpus, tmp_path / str(seed))
        if verdict.faults:
            broken[case.command] = (verdict.faults, " ".join(verdict.line), verdict.err)
    assert broken == {}


def test_so_many_mutants_are_tried() -> None:
    assert sum(map(count_of, TARGETS.values())) >= 0.98 * MUTANTS


def test_the_search_that_coverage_leads_begins_from_a_folder_of_its_own(tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        pytest.skip("atheris is not installed: it is not part of the extra `dev`")
    program = Path(__file__).parent / "atheris_models.py"
    command = [sys.executable, str(program), str(tmp_path), "-runs=50"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
