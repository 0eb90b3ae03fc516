"""One mutant through one command, in this process; and what the program promised and did not keep."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType

from auditor.cli import main
from auditor.onnxfile import ModelFileError, read_model
from auditor.text import plain
from auditor.verify.errors import VerifyError
from auditor.verify.options import read_request
from auditor.verify.result import Rejected
from tests.fuzz.corpus import within
from tests.fuzz.targets import READ, Target

_CODES = (0, 1, 2, 3)
_SPINNING = 120  # seconds of CPU time: a hang, on any machine
_WAITING = 1200  # seconds on the clock
_MEMORY = 3 << 30  # bytes that one case may reserve on top of what this process has
_NEEDS_A_NAME = (2, 3)


@dataclass(frozen=True, slots=True)
class Corpus:
    """The folder of whole files, and the models that mutants are made of."""

    folder: Path
    models: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One mutant: of which target, and the seed that makes it."""

    target: Target
    seed: int

    @property
    def command(self) -> str:
        """What runs this case again."""
        return f"python -m tests.fuzz {self.target.name} --seed {self.seed} --count 1"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the program did with a mutant; ``faults`` says which promises it broke."""

    line: tuple[str, ...]
    code: int | None
    out: str
    err: str
    seconds: float
    faults: tuple[str, ...]


class _HangError(BaseException):
    """Time is up. Not an Exception, which the program would make a line of."""


def mutant(case: Case, corpus: Corpus) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of the mutant, and the command line."""
    target = case.target
    chance = Random(f"{target.name} {case.seed}")
    if target.is_model:
        origin = chance.choice(corpus.models)
    else:
        origin = (corpus.folder / chance.choice(target.origins)).read_bytes()
    data = target.mutate(origin, chance)
    return data, chance.choice(target.lines)


def run_case(case: Case, corpus: Corpus, folder: Path, *more: str) -> Verdict:
    """Make the mutant in an empty folder and run its command there; ``more`` words go before it."""
    target = case.target
    spare, work = folder / "spare", folder / "work"
    for place in (spare, work):
        place.mkdir(parents=True)
    for name in target.beside:
        source = corpus.folder / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, work / name)
    data, line = mutant(case, corpus)
    (work / target.mutant).write_bytes(data)
    before = _contents(work)
    with within(work), _temporary(spare):
        code, out, err, seconds = _call((*more, *line), bounded=not target.measures)
    faults = [
        *_spoken(target, code, out, err),
        *_left(target, before, _contents(work)),
        *(f"left in the temporary folder: {name}" for name in _contents(spare)),
        *_unreadable(work / name for name in target.outputs if name.endswith(".onnx")),
        *(["left a child process"] if _has_children() else []),
    ]
    return Verdict(line, code, out, err, seconds, tuple(faults))


def _call(line: tuple[str, ...], *, bounded: bool) -> tuple[int | None, str, str, float]:
    out, err = io.StringIO(), io.StringIO()
    begun = time.process_time()
    code: int | None = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with _alarms(), _memory(bounded):
                code = _read(line[1:]) if line[0] == READ else main(list(line))
        except _HangError:
            err.write("Traceback: the command did not end\n")
        except Exception:  # noqa: BLE001 - whatever comes out of a program is what is looked for
            traceback.print_exc()
    return code, out.getvalue(), err.getvalue(), time.process_time() - begun


def _read(words: tuple[str, ...]) -> int:
    """Decode all images, as a measurement does before it runs a model."""
    words = words if words[0].startswith("--") else ("--images", *words)
    options = {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}
    try:
        for image in read_request(options).source():
            if isinstance(image, Rejected):
                sys.stdout.write(f"{plain(image.name)}: {plain(image.reason)}\n")
    except (ValueError, VerifyError) as error:
        sys.stderr.write(f"{error} {plain(getattr(error, 'detail', ''))}\n")
        return 3
    return 0


def _spoken(target: Target, code: int | None, out: str, err: str) -> Iterator[str]:
    """What is wrong with the exit code and the words."""
    if code not in _CODES:
        yield f"exit code {code}"
    for word in ("Traceback", "internal error", "no memory left"):
        if word in err or (word in out and word != "no memory left"):
            yield f"says {word!r}"
    if code == 2 and len([row for row in err.splitlines() if row.strip()]) != 1:
        yield f"an error of {len(err.splitlines())} lines"
    names = (Path(target.mutant).name, *target.shown)
    if code in _NEEDS_A_NAME and not any(name in out + err for name in names):
        yield f"exit code {code} without the name of the file"
    if "\x1b" in err or "\x1b" in out:
        yield "an escape reached the terminal"


def _left(target: Target, before: dict[str, bytes], after: dict[str, bytes]) -> Iterator[str]:
    for name in after:
        if name not in before and name not in target.outputs:
            yield f"left a file: {name}"
    for name, data in before.items():
        if name not in target.outputs and after.get(name) != data:
            yield f"changed an input: {name}"


def _unreadable(paths: Iterator[Path]) -> Iterator[str]:
    """Models that were written and cannot be read."""
    for path in paths:
        if path.exists():
            try:
                read_model(path)
            except ModelFileError as error:
                yield f"wrote a model that cannot be read: {error.reason}"


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"a folder"
        for path in sorted(folder.rglob("*"))
    }


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    """Temporary files go to this folder, those of child processes as well."""
    names = ("TMPDIR", "TEMP", "TMP")
    before = {name: os.environ.get(name) for name in names}
    usual = tempfile.tempdir
    os.environ |= dict.fromkeys(names, str(folder))
    tempfile.tempdir = None
    try:
        yield
    finally:
        tempfile.tempdir = usual
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _alarms() -> Iterator[None]:
    """A hang ends: one that computes, and one that waits."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        raise _HangError

    bounds = ((signal.ITIMER_VIRTUAL, signal.SIGVTALRM, _SPINNING), (signal.ITIMER_REAL, signal.SIGALRM, _WAITING))
    handlers = [(number, signal.signal(number, end)) for _, number, _ in bounds]
    for timer, _, seconds in bounds:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer, _, _ in bounds:
            signal.setitimer(timer, 0)
        for number, handler in handlers:
            signal.signal(number, handler)


@contextlib.contextmanager
def _memory(bounded: bool) -> Iterator[None]:
    """What a case may reserve; a worker has bounds of its own, which it would inherit these in the place of."""
    status = Path("/proc/self/statm")
    if not bounded or not status.exists():
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(status.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + _MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _has_children() -> bool:
    if sys.platform == "win32":
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
