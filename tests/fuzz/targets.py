"""Every command that takes a file, and which of its files is the mutant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from auditor.rewrite.strategies import NAMES
from tests.fuzz.corpus import FAST, SEARCH
from tests.fuzz.documents import mutated_json, mutated_lines, mutated_shard, mutated_state
from tests.fuzz.messages import faulty_bytes
from tests.fuzz.models import mutated_model
from tests.fuzz.pictures import mutated_picture

Mutate = Callable[[bytes, Random], bytes]
_FIX = ("fix", "mutant.onnx", "-o", "fixed.onnx", "--isolated")
_COMMON = ("--images", "noise.npz", "--preset", "unit", "--device", "cpu")
_SHORT = ("verify", "net.onnx", "--device", "cpu", "--threads", "1", "--radius", "2", "--shifts", "1", "--layers", "0")

READ = "read"
"""Not a command: the images are decoded and nothing is run, so that many can be tried."""


@dataclass(frozen=True, slots=True)
class Target:
    """A command under test.

    ``mutant`` is the file that is mutated, ``beside`` are whole ones that the command takes, too, and ``outputs`` the
    files that it may leave. ``lines`` are the command lines, of which the seed takes one. ``measures``: a model is run,
    so that one case takes about a second. ``shown``: a refusal names one of these instead of the mutant.
    """

    name: str
    mutant: str
    mutate: Mutate
    lines: tuple[tuple[str, ...], ...]
    beside: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    measures: bool = False
    shown: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()  # of the mutant; models have a corpus of their own

    @property
    def is_model(self) -> bool:
        return not self.origins


def _strategy(name: str) -> Target:
    plain = (*_FIX, "--strategy", name)
    lines = (plain, (*plain, "--output-format", "json"), (*plain, "--diff"), (*plain, "--inline"))
    more = {
        "blur": (("--kernel", "bin5", "--where", "pre"), ("--lambda", "0.5"), ("--padding", "reflect")),
        "phase-average": (("--phases", "all"), ("--lowering", "dilation")),
        "window-average": (("--phases", "all"),),
        "input-average": (("--phases", "all"),),
    }.get(name, ())
    return Target(
        f"fix-{name}",
        "mutant.onnx",
        mutated_model,
        (*lines, (*plain, "--portable"), *((*plain, *words) for words in more)),
        outputs=("fixed.onnx",),
    )


def _formats(*words: str) -> tuple[tuple[str, ...], ...]:
    """The command with every kind of report."""
    formats = ("text", "json", "html", "markdown", "sarif", "github", "gitlab", "junit")
    return (words, *((*words, "--output-format", name) for name in formats[1:]))


_MODELS = (
    Target(
        "check",
        "mutant.onnx",
        mutated_model,
        (
            *_formats("check", "mutant.onnx", "--isolated", "--fail-on", "never"),
            ("check", "mutant.onnx", "--isolated", "--target", "openvino,tensorrt>=10", "--verbose"),
            ("check", "mutant.onnx", "--isolated", "--report", "netron=n.json", "--report", "explorer=e.json"),
            ("check", "mutant.onnx", "--isolated", "--name-nodes", "named.onnx"),
        ),
        outputs=("n.json", "e.json", "named.onnx"),
        shown=("named.onnx",),
    ),
    *(_strategy(name) for name in NAMES),
    Target(
        "fix",
        "mutant.onnx",
        mutated_model,
        (
            ("fix", "mutant.onnx", "--isolated", "--plan"),
            ("fix", "mutant.onnx", "--isolated", "--plan", "--output-format", "json"),
            ("fix", "mutant.onnx", "--isolated", "--recipe"),
            (*_FIX, "--unsafe-fixes"),
            (*_FIX, "--portable"),
            (*_FIX, "--portable", "--target", "tensorrt,openvino"),
            ("fix", "mutant.onnx", "--isolated", "--portable", "--plan"),
        ),
        outputs=("fixed.onnx",),
    ),
    Target(
        "compare",
        "mutant.onnx",
        mutated_model,
        (
            *_formats("compare", "mutant.onnx", "net.onnx", "--isolated"),
            *_formats("compare", "net.onnx", "mutant.onnx", "--isolated"),
        ),
        beside=("net.onnx",),
    ),
    Target(
        "tiles",
        "mutant.onnx",
        mutated_model,
        (
            ("tiles", "mutant.onnx", "--isolated"),
            ("tiles", "mutant.onnx", "--isolated", "--output-format", "json"),
            ("tiles", "mutant.onnx", "--isolated", "--output-format", "markdown"),
            ("tiles", "mutant.onnx", "--isolated", "--tile", "64"),
        ),
        shown=("--tile:",),
    ),
    Target(
        "anonymise", "mutant.onnx", mutated_model, (("anonymise", "mutant.onnx", "-o", "s.onnx"),), outputs=("s.onnx",)
    ),
    Target(
        "baseline-write",
        "mutant.onnx",
        mutated_model,
        (("baseline", "write", "mutant.onnx", "--isolated", "--baseline", "b.json"),),
        outputs=("b.json",),
    ),
    Target(
        "verify",
        "mutant.onnx",
        mutated_model,
        (
            ("verify", "mutant.onnx", *FAST),
            ("verify", "mutant.onnx", *FAST, "--layers", "1", "--output-format", "json"),
            ("verify", "mutant.onnx", *FAST, "--protocol", "roll,noise"),
            ("verify", "mutant.onnx", *FAST, "--shard", "1/2", "-o", "s.json"),
        ),
        beside=("noise.npz",),
        outputs=("s.json",),
        measures=True,
    ),
    Target(
        "fix-auto",
        "mutant.onnx",
        mutated_model,
        (
            (*_FIX, *_COMMON, "--strategy", "auto"),
            (*_FIX, *_COMMON, "--strategy", "blur", "--verify"),
            (*_FIX, *_COMMON, "--strategy", "window-average", "--merge", "auto"),
            (*_FIX, *_COMMON, "--strategy", "blur", "--calibrate", "noise.npz"),
        ),
        beside=("noise.npz",),
        outputs=("fixed.onnx",),
        measures=True,
    ),
    Target(
        "compare-verify",
        "mutant.onnx",
        mutated_model,
        (
            ("compare", "net.onnx", "mutant.onnx", "--isolated", "--verify", *_COMMON),
            ("compare", "mutant.onnx", "net.onnx", "--isolated", "--verify", *_COMMON),
        ),
        beside=("net.onnx", "noise.npz"),
        measures=True,
    ),
    Target(
        "tiles-verify",
        "mutant.onnx",
        mutated_model,
        (("tiles", "mutant.onnx", "--isolated", "--verify", *_COMMON),),
        beside=("noise.npz",),
        measures=True,
    ),
    Target(
        "resize",
        "mutant.onnx",
        mutated_model,
        (("resize", "mutant.onnx", "--isolated", *_COMMON, "--kernels", "cv2-linear,pil-bilinear"),),
        beside=("noise.npz",),
        measures=True,
    ),
)
_DOCUMENTS = (
    Target(
        "report",
        "mutant.json",
        mutated_json,
        _formats("report", "mutant.json"),
        origins=("report.json", "measured.json", "compared.json", "resized.json", "tiles.json"),
    ),
    Target(
        "merge",
        "mutant.json",
        mutated_json,
        (("merge", "mutant.json", "s2.json", "--isolated"), ("merge", "s2.json", "mutant.json", "--isolated")),
        beside=("s2.json", "net.onnx"),
        origins=("s1.json",),
    ),
    Target(
        "merge-second",
        "mutant.json",
        mutated_json,
        (("merge", "s1.json", "mutant.json", "--isolated", "--output-format", "json"),),
        beside=("s1.json", "net.onnx"),
        origins=("s2.json",),
    ),
    Target(
        "merge-sealed",
        "mutant.json",
        mutated_shard,
        (("merge", "mutant.json", "s2.json", "--isolated"), ("merge", "s1.json", "mutant.json", "--isolated")),
        beside=("s1.json", "s2.json", "net.onnx"),
        origins=("s1.json", "s2.json"),
    ),
    Target(
        "merge-compressed",
        "mutant.json.gz",
        mutated_json,
        (("merge", "mutant.json.gz", "z2.json.gz", "--isolated"),),
        beside=("z2.json.gz", "net.onnx"),
        origins=("z1.json.gz",),
    ),
    Target(
        "settings",
        "mutant.toml",
        mutated_lines,
        (
            ("check", "net.onnx", "--config", "mutant.toml"),
            ("config", "--config", "mutant.toml"),
            ("fix", "net.onnx", "--plan", "--config", "mutant.toml"),
            ("compare", "net.onnx", "new.onnx", "--config", "mutant.toml"),
            ("tiles", "net.onnx", "--config", "mutant.toml"),
        ),
        beside=("net.onnx", "new.onnx"),
        origins=("settings.toml",),
    ),
    Target(
        "settings-measured",
        "mutant.toml",
        mutated_lines,
        (("verify", "net.onnx", *_COMMON, "--config", "mutant.toml", "--shifts", "1", "--layers", "0"),),
        beside=("net.onnx", "noise.npz"),
        origins=("settings.toml",),
        measures=True,
    ),
    Target(
        "baseline",
        "mutant.json",
        mutated_json,
        (
            ("check", "net.onnx", "--isolated", "--baseline", "mutant.json"),
            ("check", "net.onnx", "--isolated", "--baseline", "mutant.json", "--strict"),
            ("compare", "net.onnx", "new.onnx", "--isolated", "--baseline", "mutant.json"),
        ),
        beside=("net.onnx", "new.onnx"),
        origins=("baseline.json",),
    ),
    Target(
        "baseline-prune",
        "mutant.json",
        mutated_json,
        (("baseline", "prune", "net.onnx", "--isolated", "--baseline", "mutant.json"),),
        beside=("net.onnx",),
        outputs=("mutant.json",),
        origins=("baseline.json",),
    ),
    Target(
        "search-state",
        "mutant.json",
        mutated_state,
        ((*SEARCH, "--state", "mutant.json"), (*SEARCH, "--state", "mutant.json", "--output-format", "json")),
        beside=("net.onnx",),
        outputs=("x.onnx", "mutant.json"),
        origins=("state.json",),
        measures=True,
    ),
)
_IMAGES = (
    Target(
        "pictures",
        "pictures/1.png",
        mutated_picture,
        (
            (*_SHORT, "--isolated", "--images", "pictures", "--preset", "unit"),
            (*_SHORT, "--isolated", "--images", "pictures", "--preset", "unit", "--fit", "letterbox"),
        ),
        beside=("net.onnx", "pictures"),
        origins=("pictures/1.png",),
        measures=True,
    ),
    Target(
        "frames",
        "frames/1.png",
        mutated_picture,
        ((*_SHORT, "--isolated", "--frames", "frames", "--preset", "unit"),),
        beside=("net.onnx", "frames"),
        origins=("frames/1.png",),
        measures=True,
        shown=("frame 1",),
    ),
    Target(
        "video",
        "mutant.mp4",
        faulty_bytes,
        ((*_SHORT, "--isolated", "--video", "mutant.mp4", "--preset", "unit"),),
        beside=("net.onnx",),
        origins=("clip.mp4",),
        measures=True,
    ),
    Target(
        "arrays",
        "mutant.npz",
        faulty_bytes,
        ((*_SHORT, "--isolated", "--images", "mutant.npz", "--preset", "unit"),),
        beside=("net.onnx",),
        origins=("noise.npz",),
        measures=True,
    ),
    Target(
        "array",
        "mutant.npy",
        faulty_bytes,
        ((*_SHORT, "--isolated", "--images", "mutant.npy", "--preset", "unit"),),
        beside=("net.onnx",),
        origins=("noise.npy",),
        measures=True,
    ),
    Target(
        "labels",
        "mutant.csv",
        mutated_lines,
        ((*_SHORT, "--isolated", "--images", "pictures", "--preset", "unit", "--labels", "mutant.csv"),),
        beside=("net.onnx", "pictures"),
        origins=("labels.csv",),
        measures=True,
    ),
)
_READ = (
    Target(
        "read-pictures",
        "pictures/1.png",
        mutated_picture,
        ((READ, "pictures"),),
        ("pictures",),
        origins=("pictures/1.png",),
    ),
    Target(
        "read-frames",
        "frames/1.png",
        mutated_picture,
        ((READ, "--frames", "frames"),),
        ("frames",),
        origins=("frames/1.png",),
        shown=("frame 1",),
    ),
    Target("read-video", "mutant.mp4", faulty_bytes, ((READ, "--video", "mutant.mp4"),), origins=("clip.mp4",)),
    Target("read-arrays", "mutant.npz", faulty_bytes, ((READ, "mutant.npz"),), origins=("noise.npz",)),
    Target("read-array", "mutant.npy", faulty_bytes, ((READ, "mutant.npy"),), origins=("noise.npy",)),
    Target(
        "read-labels",
        "mutant.csv",
        mutated_lines,
        ((READ, "pictures", "--labels", "mutant.csv"),),
        ("pictures",),
        origins=("labels.csv",),
    ),
)
TARGETS = {target.name: target for target in (*_MODELS, *_DOCUMENTS, *_IMAGES, *_READ)}
