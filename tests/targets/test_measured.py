"""What ``check --target`` says of each measured form is what was measured of it, for every runtime."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

import auditor
from auditor.policy.settings import Settings

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "targets"
TARGETS = {
    "openvino": "openvino",
    "ort-openvino-ep": "onnxruntime-openvino",
    "opencv-new": "opencv",
    "opencv-classic": "opencv-classic",
    "tract": "tract",
    "mnn": "mnn",
    "ncnn": "ncnn",
    "tvm": "tvm",
    "tflite": "tflite",
    "iree": "iree",
    "ort-web": "web",
    "ort-1.24": "onnxruntime==1.24",
}
CODES = {
    "same": set[str](),
    "runs": {"AA601"},  # where onnxruntime refuses: the attribute that it refuses is left out
    "ignored": {"AA601"},
    "differs": {"AA602"},
    "wrong-shape": {"AA602"},
    "refused": {"AA603"},
}
# A whole model that fails, though none of its forms does alone.
ONLY_TOGETHER = {
    ("fix_phase_select_dyn", "ort-openvino-ep"),
    ("fix_phase_select_fixed", "ort-openvino-ep"),
    ("p_fix_phase_select_dyn__concat", "opencv-classic"),  # GatherND of an open batch
    ("p_avg_k3s2p1_ceil_cip1__convmul", "opencv-classic"),  # padding behind as wide as the kernel
    ("p_max_k2s1_dil2__crops", "ncnn"),  # the second of two crops
    ("p_max_k3s1_dil2__crops", "ncnn"),
    ("p_s2d__reshape", "ncnn"),  # Reshape to rank 6 and back
    ("p_slice_dyn_start__masked", "ncnn"),  # ArgMax and Mod on data
    ("p_slice_dyn_start__onehot", "ncnn"),
}
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases/targets beside the checkout")


def measured() -> dict[str, dict[str, str]]:
    """The verdict per model and runtime."""
    table: dict[str, dict[str, str]] = defaultdict(dict)
    if CASES.is_dir():
        for line in (CASES / "measured.tsv").read_text(encoding="utf-8").splitlines()[1:]:
            model, runtime, verdict = line.split("\t")[:3]
            table[model][runtime] = verdict
    return table


def codes(path: Path) -> dict[str, set[str]]:
    """The rules that speak about a model, by target."""
    report = auditor.check(path, settings=Settings(targets=tuple(TARGETS.values())))
    found: dict[str, set[str]] = defaultdict(set)
    for finding in report.findings:
        if finding.rule.startswith("AA6"):
            found[str(finding.numbers["target"])].add(finding.rule)
    return found


def agrees(said: set[str], verdict: str) -> bool:
    """A model that is refused may hold another form that the runtime would compute otherwise."""
    return "AA603" in said if verdict == "refused" else said == CODES[verdict]


@pytest.mark.parametrize(("model", "verdicts"), [pytest.param(*item, id=item[0]) for item in measured().items()])
def test_each_form_is_judged_as_it_was_measured(model: str, verdicts: dict[str, str]) -> None:
    said = codes(CASES / model)
    wrong = {
        runtime: (verdict, said[TARGETS[runtime].partition("=")[0]])
        for runtime, verdict in verdicts.items()
        if (Path(model).stem, runtime) not in ONLY_TOGETHER
        and not agrees(said[TARGETS[runtime].partition("=")[0]], verdict)
    }
    assert wrong == {}
