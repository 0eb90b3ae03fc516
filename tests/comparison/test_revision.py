"""A model as it stood at another revision, from real repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from auditor.comparison.revision import Revision, RevisionError
from auditor.onnxfile.limits import DEFAULT_LIMITS, Limits
from tests.rules.builder import build

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 3\n"


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.onnx").write_bytes(b"old")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "old")
    (tmp_path / "models" / "net.onnx").write_bytes(b"new")
    return tmp_path


def copy(
    repository: Path, reference: str = "HEAD", path: str = "models/net.onnx", limits: Limits = DEFAULT_LIMITS
) -> bytes:
    spare = repository / "spare"
    spare.mkdir(exist_ok=True)
    return Revision(reference, repository).copy(repository / path, spare, limits, weights=False).read_bytes()


@pytest.mark.parametrize("reference", ["HEAD", "main", "main~0"])
def test_the_committed_file_is_had_whatever_the_working_tree_holds(repository: Path, reference: str) -> None:
    assert copy(repository, reference) == b"old"


def test_a_file_that_is_gone_from_the_working_tree_is_had_too(repository: Path) -> None:
    (repository / "models" / "net.onnx").unlink()
    assert copy(repository) == b"old"


def test_names_that_look_like_patterns_or_options_are_names(repository: Path) -> None:
    for name in ("[a]*.onnx", "-x.onnx", "ä b.onnx", ":(top)x.onnx"):
        (repository / name).write_bytes(name.encode())
        git(repository, "--literal-pathspecs", "add", "--", name)
        git(repository, "commit", "-q", "-m", "x")
        assert copy(repository, path=name) == name.encode()


@pytest.mark.parametrize("reference", ["nowhere", "--all", "-h", "HEAD:models", "", "--output=x"])
def test_a_reference_that_is_no_commit_is_an_error_and_never_an_option(repository: Path, reference: str) -> None:
    with pytest.raises(RevisionError, match="names no commit here"):
        copy(repository, reference)
    assert not (repository / "x").exists()


def test_a_file_that_the_commit_does_not_have_is_an_error(repository: Path) -> None:
    (repository / "models" / "fresh.onnx").write_bytes(b"x")
    with pytest.raises(RevisionError, match=r"HEAD:models/fresh.onnx: there is no such file"):
        copy(repository, path="models/fresh.onnx")
    with pytest.raises(RevisionError, match="there is no such file"):
        copy(repository, path="models")


def test_links_paths_outside_and_files_over_the_limit_are_refused(repository: Path, tmp_path: Path) -> None:
    (repository / "link.onnx").symlink_to("models/net.onnx")
    git(repository, "add", "link.onnx")
    git(repository, "commit", "-q", "-m", "x")
    with pytest.raises(RevisionError, match="is a symbolic link"):
        copy(repository, path="link.onnx")
    with pytest.raises(RevisionError, match="lies outside of the git repository"):
        copy(repository, path="../outside.onnx")
    with pytest.raises(RevisionError, match="is larger than the limit max-file-bytes, 2"):
        copy(repository, limits=Limits(max_file_bytes=2))


def test_a_folder_in_no_repository_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(RevisionError, match="is in no git repository"):
        Revision("HEAD", tmp_path)


@pytest.fixture
def tools(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs in front of all others."""
    folder = tmp_path_factory.mktemp("tools")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def pointed(repository: Path) -> None:
    (repository / "models" / "net.onnx").write_text(POINTER.format("0" * 64))
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "pointer")


def program(tools: Path, script: str) -> None:
    (tools / "git-lfs").write_text(f"#!/bin/sh\n{script}\n")
    (tools / "git-lfs").chmod(0o755)


def test_a_pointer_of_git_lfs_is_resolved(repository: Path, tools: Path) -> None:
    pointed(repository)
    program(tools, 'if [ "$1" = smudge ]; then grep -q oid && printf large; else echo 3; fi')
    assert copy(repository) == b"large"


_LFS_FAULT = '[ "$1" = version ] && echo 3 && exit; cat >/dev/null; printf "{}" >&2; exit 2'


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('[ "$1" = version ] && echo 3 && exit; cat >/dev/null; echo "no such object" >&2; exit 2', "no such object"),
        ('[ "$1" = version ] && echo 3 && exit; cat', "Git LFS did not give the file"),
        (
            _LFS_FAULT.format(
                r"Downloading net (9 KB)\nError downloading object: net: Smudge error: [404]\nErrors logged\n"
            ),
            "git lfs failed: Error downloading object: .* Smudge error: .404",
        ),
        (_LFS_FAULT.format(r"Downloading net.onnx\rno such host\n"), "git lfs failed: no such host"),
        ("exit 1", "git-lfs is not installed"),
    ],
)
def test_a_pointer_that_cannot_be_resolved_is_an_error_and_never_taken_for_the_model(
    repository: Path, tools: Path, script: str, words: str
) -> None:
    pointed(repository)
    program(tools, script)
    with pytest.raises(RevisionError, match=words):
        copy(repository)


def test_weights_beside_the_model_come_with_it_where_it_is_to_be_run(repository: Path) -> None:
    proto = build("input 1x3x16x16\nConv k3 s2 c4 w=external\nGlobalAveragePool")
    (location,) = {
        entry.value for tensor in proto.graph.initializer for entry in tensor.external_data if entry.key == "location"
    }
    (repository / "models" / "net.onnx").write_bytes(proto.SerializeToString())
    (repository / "models" / location).write_bytes(b"weights")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "external")
    (repository / "models" / location).write_bytes(b"changed")
    spare = repository / "spare"
    spare.mkdir()
    found = Revision("HEAD", repository).copy(repository / "models" / "net.onnx", spare, DEFAULT_LIMITS, weights=True)
    assert (found.parent / location).read_bytes() == b"weights"
