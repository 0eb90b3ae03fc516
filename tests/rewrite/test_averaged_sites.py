"""What the analysis says of a network whose phases are averaged: the sites of the source, with less that folds."""

from __future__ import annotations

from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.onnxfile import read_model
from auditor.rewrite.result import Lowering, Options, Phases, Strategy
from auditor.sampling import analyse
from tests.rewrite.networks import fixed, random_network


@given(st.integers(0, 10_000), st.sampled_from(Phases), st.sampled_from([1, 2, 2, 3]))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_an_audit_of_the_result_finds_the_sites_of_the_source_and_no_copies(
    seed: int, phases: Phases, rank: int
) -> None:
    options = Options(phases=phases, lowering=Lowering.BATCH)
    with TemporaryDirectory() as folder:
        target, done, before = fixed(random_network(seed, rank), Path(folder), Strategy.PHASE_AVERAGE, options)
        if done.path is None:
            return
        after = analyse(read_model(target))
    assert [site.node.name for site in after.sites] == [site.node.name for site in before.sites]
    assert len(after.joins) == len(before.joins)
    averaged = {site.node.name.raw: site for site in after.sites if site.averaged is not None}
    assert averaged.keys() == {site.node.name.raw for site in done.sites}
    for site in done.sites:
        found, possible = averaged[site.node.name.raw], prod(int(step) for step in site.factor)
        halves = prod(2 for step in site.factor if step > 1)
        kept = {Phases.ALL: possible, Phases.HALVES: halves, Phases.DIAGONAL: 2}[phases]
        assert found.averaged == (kept, possible)
        assert (found.cumulative, found.offset) == (site.cumulative, site.offset)
        assert site.alias is not None
        assert found.alias is not None
        in_place = "position still matters" not in found.reason
        assert found.alias.flat <= site.alias.flat + 1e-9 or not in_place
        assert found.alias.flat == 0.0 or not in_place or kept < possible
