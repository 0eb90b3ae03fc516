"""A rule, an operator and a strategy are added by CONTRIBUTING alone, and by no more files than it says.

Each is added in a copy of the program, which then runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from auditor import __version__
from auditor.demo import demo_model
from scripts.new_rule import new_rule

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / ".github" / "CONTRIBUTING.md"
ROOMS = ("auditor", "rules")


def section(title: str) -> str:
    """What CONTRIBUTING says below a heading."""
    return PAGE.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def example(title: str, language: str) -> str:
    """The finished example there, in this language."""
    below = PAGE.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2]
    return below.partition(f"```{language}\n")[2].partition("\n```")[0] + "\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout of the program, as far as it runs."""
    folder = tmp_path / "checkout"
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def touched(copy: Path) -> set[str]:
    """The files of the copy that differ from ours."""
    return {
        path.relative_to(copy).as_posix()
        for room in ROOMS
        for path in (copy / room).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
        if not (ours := ROOT / path.relative_to(copy)).is_file() or ours.read_bytes() != path.read_bytes()
    }


def run(copy: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The program of the copy, in the folder beside it."""
    return subprocess.run(
        [sys.executable, "-m", "auditor", *map(str, arguments)],
        cwd=copy.parent,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_rule_is_its_file_and_its_page(copy: Path) -> None:
    code, page = (example("A rule pack of your own", language) for language in ("python", "markdown"))
    for name, text in (("aa199_wide_stride.py", code), ("aa199_wide_stride.md", page)):
        renamed = text.replace("XY101", "AA199").replace('{"largest": 2}', '{"largest": 1}')
        (copy / "rules" / name).write_text(renamed, encoding="utf-8")
    assert touched(copy) == {"rules/aa199_wide_stride.py", "rules/aa199_wide_stride.md"}
    done = run(copy, "check", demo_model(), "--select", "AA199", "--fail-on", "warning")
    assert (done.returncode, "AA199 wide-stride at" in done.stdout) == (1, True), done.stdout + done.stderr
    assert "Flags strides above" in run(copy, "rule", "AA199").stdout


def test_the_script_begins_a_rule_that_runs_under_the_next_free_code(copy: Path, tmp_path: Path) -> None:
    (copy / "tests" / "rules").mkdir(parents=True)
    shutil.copytree(ROOT / "scripts", copy / "scripts")
    files = new_rule(copy, "AA1", "wide-stride", "A stride is larger than 4.")
    code = files[0].name[:5].upper()
    assert [path.relative_to(copy).as_posix() for path in files] == [
        f"rules/{code.lower()}_wide_stride.py",
        f"rules/{code.lower()}_wide_stride.md",
        f"tests/rules/{code.lower()}.toml",
    ]
    (described,) = json.loads(run(copy, "rule", code, "--output-format", "json").stdout)
    assert (described["name"], described["since"]) == ("wide-stride", __version__)
    for case in tomllib.loads(files[2].read_text(encoding="utf-8"))["case"]:
        stride = 8 if case["expect"] else 2
        nodes = [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[stride] * 2, strides=[stride] * 2)]
        shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
        shapes[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 32, 32])
        graph = helper.make_graph(nodes, "g", shapes[:1], shapes[1:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        (tmp_path / "pool.onnx").write_bytes(model.SerializeToString())
        done = run(copy, "check", tmp_path / "pool.onnx", "--select", code, "--fail-on", "warning")
        assert done.returncode == bool(case["expect"]), done.stdout + done.stderr
    with pytest.raises(ValueError, match="there is a rule called wide-stride"):
        new_rule(copy, "AA1", "wide-stride", "A stride is larger than 4.")


@pytest.mark.parametrize(
    ("group", "name", "summary", "words"),
    [
        ("A1", "wide-stride", "A sentence.", "the group must be"),
        ("AA1", "Wide stride", "A sentence.", "the name must be"),
        ("AA1", "wide-stride", "no sentence", "the summary must be"),
    ],
)
def test_the_script_refuses_what_no_rule_is_called(copy: Path, group: str, name: str, summary: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        new_rule(copy, group, name, summary)
    assert touched(copy) == set()


def with_operator(path: Path, name: str) -> Path:
    """A network of an operator behind the picture, and a max-pool behind that."""
    nodes = [
        helper.make_node(name, ["x"], ["mapped"]),
        helper.make_node("MaxPool", ["mapped"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 8, 8])],
    )
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    return path


def test_an_operator_of_a_known_kind_is_a_word_in_one_table(copy: Path, tmp_path: Path) -> None:
    words = section("A new operator")
    table, name, kind = "auditor/sampling/traits.py", "Squareplus", "_ACTIVATIONS"
    assert all(f"`{word}`" in words for word in (table, name, kind))
    network = with_operator(tmp_path / "net.onnx", name)
    check = ("check", network, "--output-format", "json")
    before = json.loads(run(copy, *check).stdout)
    place = copy / table
    text = place.read_text(encoding="utf-8")
    assert f'{kind} = """\n' in text
    place.write_text(text.replace(f'{kind} = """\n', f'{kind} = """\n{name} ', 1), encoding="utf-8")
    assert touched(copy) == {table}
    after = json.loads(run(copy, *check).stdout)
    first, second = (
        {finding["rule"] for model in document["models"] for finding in model["findings"]}
        for document in (before, after)
    )
    assert first - second == {"AA205"}
    assert "AA101" in second


def test_a_strategy_is_one_file_that_every_command_knows(copy: Path, tmp_path: Path) -> None:
    place = "auditor/rewrite/strategies/input_mean.py"
    (copy / place).write_text(example("A new strategy", "python"), encoding="utf-8")
    assert touched(copy) == {place}
    fixed = tmp_path / "fixed.onnx"
    done = run(copy, "fix", demo_model(), "--strategy", "input-mean", "-o", fixed, "--output-format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["strategy"] == "input-mean"
    assert report["notice"].startswith("input-mean changes the function")
    assert "    input-mean: x" in run(copy, "fix", demo_model(), "--plan").stdout
    assert "input-mean" in run(copy, "fix", "--help").stdout
    again = run(copy, "fix", fixed, "--strategy", "input-mean", "-o", tmp_path / "twice.onnx")
    assert (again.returncode, "an earlier run of this program" in again.stdout) == (1, True), again.stderr
    listed = run_python(copy, _CANDIDATES)
    assert "input-mean" in listed.stdout.splitlines(), listed.stderr


_CANDIDATES = """
from auditor.demo import demo_model
from auditor.onnxfile import read_model
from auditor.repair.search.candidates import candidates
from auditor.sampling import analyse
model = read_model(demo_model())
for candidate in candidates(model, analyse(model)):
    print(candidate.name)
"""


def run_python(copy: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=copy.parent,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_strategy_of_the_page_computes_what_it_says(copy: Path, tmp_path: Path) -> None:
    """The oracle is the network itself, in onnxruntime, on a picture that numpy has filtered."""
    (copy / "auditor/rewrite/strategies/input_mean.py").write_text(example("A new strategy", "python"), "utf-8")
    fixed = tmp_path / "fixed.onnx"
    done = run(copy, "fix", demo_model(), "--strategy", "input-mean", "-o", fixed)
    assert done.returncode == 0, done.stderr
    onnx.checker.check_model(onnx.load(fixed), full_check=True)
    before, after = (onnxruntime.InferenceSession(path) for path in (demo_model(), fixed))
    (port,) = before.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in port.shape]
    picture = np.random.default_rng(0).random(shape, np.float32)
    border = np.pad(picture, ((0, 0), (0, 0), (1, 1), (1, 1)))
    inside = np.pad(np.ones_like(picture), ((0, 0), (0, 0), (1, 1), (1, 1)))
    height, width = picture.shape[2:]
    moves = [(y, x) for y in range(3) for x in range(3)]
    sums, counts = (
        np.sum([values[:, :, y : y + height, x : x + width] for y, x in moves], axis=0) for values in (border, inside)
    )
    expected = before.run(None, {port.name: (sums / counts).astype(np.float32)})[0]
    assert np.allclose(after.run(None, {port.name: picture})[0], expected, atol=1e-5)
