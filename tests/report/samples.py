"""Hand-built reports that the tests of the formats share."""

from __future__ import annotations

from fractions import Fraction

from auditor.facts.finding import Finding, Severity
from auditor.facts.report import InputReport, ModelReport, Problem, ProblemKind, Report, worst_first
from auditor.onnxfile.noderef import NodeRef, Origin
from auditor.sampling.result import (
    AliasBasis,
    AliasEnergy,
    Analysis,
    Head,
    HeadKind,
    MisalignedJoin,
    Site,
    SiteKind,
    SourceAxis,
    Untracked,
)
from auditor.text import ModelText


def node(name: str, op: str, order: int, origin: Origin | None = None, output: str = "") -> NodeRef:
    return NodeRef(
        ModelText(name), ModelText(op), ModelText(""), ModelText(output or f"{name}_output_0"), order, origin
    )


def site(
    ref: NodeRef,
    kind: SiteKind,
    factor: int,
    cumulative: int,
    kernel: int,
    alias: AliasEnergy | None,
    reason: str = "",
    skipped: Fraction = Fraction(0),
) -> Site:
    return Site(
        node=ref,
        kind=kind,
        input=ModelText("data"),
        output=ref.output,
        sources=(0, 1),
        factor=(Fraction(factor),) * 2,
        cumulative=(Fraction(cumulative),) * 2,
        offset=(Fraction(1, 2), Fraction(1, 3)),
        receptive_field=(Fraction(kernel),) * 2,
        kernel=(kernel, kernel),
        stride=(factor, factor),
        dilation=(1, 1),
        groups=1,
        alias=alias,
        antialiased=bool(reason),
        reason=reason,
        skipped=skipped,
        reads_input=cumulative == factor,
    )


def energy(flat: float, expected: float | None = None, basis: AliasBasis = AliasBasis.WEIGHTS) -> AliasEnergy:
    along = 1 - (1 - flat) ** 0.5
    missing = "" if expected is not None else "the size of its map is not known"
    return AliasEnergy(flat, min(1.0, flat * 1.5), basis, (along, along), expected, missing)


def analysis(*sites: Site, joins: tuple[MisalignedJoin, ...] = (), untracked: tuple[Untracked, ...] = ()) -> Analysis:
    total = max((value for item in sites for value in item.cumulative if value is not None), default=Fraction(1))
    return Analysis(
        sources=(SourceAxis(ModelText("data"), 2, 224, True), SourceAxis(ModelText("data"), 3, 224, True)),
        spatial=frozenset({0, 1}),
        sites=sites,
        upsamplings=(),
        joins=joins,
        heads=(Head(ModelText("logits"), HeadKind.POOLED, total, {0: total, 1: total}, (), None),),
        untracked=untracked,
        data_dependent=(),
        paddings=(),
        encodings=(),
        tensors={},
        nodes=123,
        tracked_nodes=120,
    )


def model_report(found: Analysis, findings: tuple[Finding, ...] = (), path: str = "models/small.onnx") -> ModelReport:
    return ModelReport(
        path=path,
        file_bytes=102_400,
        ir_version=8,
        opsets={"ai.onnx": 17, "com.microsoft": 1},
        producer=ModelText("pytorch 2.9.0"),
        inputs=(
            InputReport(
                ModelText("data"), (ModelText("N"), 3, ModelText("H"), ModelText("W")), (None, 3, 224, 224), (2, 3)
            ),
        ),
        analysis=found,
        findings=tuple(sorted(findings, key=worst_first)),
    )


def residual_network() -> Report:
    """A small network with a site of each verdict, findings of each severity, and one model that could not be read."""
    origin = Origin(ModelText("net.stem.pool"), ModelText("net.py:42"))
    stem, pool = node("/stem/conv/Conv", "Conv", 0), node("/stem/pool/MaxPool", "MaxPool", 2, origin)
    down, blur = node("/layer2/downsample/Conv", "Conv", 9), node("/layer3/blur/Conv", "Conv", 15)
    grid, custom = node("", "SpaceToDepth", 20, output="packed"), node("/head/Custom", "com.acme::Warp", 24)
    add = node("/layer2/Add", "Add", 11)
    found = analysis(
        site(stem, SiteKind.CONV, 2, 2, 7, energy(0.2512, 0.0434)),
        site(pool, SiteKind.MAX_POOL, 2, 4, 3, energy(0.75, 0.299, AliasBasis.DECIMATION)),
        site(down, SiteKind.CONV, 2, 8, 1, energy(0.75, 0.324), skipped=Fraction(3, 4)),
        site(blur, SiteKind.CONV, 2, 16, 3, energy(0.0912), "low-pass kernel 1 2 1 (Tri-3) in front of the stride"),
        site(grid, SiteKind.PHASE_TO_CHANNEL, 2, 32, 2, None),
        joins=(
            MisalignedJoin(
                add,
                0,
                (Fraction(8), Fraction(8)),
                (Fraction(3, 2), Fraction(2)),
                Fraction(1, 2),
                (ModelText("a"), ModelText("b")),
            ),
        ),
        untracked=(Untracked(custom, ModelText("warped"), "no sampling rule for this operator", 4, 1),),
    )
    advice = "Put a low-pass in front of the subsampling, and retrain."
    findings = (
        Finding(
            "AA205", "untracked-region", Severity.NOTE, "The analysis ends here: 4 nodes are hidden.", "", custom,
            numbers={"hidden_nodes": 4}, fingerprint="00000000000000aa:0",
        ),
        Finding(
            "AA101", "strided-max-pool", Severity.ERROR, "Max-pooling 3x3 with stride 2: 75 % of the power folds.",
            advice, pool, numbers={"alias_energy": 0.75, "factor": 2}, fingerprint="00000000000000bb:0",
        ),
        Finding(
            "AA102", "strided-conv", Severity.WARNING, "A convolution 7x7 with stride 2: 25 % of the power folds.",
            advice, stem, numbers={"alias_energy": 0.2512}, fingerprint="00000000000000cc:0",
        ),
        Finding(
            "AA102", "strided-conv", Severity.WARNING, "A convolution 1x1 with stride 2: 75 % of the power folds.",
            advice, down, (add,), {"alias_energy": 0.75}, "00000000000000cc:1",
        ),
    )  # fmt: skip
    return Report(
        version="0.1.0",
        models=(model_report(found, findings),),
        problems=(Problem(ProblemKind.UNREADABLE, "the file is empty", "models/empty.onnx", "empty"),),
    )


def clean_network() -> Report:
    found = analysis(site(node("/blur/Conv", "Conv", 3), SiteKind.CONV, 2, 2, 3, energy(0.09), "binomial low-pass"))
    return Report("0.1.0", (model_report(found),))
