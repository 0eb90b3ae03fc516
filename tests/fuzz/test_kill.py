"""The plug is pulled: kill -9 of the program and of its workers, full disks, folders that cannot be written.

Nothing is lost, nothing is half-written, no process goes on, and the same command afterwards gives the same bytes.
``ALIASAUDIT_KILLS`` sets how many times in the slow tests, ``ALIASAUDIT_SEED`` the first seed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import onnx
import pytest

from tests.fuzz.corpus import FAST, noise
from tests.verify.models import classifier, saved

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("ALIASAUDIT_KILLS", "200"))
SEED = int(os.environ.get("ALIASAUDIT_SEED", "0"))
_HANG = 600  # seconds
_LINES = 3  # of stderr
_LIMITS = (0, 1, 100, 1000, 4096, 20_000, 100_000)  # bytes
_COMMON = ("--images", "noise.npz", "--preset", "unit", "--device", "cpu", "--isolated")
_JSON = ("--output-format", "json", "-o", "report.json")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "check": ("check", "net.onnx", "--isolated", "--fail-on", "never", *_JSON, "--report", "html=page.html"),
    "fix": ("fix", "net.onnx", "-o", "fixed.onnx", "--strategy", "blur", "--isolated"),
    "fix beside its data": ("fix", "data/net.onnx", "-o", "out/fixed.onnx", "--strategy", "blur", "--isolated"),
    "fix in place": ("fix", "net.onnx", "--in-place", "--strategy", "blur", "--isolated"),
    "verify": ("verify", "net.onnx", *FAST, *_JSON),
    "verify shard": ("verify", "net.onnx", *FAST, "--shard", "1/2", "-o", "shard.json"),
    "verify jobs": ("verify", "net.onnx", *FAST, "--jobs", "2", *_JSON),
    "fix auto": ("fix", "net.onnx", "-o", "fixed.onnx", "--strategy", "auto", "--state", "state.json", *_COMMON),
    "fix auto jobs": ("fix", "net.onnx", "-o", "fixed.onnx", "--strategy", "auto", "--jobs", "2", *_COMMON),
    "compare": ("compare", "net.onnx", "new.onnx", "--verify", *_COMMON, *_JSON),
}
_MEASURED = ("verify", "verify shard", "verify jobs", "fix auto", "fix auto jobs", "compare")
_EARLIER = b"what an earlier run wrote\n"
_OUTPUTS = ("report.json", "page.html", "fixed.onnx", "shard.json")
# Of a search, the measurements so far are an output, too: a rerun goes on from them, and times differ in every run.
_STATE = "state.json"
_TRIAL = b"blat"  # what Python writes to see whether a folder takes temporary files, before any of ours is there

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")


@dataclass(frozen=True)
class Undisturbed:
    """What a command leaves when nobody disturbs it: its exit code, its files, and its events."""

    code: int
    files: Mapping[str, bytes]
    events: int
    about_files: tuple[int, ...]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inputs of all commands, and what earlier runs wrote."""
    folder = tmp_path_factory.mktemp("whole")
    saved(folder / "net.onnx", classifier())
    saved(folder / "new.onnx", classifier(stride=4))
    noise(folder / "noise.npz")
    (folder / "out").mkdir()
    (folder / "data").mkdir()
    onnx.save(
        classifier(), folder / "data" / "net.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    for name in _OUTPUTS:
        (folder / name).write_bytes(_EARLIER)
    return folder


@cache
def undisturbed(whole: Path, name: str) -> Undisturbed:
    """A command in a copy of the folder, once for all tests."""
    work = whole.parent / f"{whole.name}-{name.replace(' ', '-')}"
    shutil.copytree(whole, work)
    events = whole.parent / f"{work.name}.json"
    done, _ = run(work, work.parent / f"{work.name}-spare", "count", str(events), *COMMANDS[name])
    assert done.returncode in (0, 1), done.stderr
    count, about_files = json.loads(events.read_text())
    return Undisturbed(done.returncode, contents(work), count, tuple(about_files))


def run(work: Path, spare: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """The doomed program in a folder; also a mark that all its processes carry."""
    spare.mkdir(exist_ok=True)
    mark = f"aliasaudit-{uuid.uuid4()}"
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.doomed", *words],
        cwd=work,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "TMPDIR": str(spare), "MARK": mark, "NO_COLOR": "1"}
        | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=_HANG,
        check=False,
    )
    return done, mark


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; hidden folders are only named."""
    return {
        path.relative_to(folder).as_posix(): b"" if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def carriers(mark: str) -> Iterator[int]:
    """The processes that carry a mark."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                yield int(path.parent.name)
        except OSError:
            continue  # it ended, or is another user's


def require_no_process(mark: str) -> None:
    end = time.monotonic() + _HANG
    while left := list(carriers(mark)):
        assert time.monotonic() < end, f"processes go on: {left}"
        time.sleep(0.05)


