"""``check --changed-since`` in real repositories: what a branch changes is audited, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from tests.cli.conftest import write_network

Run = Callable[..., tuple[int, str, str]]


def git(*arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def commit(words: str) -> None:
    git("add", "-A")
    git("commit", "-q", "-m", words)


@pytest.fixture(autouse=True)
def repository(workplace: Path) -> Path:
    """Two models on main, and a branch."""
    (workplace / ".git").rmdir()
    git("init", "-q", "-b", "main")
    for name in ("a", "b"):
        write_network(Path("models", f"{name}.onnx"))
    commit("two models")
    git("checkout", "-q", "-b", "work")
    return workplace


def audited(run: Run, *arguments: object) -> tuple[int, set[str], str]:
    code, out, err = run("check", "models", "--fail-on", "never", *arguments)
    return code, {name for name in "abc" if f"models/{name}.onnx" in out}, out + err


def test_a_branch_that_changes_nothing_is_clean_and_says_so(run: Run) -> None:
    code, names, text = audited(run, "--changed-since", "main")
    assert (code, names) == (0, set())
    assert "2 models are as at main, and left out" in text


def test_changed_and_new_models_are_audited_committed_or_not(run: Run) -> None:
    write_network(Path("models/b.onnx"), stride=4)
    commit("wider")
    write_network(Path("models/c.onnx"))
    code, names, text = audited(run, "--changed-since", "main")
    assert (code, names) == (0, {"b", "c"})
    assert "1 model is as at main" in text


def test_what_main_changed_meanwhile_is_not_the_work_of_the_branch(run: Run) -> None:
    write_network(Path("models/b.onnx"), stride=4)
    commit("wider")
    git("checkout", "-q", "main")
    write_network(Path("models/a.onnx"), stride=8)
    commit("main goes on")
    git("checkout", "-q", "work")
    assert audited(run, "--changed-since", "main")[1] == {"b"}


def test_other_weights_in_a_file_beside_the_model_are_a_change(run: Run) -> None:
    def save(scale: float) -> None:
        network = onnx.load(write_network(Path("models/a.onnx")))
        values = network.graph.initializer[0]
        values.raw_data = bytes(int(scale) % 256 for _ in values.raw_data)
        onnx.save(network, "models/a.onnx", save_as_external_data=True, location="a.data", size_threshold=0)

    save(1)
    commit("weights beside it")
    git("branch", "-f", "main", "work")
    before = Path("models/a.onnx").read_bytes()
    Path("models/a.data").unlink()
    save(2)
    assert Path("models/a.onnx").read_bytes() == before
    assert audited(run, "--changed-since", "main")[1] == {"a"}


@pytest.mark.parametrize("reference", ["nowhere", "--all"])
def test_a_revision_that_there_is_not_is_a_usage_error(run: Run, reference: str) -> None:
    code, _, err = run("check", "models", f"--changed-since={reference}")
    assert code == 2
    assert "--changed-since" in err


def test_an_empty_folder_is_still_incomplete(run: Run) -> None:
    Path("empty").mkdir()
    assert run("check", "empty", "--changed-since", "main")[0] == 3


def test_a_named_copy_is_not_asked_of_a_model_that_did_not_change(run: Run) -> None:
    how = ("--changed-since", "main", "--name-nodes", "named.onnx", "--report", "netron=named.json")
    code, out, _ = run("check", "models/a.onnx", *how)
    assert code == 0
    assert "1 model is as at main" in out
    assert not Path("named.onnx").exists()
    assert Path("named.json").is_file()
