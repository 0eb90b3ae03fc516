"""What only a process of its own shows: imports, pipes, encodings, standard input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import write_network
from tests.verify.models import classifier, saved

ROOT = Path(__file__).parents[2]


def program(*arguments: str, given: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, env=environment, input=given, timeout=60, check=False
    )


def imported(*arguments: str) -> set[str]:
    """The top-level packages that a run of the program imports, beyond those that Typer cannot do without."""
    code = (
        "import sys, typer; before = set(sys.modules);"
        "from auditor.cli import main; main(sys.argv[1:]);"
        "print('\\n' + ' '.join({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    return set(program("-c", code, *arguments).stdout.decode().splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["check", "--help"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    assert not imported(*arguments) & {"numpy", "onnx", "rich", "pydantic", "onnxruntime", "onnx_graphsurgeon"}


@pytest.mark.parametrize("output_format", ["text", "json"])
def test_check_imports_neither_onnx_nor_a_runtime_nor_rich(output_format: str) -> None:
    write_network(Path("net.onnx"))
    heavy = {"onnx", "rich", "pydantic", "onnxruntime", "onnx_graphsurgeon"}
    assert not imported("check", "net.onnx", "--output-format", output_format) & heavy


# The frozen values of a measurement: a report without one has their place all the same.
VALUES = {
    *("result", "interval", "errors", "margin", "time", "time.result"),
    *("example", "split", "verdict", "layers", "layers.alias", "layers.maps", "layers.result"),
    *("arrays", "columns", "listing", "ripple", "self_test"),
}


def test_check_without_verify_loads_nothing_of_what_measures() -> None:
    write_network(Path("net.onnx"))
    code = "import sys; from auditor.cli import main; main(['check', 'net.onnx']); print('\\n' + ' '.join(sys.modules))"
    loaded = program("-c", code).stdout.decode().splitlines()[-1].split()
    measuring = {name.removeprefix("auditor.verify.") for name in loaded if name.startswith("auditor.verify.")}
    assert measuring <= VALUES
    assert "auditor.rewrite.result" not in loaded


def test_a_model_is_read_from_standard_input() -> None:
    data = write_network(Path("net.onnx")).read_bytes()
    done = program("-m", "auditor", "check", "-", "--output-format", "json", given=data)
    assert done.returncode == 0
    assert [model["path"] for model in json.loads(done.stdout)["models"]] == ["-"]


def test_measuring_writes_nothing_outside_of_the_output(tmp_path: Path) -> None:
    """Importing onnxruntime begins a queue of events to be sent, unless it is told not to."""
    work, home, cache, spare = (tmp_path / name for name in ("work", "home", "cache", "spare"))
    for folder in (work, home, cache, spare):
        folder.mkdir()
    saved(work / "net.onnx", classifier())
    pixels = np.random.default_rng(0).integers(0, 256, (4, 24, 24, 3), dtype=np.uint8)
    np.savez(work / "images.npz", images=pixels)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "CI"))}
    environment |= {"PYTHONPATH": str(ROOT), "HOME": str(home), "XDG_CACHE_HOME": str(cache), "TMPDIR": str(spare)}
    command = "verify net.onnx --images images.npz --radius 4 --shifts 2 --device cpu --isolated --fail-on never"
    done = subprocess.run(
        [sys.executable, "-m", "auditor", *command.split(), "--output", "report.txt"],
        cwd=work,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [list(folder.rglob("*")) for folder in (home, cache, spare)] == [[], [], []]
    assert {path.name for path in work.iterdir()} == {"net.onnx", "images.npz", "report.txt"}


def test_a_reader_that_closes_the_pipe_changes_neither_the_exit_code_nor_stderr() -> None:
    write_network(Path("net.onnx"))
    command = f'"{sys.executable}" -m auditor check net.onnx --fail-on warning | true; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.stdout.strip() == b"1"
    assert done.stderr == b""


def test_an_ascii_terminal_shows_every_name() -> None:
    write_network(Path("net.onnx"), name="größe大")
    done = program("-m", "auditor", "check", "net.onnx", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert b"gr\\xf6\\xdfe" in done.stdout


def test_two_hash_seeds_give_the_same_report() -> None:
    write_network(Path("net.onnx"))
    reports = {
        program("-m", "auditor", "check", "net.onnx", "--output-format", "json", PYTHONHASHSEED=seed).stdout
        for seed in ("1", "2")
    }
    assert len(reports) == 1
