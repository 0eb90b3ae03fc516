"""The documentation site: it builds without a warning, its links lead somewhere, its formulas are the program's."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from auditor.onnxfile import read_model
from auditor.sampling import analyse
from auditor.sampling.spectrum import alias as spectra
from auditor.sampling.spectrum.expected import HIDDEN, PICTURE, POOLED, power_law_share
from auditor.sampling.walk.sites import PASSING
from scripts.docs_pages import links
from tests.docs.pages import DOCS, PAGES, ROOT, generated

THEORY = (DOCS / "theory.md").read_text(encoding="utf-8")


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    program = shutil.which("mkdocs", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("mkdocs is not installed: it comes with the extra `docs`")
    done = subprocess.run(
        [program, "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for page in ("index.html", "tutorial/index.html", "rules/aa101_strided_max_pool/index.html"):
        html = (tmp_path / page).read_text(encoding="utf-8")
        assert not re.search(r'<(?:script|link rel="stylesheet")[^>]+(?:src|href)="https?:', html)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_every_relative_link_leads_to_a_page_and_a_heading_that_exist(page: Path) -> None:
    made = generated()
    for target in links(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = Path(os.path.normpath(page.parent / path)) if path else page
        name = file.relative_to(DOCS).as_posix()
        text = made[name] if name in made else file.read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def test_every_page_is_in_the_navigation() -> None:
    listed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES:
        assert f" {page.relative_to(DOCS).as_posix()}\n" in listed


def test_the_first_page_leads_to_every_other() -> None:
    first = DOCS / "index.md"
    reached = {first.parent / target.partition("#")[0] for target in links(first.read_text(encoding="utf-8"))}
    assert {page for page in PAGES if page != first} <= reached


def test_every_rule_has_a_page_and_every_member_of_the_report_a_row() -> None:
    made = generated()
    rules = {path.name for path in (ROOT / "rules").glob("aa*.md")}
    assert {Path(name).name for name in made if name.startswith("rules/")} == rules | {"index.md"}
    for member in ("schema_version", "worst_alias_energy", "fingerprint", "cumulative", "verification"):
        assert f"| `{member}` |" in made["reference/report.md"]
    for key in ("fail-on", "per-model-ignore"):
        assert f"| `{key}` |" in made["reference/settings.md"]


def test_the_table_of_alias_energies_is_what_the_program_computes() -> None:
    def binomial(taps: int) -> spectra.Autocorrelation | None:
        row = np.array([math.comb(taps - 1, tap) for tap in range(taps)], float)
        return spectra.of_kernel(np.outer(row, row), (1, 1))

    def share(field: spectra.Autocorrelation | None, stride: int = 2) -> float:
        assert field is not None
        found = spectra.folded_share(field, (stride, stride))
        assert found is not None
        return found

    def then(first: spectra.Autocorrelation | None, second: spectra.Autocorrelation | None) -> float:
        assert first is not None
        assert second is not None
        return share(spectra.then(first, second))

    values = {
        "nothing: a slice": spectra.decimation((2, 2)),
        "max-pool 2x2 |": share(spectra.of_max_pool((2, 2))),
        "average-pool 2x2": share(spectra.of_average_pool((2, 2))),
        "max-pool 3x3": share(spectra.of_max_pool((3, 3))),
        "blur Tri-3": share(binomial(3)),
        "max-pool 2x2 at stride 1, then blur Tri-3": then(spectra.of_max_pool((2, 2)), binomial(3)),
        "blur Bin-5": share(binomial(5)),
        "max-pool 2x2 at stride 1, then blur Bin-5": then(spectra.of_max_pool((2, 2)), binomial(5)),
    }
    first = THEORY.partition("### One filter, one verdict")[0]
    for words, value in values.items():
        (row,) = [line for line in first.splitlines() if line.startswith(f"| {words}")]
        assert row.endswith(f"| {100 * value:.1f} % |")
    assert f"Tri-3 still lets {100 * share(binomial(3), 4):.1f} % fold" in THEORY
    assert f"at most {100 * PASSING:.1f} % of a flat spectrum" in THEORY


def test_the_table_of_one_verdict_is_what_the_program_computes() -> None:
    def along(field: spectra.Autocorrelation | None) -> float:
        assert field is not None
        shares = spectra.folded_shares(field, (2,) * field.lags.ndim)
        assert shares is not None
        return shares[0]

    def row(words: str) -> str:
        (line,) = [line for line in THEORY.splitlines() if line.startswith(f"| {words}")]
        return line

    for taps in (2, 3):
        one, two, three = (100 * along(spectra.of_max_pool((taps,) * d)) for d in (1, 2, 3))
        assert f"| {one:.1f}, {two:.1f} and {three:.1f} % | does not |" in row(f"maximum over {taps}")
    for words, taps, verdict in (("blur Tri-3, average over 3", 3, "passes"), ("blur Rect-2", 2, "does not")):
        for d in (1, 2, 3):
            share = along(spectra.of_average_pool((taps,) * d))
            assert f"| {100 * share:.1f} % | {verdict} |" in row(words)
            assert (share <= PASSING) == (verdict == "passes")


def test_the_table_of_expected_alias_energies_is_what_the_program_computes() -> None:
    row = np.array([1, 2, 1], float)
    fields = {
        "nothing": spectra.white(2),
        "average-pool 2x2": spectra.of_average_pool((2, 2)),
        "blur Tri-3": spectra.of_kernel(np.outer(row, row), (1, 1)),
        "box 3x3": spectra.of_average_pool((3, 3)),
    }

    def values(words: str) -> list[float]:
        field = fields[words]
        assert field is not None
        maps = [(224, PICTURE), *((side, HIDDEN) for side in (112, 56, 28, 14, 8))]
        return [100 * (power_law_share(field, (2, 2), *size) or 0.0) for size in maps]

    table = {words: values(words) for words in ("nothing", "average-pool 2x2", "blur Tri-3")}
    for words, box in (("max-pool 2x2", "average-pool 2x2"), ("max-pool 3x3", "box 3x3")):
        pairs = zip(values(box), table["nothing"], strict=True)
        table[words] = [POOLED * average + (1 - POOLED) * bare for average, bare in pairs]
    section = THEORY.partition("### How much is expected to fold")[2]
    for words, shares in table.items():
        (line,) = [line for line in section.splitlines() if line.startswith(f"| {words} |")]
        assert line.endswith("| " + " | ".join(f"{share:.1f} %" for share in shares) + " |")


def test_the_formula_for_max_pools_is_the_covariance_of_maxima_of_noise() -> None:
    noise = np.random.default_rng(0).random((400_000, 6))
    first, second = noise[:, :4].max(axis=1), noise[:, 2:].max(axis=1)  # windows of 4 that share 2
    n, m = 4, 2
    assert np.cov(first, second)[0, 1] == pytest.approx(m / ((n + 1) ** 2 * (2 * n - m + 2)), rel=0.02)


def test_the_recurrences_for_the_lattice_are_what_the_analysis_finds(tmp_path: Path) -> None:
    layers = [(3, 2, 1, 1), (5, 1, 2, 3), (2, 2, 1, 0), (3, 3, 2, 2)]  # kernel, stride, dilation, padding in front
    stride, offset, field = Fraction(1), Fraction(0), Fraction(1)
    nodes, weights = [], []
    for index, (k, s, d, p) in enumerate(layers):
        offset += stride * (Fraction(d * (k - 1), 2) - p)
        field += stride * d * (k - 1)
        stride *= s
        weights.append(helper.make_tensor(f"w{index}", TensorProto.FLOAT, [1, 1, k, k], [1.0] * k * k))
        node = helper.make_node("Conv", [f"x{index}", f"w{index}"], [f"x{index + 1}"])
        for name, value in (("strides", [s, s]), ("dilations", [d, d]), ("pads", [p] * 4)):
            node.attribute.append(helper.make_attribute(name, value))
        nodes.append(node)
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "chain",
        [tensor("x0", TensorProto.FLOAT, [1, 1, 160, 160])],
        [tensor(f"x{len(layers)}", TensorProto.FLOAT, None)],
        weights,
    )
    path = tmp_path / "chain.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    last = analyse(read_model(path)).sites[-1]
    assert (last.cumulative[0], last.offset[0], last.receptive_field[0]) == (stride, offset, field)


def test_the_signal_of_the_theory_page_is_pooled_as_it_says() -> None:
    signal = np.array([0, 0, 1, 1, 0, 0, 1, 1])

    def pooled(shift: int) -> str:
        return " ".join(map(str, np.roll(signal, -shift).reshape(-1, 2).max(axis=1)))

    assert f"`{' '.join(map(str, signal))}`" in THEORY
    assert pooled(0) == "0 1 0 1"
    assert pooled(1) == "1 1 1 1"
    assert pooled(2) == "1 0 1 0"
    assert f"gives `{pooled(0)}`" in THEORY
    assert f"gives `{pooled(1)}`" in THEORY


def test_the_share_of_variance_that_a_blur_keeps_is_the_one_of_the_theory_page() -> None:
    for name, taps, words in (("Tri-3", 3, "keeps 14 %"), ("Bin-5", 5, "Bin-5 7.5 %")):
        row = np.array([math.comb(taps - 1, tap) for tap in range(taps)], float)
        kept = float((np.outer(row, row) ** 2).sum() / row.sum() ** 4)
        assert words in THEORY, name
        assert f"{100 * kept:.2g} %" in words


@pytest.mark.parametrize("page", ["aa101_strided_max_pool", "aa102_strided_conv"])
def test_what_a_rule_page_says_of_fixes_is_what_the_ablation_measured(page: str) -> None:
    ablation = (DOCS / "ablation.md").read_text(encoding="utf-8")
    words = " ".join((ROOT / "rules" / f"{page}.md").read_text(encoding="utf-8").split())

    def row(model: str, rewrite: str) -> list[str]:
        below = ablation.partition(f"### {model} (")[2]
        line = next(line for line in below.splitlines() if line.startswith(f"| {rewrite} |"))
        return [re.sub(r"\*| \[.*", "", cell).strip().lstrip("-+x") for cell in line.split("|")[2:-1]]

    squeezenet, mobilenet = (row(model, "blur Tri-3") for model in ("SqueezeNet 1.0", "MobileNetV2 1.0"))
    took = f"took {squeezenet[3]} points of top-1 accuracy from SqueezeNet 1.0 and {mobilenet[3]} from MobileNetV2 1.0"
    assert f"{took}, and {squeezenet[0]} and {mobilenet[0]} points of consistency" in words
    first, second = (
        row(model, "phase average, diagonal, last site") for model in ("SqueezeNet 1.0", "MobileNetV2 1.0")
    )
    assert f"scores moved {first[1]} and {second[1]} less (MAC)" in words
    assert f"took {first[5]} and {second[5]} times the time" in words
