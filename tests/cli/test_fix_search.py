"""``aliasaudit fix --strategy auto``: what it tries and shows, and how it goes on after an interrupt."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto, helper, numpy_helper

from auditor.cli import measuring
from auditor.repair.bench import Bench
from auditor.repair.search.gain import Gain, Speed
from auditor.repair.search.timing import ROUNDS
from auditor.repair.staging import staged
from auditor.rewrite.result import RewriteError
from tests.cli.conftest import HOW, write_network
from tests.verify.models import model, saved

Run = Callable[..., tuple[int, str, str]]
AUTO = ("--strategy", "auto", "--max-cost", "1.9")
CHEAP = [
    "window from site 1 of 5, x1.17",
    "window from the input, x1.28",
    "grid-lock",
    "phase-average at the last site",
]
TRIED = [
    *CHEAP,
    "phase-average one site earlier",
    "phase-average two sites earlier",
    "input-average",
]
BOTH = "window from site 1 of 5, x1.17 and from the input, x1.28"
"""The best two windows together, once each was measured."""


@dataclass
class Counted:
    """Counts what is measured, and interrupts it where that is asked for."""

    after: int | None = None
    asked: list[Path] = field(default_factory=list)


@pytest.fixture(autouse=True)
def steady_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rewrite takes 1.4 times as long: what a search keeps may not rest on how busy the machine is."""
    monkeypatch.setattr("auditor.repair.bench.speed", lambda *_: Speed(1.4, 1.3, 1.5, ROUNDS))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    found = Counted()
    original = Bench.gain

    def gain(self: Bench, staged: Path, images: int, timed: bool) -> Gain:
        if len(found.asked) == found.after:
            raise KeyboardInterrupt
        found.asked.append(staged)
        return original(self, staged, images, timed)

    monkeypatch.setattr(Bench, "gain", gain)
    return found


def others() -> set[str]:
    return {path.name for path in Path.cwd().iterdir()} - {".git", "digits.npz", "unlabelled.npz", "digits.onnx"}


