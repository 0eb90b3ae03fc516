"""Names that attack whatever shows them, and a report in which everything that a file or a folder can name is one."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st
from msgspec.structs import replace

from auditor.facts.comparison import Comparison, Kept, MeasuredChange, OutputChange, TypicalRatio
from auditor.facts.finding import Finding, Severity
from auditor.facts.report import Accepted, AcceptedBy, Problem, ProblemKind, Report, RuleInfo
from auditor.onnxfile.noderef import NodeRef, Origin
from auditor.sampling.result import Site, SiteKind
from auditor.text import ModelText
from auditor.verify.interval import Interval
from auditor.verify.layers.maps import EquivarianceMap
from auditor.verify.layers.result import LayerResult
from auditor.verify.result import (
    Curve,
    CurvePoint,
    DataFacts,
    DataKind,
    ImageResult,
    Measure,
    OutputResult,
    ProtocolKind,
    Provider,
    Rejected,
    Shifts,
    Task,
    Verification,
)
from auditor.verify.self_test import SelfTest
from auditor.verify.verdict import Condition, Verdict
from tests.report.samples import analysis, energy, model_report, site

# The attacks of every target that a report can end up in.
PIECES = (
    "::set-output name=passed::true", "::add-mask::a", "::stop-commands::x", "\n::error::forged\n", "\r::debug::x",
    "##[add-mask]a", "##[error]x", "###[[", "\x1b[2J", "\x1b]8;;https://evil.example\x07", "\x9b31m", "\x07", "\x00",
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "' onclick='x",
    "<!--", "-->", "]]>", "<![CDATA[",
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>", "&e;", "&#60;script&#62;",
    "javascript:alert(1)", "</style>", "</svg>", "</title>", "</details>", "</textarea>",
    "`", "``", "```", "\n```\n", "|", "\\|", "\\", "\\`", "| a | b |", "[click](https://evil.example)", "![x](//evil)",
    "@everyone", "#1", "**bold**", "# heading", "$x$", "~~x~~", "{0}", "{{7*7}}", "${{ secrets.TOKEN }}", "%0A", "%25",
    "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\u2029", "\x85", "\ufffe", "\uffff", "\ud800", "\udc80",
    "\U000e0041",
    "=cmd|' /C calc'!A0", "../../etc/passwd", "//evil.example/x", "C:/x", " ", "", "\t", "e\u0301", "大きさ",
)  # fmt: skip
NAMES = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)

# One name with everything, and one that is long.
WORST = "".join(PIECES)
LONG = WORST * 500  # about 400 000 characters


def verification(name: str) -> Verification:
    """A measurement with a curve, an equivariance map and an image, named so."""
    word = ModelText(name)
    span = Interval(0.9, 0.96)
    curve = Curve("consistency", tuple(CurvePoint(float(d), 1 - d / 100, span if d else None, 100) for d in (0, 1, 8)))
    grid = EquivarianceMap((0, 1), (0, 1), ((1.0, 0.9), (0.8, 0.7)), ((0.0, 0.1), (0.2, float("nan"))))
    ref = NodeRef(word, word, word, word, 0)
    return Verification(
        provider=Provider("cpu", "CPUExecutionProvider", (("CPUExecutionProvider", 3),), (), "1.31.0", 2),
        data=DataFacts(DataKind.FOLDER, (word,), (Rejected(word, "is no image"),), 0, "ab" * 32),
        shifts=Shifts(ProtocolKind.CROP, (64, 64), (32, 32), 8, 30, 25, False, 0),
        outputs=(
            OutputResult(
                word,
                Task.CLASSIFICATION,
                (Measure("consistency", 0.931, span, "share", True, (0.931,)),),
                (curve,),
                (ImageResult(word, None, 3, 0.9, 0.07, (0.9, 0.8), (1.0, 2.0), 0.5),),
                ((3, 1),),
            ),
        ),
        layers=(LayerResult(word, ref, 0, (2.0, 2.0), 0.8, 0.15, 0.15, grid, 0.4, 0.75, None, None),),
        self_test=SelfTest(True, 1.0, 0.0),
        incomplete="",
        preprocessing="imagenet",
        shared_batch=8,
        runs=25,
        naive_runs=30,
        seconds=1.0,
        external=((word, "cd" * 32),),
    )


def comparison(name: str, finding: Finding, place: Site) -> Comparison:
    """What changed since a base, with a verdict of each kind."""
    word = ModelText(name)
    worse = Kept(replace(finding, severity=Severity.NOTE, fingerprint="aa:0"), finding, "name")
    changes = [
        MeasuredChange("consistency", word, "share", True, 0.93, 0.90, -0.03, Interval(-0.05, -0.01), 100, (
            Condition("max-absolute-drop", 0.01, Verdict.FAIL), Condition("min", 0.8, Verdict.PASS))),
        MeasuredChange("mac", word, "probability", False, 0.02, 0.03, 0.01, None, 3, (
            Condition("max-absolute-drop", 0.01, Verdict.INCONCLUSIVE, 400, 800, 1.0, Verdict.PASS, 0.04),),
            None, 0.125),
        MeasuredChange("centre-jitter", word, "px", False, 0.2, float("nan"), 0.1, None, 3, (), TypicalRatio(
            1.12, Interval(1.03, 1.22), 4.5, float("nan"))),
    ]  # fmt: skip
    return Comparison(
        base=name,
        added=(finding,),
        fixed=(replace(finding, fingerprint="ac:0"),),
        kept=(worse, Kept(finding, finding, "fingerprint")),
        new_sites=(place,),
        removed_sites=(place,),
        kept_sites=3,
        outputs=(OutputChange(word, word, Fraction(1), Fraction(2)), OutputChange(None, word, None, Fraction(4, 3))),
        before=Fraction(1),
        after=Fraction(2),
        measured=tuple(changes),
        remarks=("3 images are few.",),
        base_verification=replace(verification(name), seconds=0.0),
    )


def evil_report(name: str) -> Report:
    """A report in which everything that a model file, an exporter or a folder can name is ``name``."""
    word = ModelText(name)
    node = NodeRef(word, word, word, word, 0, Origin(word, word))
    found = analysis(site(node, SiteKind.MAX_POOL, 2, 2, 3, energy(0.75)))
    sources = tuple(replace(source, input=word) for source in found.sources)
    found = replace(found, sources=sources, heads=(replace(found.heads[0], output=word, cause=node),))
    finding = Finding(
        "AA101",
        "strided-max-pool",
        Severity.ERROR,
        "A max-pool.",
        "Blur.",
        node,
        (node,),
        {"alias_energy": 0.75},
        "ab:0",
    )
    waived = Accepted(replace(finding, fingerprint="ab:1"), AcceptedBy.WAIVER, name, name, "2027-01-01")
    model = model_report(found, (finding,), path=name)
    given_input = replace(model.inputs[0], name=word, dims=(word, 3, word, word))
    model = replace(model, producer=word, inputs=(given_input,), opsets={name: 1, "ai.onnx": 17}, accepted=(waived,))
    model = replace(model, verification=verification(name), comparison=comparison(name, finding, found.sites[0]))
    rules = (RuleInfo("AA101", "strided-max-pool", "A max-pool.", (Severity.ERROR,), "# AA101 strided-max-pool\n"),)
    return Report("0.1.0", (model,), (Problem(ProblemKind.UNREADABLE, "is empty", name),), {}, rules)
