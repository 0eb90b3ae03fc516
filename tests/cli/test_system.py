"""What the system does to a process: signals, full disks, closed files, and folders that are gone."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import write_network
from tests.verify.models import classifier, saved
from tests.verify.stand_in import stand_in

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the shell and the signals are those of POSIX")
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device of a full disk")


def shell(command: str) -> tuple[int, str, str]:
    """Run a line of bash in which ``$A`` is the program: exit code, stdout, stderr."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "A": f"{sys.executable} -m auditor"}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def network() -> Path:
    return write_network(Path("net.onnx"))


@needs_full
@pytest.mark.parametrize("arguments", ["check net.onnx", "check net.onnx --output-format json", "--help", "--version"])
@pytest.mark.usefixtures("network")
def test_a_full_disk_behind_stdout_is_one_line(arguments: str) -> None:
    code, _, err = shell(f"$A {arguments} > /dev/full")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "No space left on device" in err
    assert "internal" not in err


@pytest.mark.parametrize("arguments", ["check net.onnx", "--version"])
@pytest.mark.usefixtures("network")
def test_a_closed_stdout_loses_no_report_in_silence(arguments: str) -> None:
    code, _, err = shell(f"$A {arguments} >&-")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "standard output" in err


@pytest.mark.usefixtures("network")
def test_a_report_that_goes_to_a_file_needs_no_stdout() -> None:
    code, _, err = shell("$A check net.onnx --fail-on warning -o report.txt >&- <&-")
    assert code == 1
    assert "wrote report.txt" in err
    assert "AA101" in Path("report.txt").read_text()


@pytest.mark.parametrize("stderr", ["2>&-", pytest.param("2> /dev/full", marks=needs_full)])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [("check net.onnx --fail-on warning", 1), ("check net.onnx", 0), ("check absent.onnx", 3), ("check --nonsense", 2)],
)
@pytest.mark.usefixtures("network")
def test_a_stderr_that_cannot_be_written_changes_no_exit_code(arguments: str, code: int, stderr: str) -> None:
    found, out, _ = shell(f"$A {arguments} {stderr}")
    assert found == code
    assert "nonsense" not in out


@pytest.mark.parametrize("arguments", ["--help", "check --help", "rule --all", "check net.onnx"])
@pytest.mark.usefixtures("network")
def test_a_reader_that_has_gone_is_no_error(arguments: str) -> None:
    assert shell(f'$A {arguments} | true; exit "${{PIPESTATUS[0]}}"')[0::2] == (0, "")


@needs_full
@pytest.mark.usefixtures("network")
def test_debug_shows_where_the_system_refused() -> None:
    code, _, err = shell("$A --debug check --help > /dev/full")
    assert code == 2
    assert "Traceback" in err


@pytest.mark.usefixtures("network")
def test_a_working_directory_that_is_gone_is_one_line() -> None:
    code, out, err = shell('mkdir gone && cd gone && rmdir ../gone && $A check "$OLDPWD/net.onnx"')
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "working directory" in err


@pytest.mark.parametrize("command", ["check net.onnx", "verify net.onnx --images images.npz --device cpu"])
def test_few_file_descriptors_suffice_or_are_one_line(command: str) -> None:
    pytest.importorskip("resource")
    saved(Path("net.onnx"), classifier())
    np.savez("images.npz", images=np.zeros((2, 24, 24, 3), np.uint8))
    for count in (6, 8, 12, 16):
        code, out, err = shell(f"ulimit -n {count}; $A {command} --fail-on never")
        assert code in (0, 2, 3), err
        assert "internal error" not in out + err, count
        assert "Traceback" not in err, count
        if code:
            assert "open files" in out + err, count


def test_settings_that_are_nested_too_deeply_are_refused(run: Run, network: Path) -> None:
    Path("aliasaudit.toml").write_text("a = " + "[" * 5000 + "]" * 5000)
    code, _, err = run("check", network)
    assert code == 2
    assert "nested too deeply" in err


def test_images_whose_function_ends_the_program_are_an_incomplete_audit(run: Run) -> None:
    saved(Path("net.onnx"), classifier())
    Path("mine.py").write_text("def images():\n    raise SystemExit(0)\n")
    code, out, _ = run("verify", "net.onnx", "--images", "mine.py:images", "--device", "cpu")
    assert code == 3
    assert "SystemExit" in out