def require_whole(work: Path, before: Mapping[str, bytes], expected: Undisturbed) -> None:
    """Every file under its own name is the old one or the new one."""
    for name, data in contents(work).items():
        if any(part.startswith(".") for part in Path(name).parts) or name == _STATE:
            continue
        allowed = {expected.files.get(name), before.get(name)}
        if name.endswith(".bak"):
            allowed = {before["net.onnx"]}
        assert data in allowed or says_problems(data), f"{name} is half-written"
    assert set(before) <= set(contents(work)), "a file is lost"


def says_problems(data: bytes) -> bool:
    """Whether a file is a whole report of a run that could not be whole."""
    try:
        return bool(json.loads(data)["problems"])
    except (ValueError, KeyError, TypeError):
        return False


def require_same(work: Path, spare: Path, expected: Undisturbed) -> None:
    """A run after the disturbed one gives the same bytes and leaves nothing else."""
    found = contents(work)
    assert hidden(work) == []
    assert [path for path in spare.iterdir() if path.is_dir() or path.read_bytes() != _TRIAL] == []
    for name, data in expected.files.items():
        if name != _STATE:
            assert found[name] == data, name
    assert set(found) == set(expected.files)


def hidden(work: Path) -> list[str]:
    return [name for name in contents(work) if any(part.startswith(".") for part in Path(name).parts)]


def moment_of(chance: Random, expected: Undisturbed) -> int:
    """An event, mostly one about files or the one behind it: there is the most to break."""
    if expected.about_files and chance.random() < 0.7:
        return chance.choice(expected.about_files) + chance.randrange(2)
    return chance.randint(1, expected.events)


def pull(whole: Path, folder: Path, name: str, who: str, seed: int) -> None:
    """One kill, and what has to hold after it."""
    chance = Random(f"{name} {who} {seed}")
    expected = undisturbed(whole, name)
    work, spare = folder / "work", folder / "spare"
    shutil.copytree(whole, work)
    before = contents(work)
    moment = chance.choice(_LIMITS) if who == "limit" else moment_of(chance, expected)
    done, mark = run(work, spare, who, str(moment), *COMMANDS[name])
    require_no_process(mark)
    if who != "parent":
        assert done.returncode in (0, 1, 2, 3), done.stderr
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr
        assert done.stderr.count("\n") <= _LINES, done.stderr
        assert hidden(work) == []
        assert list(spare.iterdir()) == []
    require_whole(work, before, expected)
    if (work / "net.onnx").read_bytes() != before["net.onnx"]:  # it is done, and the model is another one
        assert (work / "net.onnx.bak").read_bytes() == before["net.onnx"]
        return
    (work / "net.onnx.bak").unlink(missing_ok=True)
    again, _ = run(work, spare, "parent", "0", *COMMANDS[name])
    assert again.returncode == expected.code, again.stderr
    require_same(work, spare, expected)


_KILLS = [(name, "parent") for name in COMMANDS] + [(name, "worker") for name in (*_MEASURED, "fix")]
_QUICK = [("fix", "parent"), ("fix beside its data", "parent"), ("fix in place", "parent"), ("verify", "worker")]
_DISKS = [(name, what) for what in ("full", "limit", "readonly") for name in COMMANDS]
_QUICK_DISKS = [("check", "full"), ("fix beside its data", "full"), ("verify", "limit"), ("fix", "readonly")]


def plan(cases: list[tuple[str, str]], count: int) -> list[tuple[str, str, int]]:
    """What happens during which command: all in turn, as often as they are asked for."""
    return [(*cases[index % len(cases)], SEED + index // len(cases)) for index in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "what", "seed"), plan(_DISKS, KILLS // 2))
def test_any_full_disk_is_one_line_and_the_next_run_is_right(
    whole: Path, tmp_path: Path, name: str, what: str, seed: int
) -> None:
    pull(whole, tmp_path, name, what, seed)


@pytest.mark.parametrize(("name", "what", "seed"), plan(_QUICK_DISKS, 4))
def test_a_full_disk_is_one_line_and_the_next_run_is_right(
    whole: Path, tmp_path: Path, name: str, what: str, seed: int
) -> None:
    pull(whole, tmp_path, name, what, seed)


@pytest.mark.parametrize(("name", "who", "seed"), plan(_QUICK, 8))
def test_a_kill_loses_nothing(whole: Path, tmp_path: Path, name: str, who: str, seed: int) -> None:
    pull(whole, tmp_path, name, who, seed)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "who", "seed"), plan(_KILLS, KILLS))
def test_any_kill_loses_nothing_and_the_next_run_is_right(
    whole: Path, tmp_path: Path, name: str, who: str, seed: int
) -> None:
    pull(whole, tmp_path, name, who, seed)
