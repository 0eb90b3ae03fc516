"""Commands that pages name outside of their console blocks run as they stand, on stand-ins for the reader's files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper

from auditor.demo.files import png
from tests.docs.pages import DOCS, PAGES, ROOT
from tests.verify.models import brightest_box, classifier, model, saved

Run = Callable[..., tuple[int, str, str]]
_INDENTED = re.compile(r"^    (aliasaudit [^\n]+)$", re.MULTILINE)
_INLINE = re.compile(r"`(aliasaudit [^`\n]+)`")
_FILES = re.compile(r"(?<![\w/])[\w/.-]+(?:\.(?:onnx|xml|tflite|mp4|csv)|/)(?!\w)|\bphotos\b")
_RUNS_MODELS = re.compile(r"aliasaudit (verify|compare|resize|finetune)\b|--(verify|strategy|portable)\b")
ELSEWHERE = {
    "--base-ref": "tests/cli/test_compare.py: it needs a repository with a past",
    "--video": "tests/cli/test_verify_video.py: it needs a clip, and PyAV to read it",
    ".xml": "tests/verify/test_runtimes.py: OpenVINO makes the file",
    ".tflite": "tests/verify/test_runtimes.py: TensorFlow makes the file",
    "--runtime web": "tests/verify/test_web_runtime.py: it needs node and onnxruntime-web",
    "repaired/": "tests/docs/test_examples.py: an Olive run makes the file",
}
"""What a command holds that cannot run here, where it is run instead, and why."""
NEEDS = {"--runtime openvino": "openvino"}


def commands() -> list[str]:
    """Those with files of the reader's. The page of tasks and the README are run in tests/test_readme.py."""
    found: dict[str, None] = {}
    for page in PAGES:
        if page != DOCS / "tasks.md":
            text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
            lines = [*_INDENTED.findall(text), *_INLINE.findall(text)]
            found |= dict.fromkeys(line for line in lines if _FILES.search(line))
    return list(found)


def elsewhere(command: str) -> list[str]:
    return [reason for part, reason in ELSEWHERE.items() if part in command]


HERE = [
    pytest.param(command, marks=[pytest.mark.slow] * bool(_RUNS_MODELS.search(command)))
    for command in commands()
    if not elsewhere(command)
]


def reader() -> ModelProto:
    """Lines of 48 x 64 pixels to sixteen places of eleven characters."""
    weights = np.random.default_rng(0).standard_normal((11, 3, 48, 4)).astype(np.float32) / 20
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["maps"], strides=[48, 4]),
        helper.make_node("Reshape", ["maps", "shape"], ["row"]),
        helper.make_node("Transpose", ["row"], ["places"], perm=[0, 2, 1]),
        helper.make_node("Softmax", ["places"], ["y"], axis=2),
    ]
    stored = {"w": weights, "shape": np.array([1, 11, 16], np.int64)}
    return model(nodes, {"x": [1, 3, 48, 64]}, {"y": [1, 16, 11]}, stored)


def detector() -> ModelProto:
    """One box, whose score is the brightest of pixels from 0 to 255."""
    made = brightest_box()
    (peak,) = (node for node in made.graph.node if node.op_type == "ReduceMax")
    peak.output[0] = "brightest"
    made.graph.node.insert(
        [*made.graph.node].index(peak) + 1, helper.make_node("Mul", ["brightest", "shade"], ["peak"])
    )
    made.graph.initializer.append(numpy_helper.from_array(np.array(1 / 255, np.float32), "shade"))
    return made


@pytest.fixture
def files() -> None:
    """What the pages name: models, pictures that a model reads, labels, and settings that keep a run short."""
    networks = {"detector": detector(), "yolox_nano": detector(), "fixed": classifier(), "reader": reader()}
    for name in ("model", "net", "old", "new", "float", "int8", "models/net", "models/model"):
        networks[name] = classifier()
    for name, network in networks.items():
        Path(f"{name}.onnx").parent.mkdir(exist_ok=True)
        saved(Path(f"{name}.onnx"), network)
    for folder in ("photos", "pictures", "street", "lines", "frames"):
        Path(folder).mkdir()
        for index, photo in enumerate(np.random.default_rng(0).integers(0, 256, (4, 96, 128), np.uint8)):
            Path(folder, f"{index}.png").write_bytes(png(photo))
    Path("labels.csv").write_text("".join(f"{index}.png,{index % 2}\n" for index in range(4)), encoding="utf-8")
    Path("aliasaudit.toml").write_text(
        '[verify]\nshifts = 2\nradius = 4\nlayers = 0\ndevice = "cpu"\n', encoding="utf-8"
    )


@pytest.mark.parametrize("command", HERE)
@pytest.mark.usefixtures("files")
def test_a_command_of_a_page_runs_as_it_stands(command: str, run: Run) -> None:
    for part, package in NEEDS.items():
        if part in command and find_spec(package) is None:
            pytest.skip(f"{package} is not installed: the command is about it")
    if command.endswith(("detector.onnx fixed.onnx", "reader.onnx fixed.onnx")):
        name = command.split()[-2]
        Path("fixed.onnx").write_bytes(Path(name).read_bytes())
    if "baseline prune" in command:
        assert run("baseline", "write", "models/")[0] == 0
    code, _, err = run(*shlex.split(command)[1:])
    assert code in (0, 1), err
    assert "Traceback" not in err


@pytest.mark.parametrize("part", ELSEWHERE)
def test_what_cannot_run_here_is_named_by_a_page_and_run_by_the_test_that_is_named(part: str) -> None:
    assert any(part in command for command in commands())
    path = ROOT / ELSEWHERE[part].partition(":")[0]
    assert path.is_file()