def test_a_rule_that_ends_the_program_does_not_pass_the_gate(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr("auditor.audit.run.judge", leave)
    code, _, err = run("check", write_network(Path("net.onnx")))
    assert code == 2
    assert "ended the program" in err


# ---- signals


class Measuring:
    """``verify`` on a runtime that answers some images and then waits for ever; its end closes a pipe."""

    def __init__(self, folder: Path, arguments: str, given: bytes = b"") -> None:
        self.ours, theirs = os.pipe()
        front = stand_in(folder, f"import time\nos.write({theirs}, b'begun')\ntime.sleep(3600)")
        # The worker inherits only what it is told to: let it keep the pipe.
        (front / "sitecustomize.py").write_text(
            "import subprocess\nusual = subprocess.Popen\n"
            "class Popen(usual):\n"
            "    def __init__(self, *arguments, pass_fds=(), **more):\n"
            f"        super().__init__(*arguments, pass_fds=[*pass_fds, {theirs}] if pass_fds else pass_fds, **more)\n"
            "subprocess.Popen = Popen\n"
        )
        spare = folder / "spare"
        spare.mkdir()
        self.spare = spare
        self.process = subprocess.Popen(
            [sys.executable, "-m", "auditor", *arguments.split()],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(front), str(ROOT)]), "TMPDIR": str(spare)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[theirs],
        )
        os.close(theirs)
        assert self.process.stdin is not None
        self.process.stdin.write(given)
        self.process.stdin.close()
        self.process.stdin = None
        assert os.read(self.ours, 5) == b"begun"

    def end(self, number: int) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        assert select.select([self.ours], [], [], 60)[0], "the worker is still there"
        os.close(self.ours)
        return self.process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_with_one_line_and_no_file_left(tmp_path: Path, name: str, code: int) -> None:
    np.savez("images.npz", images=np.zeros((2, 24, 24, 3), np.uint8))
    model = saved(tmp_path / "net.onnx", classifier())
    before = {path.name for path in Path.cwd().iterdir()} | {"stand-in", "spare"}
    number = getattr(signal, name)
    inherited = signal.signal(number, signal.SIG_DFL)  # under nohup it would be ignored, as is right
    try:
        running = Measuring(tmp_path, "verify - --images images.npz --device cpu --isolated", model.read_bytes())
    finally:
        signal.signal(number, inherited)
    found, out, err = running.end(number)
    assert (found, out) == (code, "")
    assert err.splitlines() == [f"aliasaudit: ended by {name}"]
    assert list(running.spare.iterdir()) == []
    assert {path.name for path in Path.cwd().iterdir()} == before


def test_a_repair_that_is_ended_leaves_no_file(tmp_path: Path) -> None:
    np.savez("images.npz", images=np.zeros((2, 24, 24, 3), np.uint8))
    saved(tmp_path / "net.onnx", classifier())
    before = {path.name for path in Path.cwd().iterdir()} | {"stand-in", "spare"}
    command = "fix net.onnx -o fixed.onnx --strategy blur --verify --images images.npz --device cpu"
    running = Measuring(tmp_path, command)
    found, _, err = running.end(signal.SIGTERM)
    assert found == 143
    assert "ended by SIGTERM" in err
    assert list(running.spare.iterdir()) == []
    assert {path.name for path in Path.cwd().iterdir()} == before


def test_what_was_measured_before_a_signal_is_reported(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(Path("net.onnx"), classifier())
    saved(Path("next.onnx"), classifier())
    Path("mine.py").write_text(
        "import os, signal\nimport numpy as np\n"
        "def images():\n"
        "    for index in range(9):\n"
        "        if index == 6:\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n"
        "        yield np.random.default_rng(index).integers(0, 256, (24, 24, 3), dtype=np.uint8)\n"
    )
    flags = ("--radius", "4", "--shifts", "2", "--layers", "0", "--device", "cpu", "--isolated", "--preset", "unit")
    code, out, err = run("verify", "net.onnx", "next.onnx", "--images", "mine.py:images", *flags)
    assert code == 143
    assert "interrupted after" in out
    assert "measured on" in out
    assert "next.onnx" not in out
    assert "ended by SIGTERM" in err
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_hang_up_that_is_ignored_stays_ignored(run: Run, network: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run("check", network)[0] == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
