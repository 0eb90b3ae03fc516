"""The count of repairable sites that an audit ends with is held to the plan that it stands for."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from msgspec.structs import replace

from auditor.onnxfile import ModelFileError, read_model
from auditor.onnxfile.graph import Model
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.planning import plan
from auditor.rewrite.result import Options, RewriteError, Strategy
from auditor.rewrite.strategy import AtSites
from auditor.rewrite.table import declared
from auditor.sampling import analyse
from auditor.sampling.result import Analysis, Site
from auditor.sampling.rewritable import rewritable
from tests.rewrite.networks import random_network
from tests.shipped import quick_models


def assert_left_out_rightly(model: Model) -> Analysis:
    analysis = analyse(model)
    counted = [site.node.order for site in rewritable(analysis)]
    left_out = tuple(site for site in analysis.sites if site.unprotected and site.node.order not in counted)
    if left_out:
        entries = plan(model, replace(analysis, sites=left_out)).sites
        assert not any(entry.offers or entry.merges for entry in entries)
    return analysis


def applies(editor: GraphEditor, site: Site) -> bool:
    ways = (declared(Strategy.BLUR), declared(Strategy.PHASE_AVERAGE))
    return any(isinstance(way, AtSites) and way.applied.refusal(editor, site, Options()) is None for way in ways)


@pytest.mark.parametrize("path", quick_models())
def test_a_plan_offers_nothing_at_a_site_left_out_of_the_count_and_something_at_every_other(path: Path) -> None:
    try:
        model = read_model(path)
        analysis = assert_left_out_rightly(model)
        editor = GraphEditor(model, analysis)
    except (ModelFileError, RewriteError) as error:
        pytest.skip(f"nothing of it is rewritten: {error}")
    # Files made to be refused, and one whose blurs would be too long: the count is an upper bound there.
    if "hostile" not in path.parts and path.name != "basic_pitch_nmp.onnx":
        assert [site.node.name.raw for site in rewritable(analysis) if not applies(editor, site)] == []


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_plan_offers_nothing_at_sites_of_random_networks_that_are_left_out(rank: int, tmp_path: Path) -> None:
    for seed in range(40):
        onnx.save(random_network(seed, rank), tmp_path / "model.onnx")
        assert_left_out_rightly(read_model(tmp_path / "model.onnx"))
