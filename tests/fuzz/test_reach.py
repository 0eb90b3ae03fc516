"""What a command reaches for: it writes nowhere but to its output and among temporary files, and opens no socket."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.fuzz.corpus import FAST, noise
from tests.verify.models import classifier, saved

ROOT = Path(__file__).parents[2]
_COMMON = ("--images", "noise.npz", "--preset", "unit", "--device", "cpu", "--isolated")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "check": ("check", "net.onnx", "--isolated", "-o", "report.txt"),
    "compare": ("compare", "net.onnx", "new.onnx", "--isolated", "-o", "report.txt"),
    "fix": ("fix", "net.onnx", "-o", "fixed.onnx", "--strategy", "blur", "--isolated"),
    "tiles": ("tiles", "net.onnx", "--isolated", "-o", "report.txt"),
    "verify": ("verify", "net.onnx", *FAST, "-o", "report.txt"),
    "fix measured": ("fix", "net.onnx", "-o", "fixed.onnx", "--strategy", "blur", "--verify", *_COMMON),
    "compare measured": ("compare", "net.onnx", "new.onnx", "--verify", *_COMMON, "-o", "report.txt"),
    "tiles measured": ("tiles", "net.onnx", "--verify", *_COMMON, "-o", "report.txt"),
}
# Nobody's files: the null device, terminals, and what a worker says of itself to the system.
_NOWHERE = re.compile(r"/dev/(null|tty|shm|nvidia\w*)|/proc/(self|\d+)/oom_score_adj|/sys/.*")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "spare").mkdir()
    saved(folder / "net.onnx", classifier())
    saved(folder / "new.onnx", classifier(stride=4))
    noise(folder / "noise.npz")
    return folder


def run(work: Path, *words: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"TMPDIR": str(work.parent / "spare"), "HOME": str(work.parent / "home")}
    done = subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr


def require_allowed(work: Path, paths: Iterator[str], output: str) -> None:
    """Every path is the output, an unfinished file beside it, or lies among temporary files."""
    spare = work.parent / "spare"
    for name in paths:
        path = Path(os.path.abspath(work / name))  # noqa: PTH100 - links stay as they are
        if _NOWHERE.fullmatch(path.as_posix()) or path.is_relative_to(spare):
            continue
        inside = path.relative_to(work).parts[0] if path.is_relative_to(work) else ""
        hidden = inside.startswith((f".{output}.", ".aliasaudit-"))
        assert inside == output or hidden, f"wrote {path}"


_RARE = ("compare measured", "tiles measured")  # the worker of these is that of `verify`


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in _RARE else name for name in COMMANDS]
)
def test_a_command_opens_no_file_for_writing_but_its_output_and_no_socket(work: Path, name: str) -> None:
    log = work.parent / "log"
    run(work, sys.executable, "-m", "tests.fuzz.watched", str(log), *COMMANDS[name])
    seen = [json.loads(line) for line in log.read_text().splitlines()]
    sockets = [words for words in seen if words[0].startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib."))]
    assert sockets == []
    programs = {words[1] for words in seen if words[0].startswith(("subprocess.", "os.system", "os.exec", "os.posix"))}
    assert programs <= {sys.executable}
    others = (path for words in seen for path in words[1:] if isinstance(path, str) and path not in programs)
    require_allowed(work, others, output_of(name))


def output_of(name: str) -> str:
    return next(word for word in COMMANDS[name] if word in ("report.txt", "fixed.onnx"))


_WRITES = re.compile(r"\b(?:openat?|creat|mkdir(?:at)?|rename\w*|unlink\w*|link\w*|symlink\w*|truncate)\((.*)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@pytest.mark.parametrize("name", ["verify", "fix measured"])
def test_the_system_is_asked_for_no_other_file_and_no_connection_by_any_of_its_processes(work: Path, name: str) -> None:
    """As above, seen from outside: what native code does, and the worker, counts too."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    log = work.parent / "log"
    trace = "%network,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink"
    probe = subprocess.run([strace, "-f", "-o", os.devnull, "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("strace may not trace here")
    command = (
        strace,
        "-f",
        "-qq",
        "-s",
        "300",
        "-e",
        f"trace={trace}",
        "-o",
        str(log),
        sys.executable,
        "-m",
        "auditor",
    )
    run(work, *command, *COMMANDS[name])
    lines = log.read_text(errors="replace").splitlines()
    connections = [line for line in lines if re.search(r"\b(connect|bind|listen|sendto|sendmsg)\(", line)]
    assert [line for line in connections if "AF_UNIX" not in line or "socketpair" in line] == []
    require_allowed(work, _asked_to_write(lines), output_of(name))


def _asked_to_write(lines: list[str]) -> Iterator[str]:
    for line in lines:
        call = _WRITES.search(line)
        if call is None or ("open" in call[0].split("(")[0] and not re.search(r"O_(WRONLY|RDWR|CREAT)", line)):
            continue
        within = call[0].startswith("unlinkat(") and call[1][0].isdigit()  # a folder that is removed, and named later
        if "= -1 " not in line and not within:
            yield from _QUOTED.findall(call[1])