@pytest.fixture
def wavering() -> Path:
    """A network whose answer hangs on which of sixteen phases it samples, with 64 pictures of noise."""
    random = np.random.default_rng(0)
    kernel = random.normal(size=(12, 1, 3, 3)).astype(np.float32)
    kernel -= kernel.mean(axis=(2, 3), keepdims=True)
    pictures = random.integers(0, 256, (64, 48, 48, 1), np.uint8)
    np.savez("noise.npz", images=pictures)

    def features(crops: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(N, 12): the means that the network takes, so that its scores can be centred on their average."""
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(crops, ((0, 0), (1, 1), (1, 1))), (3, 3), axis=(1, 2))
        maps = np.einsum("nhwij,cij->nchw", windows[:, ::4, ::4], kernel[:, 0])
        means: npt.NDArray[np.float64] = np.maximum(maps, 0).mean(axis=(2, 3))
        return means

    typical = features(pictures[:, 8:40, 8:40, 0] / 255)
    weights = (random.normal(size=(12, 4)) / typical.std(axis=0)[:, None]).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["dense"], pads=[1] * 4),
        helper.make_node("Relu", ["dense"], ["rectified"]),
        helper.make_node("MaxPool", ["rectified"], ["sampled"], kernel_shape=[1, 1], strides=[4, 4]),
        helper.make_node("GlobalAveragePool", ["sampled"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"]),
    ]
    constants = {"kernel": kernel, "weights": weights, "bias": (-typical.mean(axis=0) @ weights).astype(np.float32)}
    graph = helper.make_graph(
        nodes,
        "wavering",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 32, 32])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    Path("wavering.onnx").write_bytes(proto.SerializeToString())
    return Path("wavering.onnx")


def test_auto_keeps_the_rewrite_that_surely_gains(run: Run, wavering: Path) -> None:
    how = ("--preset", "unit", "--device", "cpu", "--images", "noise.npz", "--images-limit", "64")
    code, out, err = run(
        "fix", wavering, "-o", "fixed.onnx", "--strategy", "auto", "--max-cost", "8", "--output-format", "json", *how
    )
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["best"] == "input-average"
    assert report["written"] == "fixed.onnx"
    assert Path("fixed.onnx").exists()
    [best] = [trial for trial in report["candidates"] if trial["candidate"] == report["best"]]
    assert best["gain"]["changes"]["mac"]["interval"][1] < 0


def test_auto_shows_what_it_tried_and_keeps_nothing_that_may_be_chance(run: Run, digits: Path) -> None:
    code, out, err = run("fix", digits, "-o", "fixed.onnx", *AUTO, "--output-format", "json", *HOW)
    assert (code, err) == (1, "")
    report = json.loads(out)
    assert report["best"] is None
    assert report["written"] is None
    assert not Path("fixed.onnx").exists()
    assert len(report["candidates"]) == 10
    measured = [trial for trial in report["candidates"] if trial["gain"] is not None]
    assert [trial["candidate"] for trial in measured] == [*TRIED, BOTH]
    for trial in measured:
        assert trial["gain"]["time_ratio"]["value"] == 1.4
        assert set(trial["gain"]["changes"]) >= {"consistency", "mac", "accuracy"}
        assert trial["gain"]["agreement"]["by"] == "agreement"
        # Where the content lies in the grid changes more answers than two phases that are averaged.
        assert trial["gain"]["agreement"]["value"] > (0.5 if trial["candidate"] == "grid-lock" else 0.9)
        assert trial["verdict"] in ("no sure gain", "loses too much")
        assert trial["tests"] == []
    assert others() == set()


def test_a_candidate_that_cannot_be_made_is_one_that_failed(
    run: Run, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def breaks_first(*arguments: Any) -> Any:
        tried.append(arguments)
        if len(tried) == 1:
            raise RewriteError("it breaks")
        return staged(*arguments)

    monkeypatch.setattr("auditor.repair.search.run.staged", breaks_first)
    _, out, err = run("fix", digits, "-o", "fixed.onnx", *AUTO, "--output-format", "json", *HOW)
    assert err == ""
    failed, *others_ = json.loads(out)["candidates"][: len(TRIED)]
    assert (failed["candidate"], failed["verdict"], failed["reason"]) == (TRIED[0], "failed", "it breaks")
    assert all(trial["gain"] is not None for trial in others_)


@pytest.mark.slow  # each measurement starts two processes
def test_processes_find_what_one_process_finds(run: Run, digits: Path) -> None:
    Path("aliasaudit.toml").write_text("[verify]\nthreads = 1\n", encoding="utf-8")
    how = ("--strategy", "auto", "--max-cost", "1.3", "--output-format", "json", *HOW)
    alone, shared = (run("fix", digits, "-o", "fixed.onnx", *how, *more)[1] for more in ((), ("--jobs", "2")))
    assert [trial for trial in json.loads(alone)["candidates"] if trial["gain"] is not None]
    assert shared == alone


def test_auto_writes_nothing_where_nothing_helps(run: Run, digits: Path) -> None:
    code, out, err = run("fix", digits, "-o", "fixed.onnx", "--strategy", "auto", "--max-cost", "1", *HOW)
    assert (code, err) == (1, "")
    assert "nothing helps" in out
    assert out.count("too costly") == 6
    assert others() == set()


def test_an_interrupted_search_goes_on_where_it_stopped(run: Run, digits: Path, counted: Counted) -> None:
    arguments = ("fix", digits, "-o", "fixed.onnx", *AUTO, "--state", "search.json", "--output-format", "json", *HOW)
    counted.after = 1
    code, out, err = run(*arguments)
    assert (code, out) == (130, "")
    assert "the same command goes on from search.json" in err
    assert others() == {"search.json"}
    counted.after = None
    first = json.loads(run(*arguments)[1])
    assert len(counted.asked) == len([*TRIED, BOTH])
    again = json.loads(run(*arguments)[1])
    assert len(counted.asked) == len([*TRIED, BOTH])
    assert again == first
    dear = json.loads(run(*arguments, "--max-cost", "1.5")[1])
    assert len(counted.asked) == len([*TRIED, BOTH])
    assert [one["candidate"] for one in dear["candidates"] if one["gain"] is not None] == [*CHEAP, BOTH]


def test_the_file_of_another_search_or_no_such_file_at_all_is_refused_in_one_line(run: Run, digits: Path) -> None:
    arguments = ("fix", digits, "-o", "fixed.onnx", "--strategy", "auto", "--max-cost", "1", *HOW)
    assert run(*arguments, "--state", "search.json")[0] == 1
    kept = Path("search.json").read_bytes()
    digits.write_bytes(digits.read_bytes() + b"\x1a\x00")  # an empty producer version
    Path("text.json").write_text("{")
    Path("bytes.json").write_bytes(b"\xff\xfe")
    for state, words in [
        ("search.json", "another model"),
        ("text.json", "is damaged"),
        ("bytes.json", "holds no search"),
        (".git", "holds no search"),
        ("absent/search.json", "cannot be written"),
        ("fixed.onnx", "is where the rewritten model goes"),
        ("digits.onnx", "is one of the models"),
    ]:
        code, out, err = run(*arguments, "--state", state)
        assert (code, out) == (2, ""), state
        assert words in err
        assert err.count("\n") == 1
    assert Path("search.json").read_bytes() == kept


@pytest.mark.parametrize("changed", [("--images", "other.npz"), ("--preset", "imagenet")])
def test_other_pictures_and_other_options_are_another_search(run: Run, digits: Path, changed: tuple[str, ...]) -> None:
    shutil.copy("digits.npz", "other.npz")
    arguments = ("fix", digits, "-o", "fixed.onnx", "--strategy", "auto", "--max-cost", "1", "--state", "s.json", *HOW)
    assert run(*arguments)[0] == 1
    code, _, err = run(*arguments, *changed)
    assert code == 2
    assert "is of a search with another set of" in err


def test_a_search_is_drawn_without_costing_anybody_the_report(run: Run, digits: Path) -> None:
    pytest.importorskip("matplotlib")
    arguments = ("fix", digits, "--dry-run", "--strategy", "auto", "--max-cost", "1.5", *HOW)
    _, out, err = run(*arguments, "--plot", "search.svg")
    assert "wrote search.svg" in err
    assert "budget: cost at most x1.5" in out
    heading = next(line for line in out.splitlines() if line.split()[:1] == ["candidate"])
    allowed = next(line for line in out.splitlines() if line.split()[:1] == ["(budget)"])
    for column, limit in (("cost", "<= x1.5"), ("time", "<= x1.5"), ("loss", "<= 0.5 points")):
        assert allowed[heading.index(f" {column} ") + 1 :].startswith(limit)
    assert Path("search.svg").read_text().startswith("<?xml")
    assert others() == {"search.svg"}


@dataclass
class Watcher:
    begun: list[tuple[str, int | None]] = field(default_factory=list)
    advanced: int = 0

    def begin(self, what: str, total: int | None) -> None:
        self.begun.append((what, total))

    def advance(self) -> None:
        self.advanced += 1


def test_a_terminal_shows_round_candidate_and_images(run: Run, digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Watcher()

    @contextmanager
    def watched(show: Any) -> Iterator[Watcher]:
        assert not show.no_progress
        yield watcher

    monkeypatch.setattr(measuring, "watched", watched)
    run("fix", digits, "--dry-run", "--strategy", "auto", "--max-cost", "1.5", *HOW)
    stages = [f"round 1/1, {place}/{len(CHEAP)} {name}: rewriting" for place, name in enumerate(CHEAP, 1)]
    assert [name for name, total in watcher.begun if total is None][: len(CHEAP)] == stages
    measured = [total for name, total in watcher.begun if total is not None and name.endswith(": images")]
    assert set(measured) == {16}
    assert watcher.advanced == sum(measured)


def test_a_grid_of_classes_is_searched_by_its_own_measures_and_agreement(run: Run) -> None:
    random = np.random.default_rng(0)
    wide: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], "first", **wide),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("Conv", ["b", "w1"], ["y"], "second", **wide),
    ]
    weights = {
        "w0": random.normal(size=(6, 3, 3, 3)).astype(np.float32),
        "w1": random.normal(size=(5, 6, 3, 3)).astype(np.float32),
    }
    saved(Path("dense.onnx"), model(nodes, {"x": [1, 3, 32, 32]}, {"y": [1, 5, 8, 8]}, weights))
    np.savez("pictures.npz", images=random.integers(0, 256, (10, 40, 40, 3), dtype=np.uint8))
    arguments = ("fix", "dense.onnx", "-o", "fixed.onnx", "--strategy", "auto", "--max-cost", "9")
    flags = ("--preset", "unit", "--device", "cpu", "--images", "pictures.npz", "--state", "search.json")
    report = json.loads(run(*arguments, *flags, "--output-format", "json")[1])
    measured = [trial["gain"] for trial in report["candidates"] if trial["gain"] is not None]
    assert measured
    for gain in measured:
        assert set(gain["changes"]) >= {"massc", "equivariance-error"}
        assert gain["loss"]["by"] == gain["agreement"]["by"] == "position-agreement"
    out = run(*arguments, *flags)[1]
    assert "massc" in out
    assert "agreement, position by position" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--strategy", "auto", "--site", "conv"), "leave --site out"),
        (("--strategy", "auto", "--kernel", "bin5"), "leave --kernel out"),
        (("--strategy", "auto", "--phases", "all"), "leave --phases out"),
        (("--strategy", "auto", "--max-cost", "much"), "--max-cost must be a factor"),
        (("--strategy", "auto", "--max-drop", "-1"), "--max-drop must be points"),
        (("--strategy", "auto", "--images", "absent"), "images are given as"),
        (("--strategy", "auto", "--plot", "figure.gif"), "must end in .png or .svg"),
        (("--strategy", "auto", "--plot", "absent/figure.png"), "no such folder"),
        (("--strategy", "auto", "--refit", "all"), "--refit says what is fitted on the pictures of --calibrate"),
        (("--strategy", "blur", "--refit", "all"), "--refit says what is fitted on the pictures of --calibrate"),
        (("--strategy", "blur", "--state", "search.json"), "--state is for a search"),
        (("--strategy", "blur", "--max-cost", "2"), "--max-cost is for a search"),
        (("--strategy", "blur", "--max-drop", "2"), "--max-drop is for a search"),
        (("--strategy", "grid-lock", "--max-drop", "2"), "give --verify with it"),
    ],
)
def test_what_cannot_be_searched_ends_with_one_line_and_no_file(
    run: Run, arguments: tuple[str, ...], words: str
) -> None:
    write_network(Path("net.onnx"))
    code, out, err = run("fix", "net.onnx", "-o", "fixed.onnx", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert [path.name for path in Path.cwd().iterdir() if path.name != ".git"] == ["net.onnx"]
