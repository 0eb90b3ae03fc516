"""A program that another one runs is heard, bounded and ended alike on every system."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditor import system
from auditor.system import Arrivals, EndKind, Leash, ThreadedArrivals
from tests.systems import posix, windows

_READERS = pytest.mark.parametrize("reader", [Arrivals, ThreadedArrivals])
Reader = Callable[[int], Arrivals | ThreadedArrivals]


@pytest.fixture
def ends() -> Iterator[list[int]]:
    """The two ends of a pipe, the reader's first; closed afterwards where the test did not."""
    pair = list(os.pipe())
    yield pair
    for descriptor in reversed(pair):
        os.close(descriptor)


@_READERS
def test_what_was_written_to_a_pipe_arrives(reader: Reader, ends: list[int]) -> None:
    pipe = reader(ends[0])
    os.write(ends[1], b"at once")
    assert pipe.read(None) == b"at once"
    os.write(ends[1], b"in time")
    assert pipe.read(60) == b"in time"
    os.write(ends[1], b"whenever")
    assert pipe.read(None) == b"whenever"


@_READERS
def test_a_pipe_that_is_silent_is_waited_for_until_the_time_is_over(reader: Reader, ends: list[int]) -> None:
    pipe = reader(ends[0])
    for seconds in (0.01, 0, -1):
        with pytest.raises(TimeoutError):
            pipe.read(seconds)
    os.write(ends[1], b"late")
    assert pipe.read(60) == b"late"


@_READERS
def test_a_closed_pipe_ends_and_stays_ended(reader: Reader, ends: list[int]) -> None:
    pipe = reader(ends[0])
    os.write(ends[1], b"the last")
    assert pipe.read(60) == b"the last"
    os.close(ends.pop())
    assert [pipe.read(60), pipe.read(60), pipe.read(None)] == [b"", b"", b""]


def test_a_waiting_thread_does_not_read_what_gets_the_number_of_a_closed_pipe(ends: list[int]) -> None:
    pipe = ThreadedArrivals(ends[0])
    with pytest.raises(TimeoutError):
        pipe.read(0)
    os.close(ends[0])
    ends[0], other = os.pipe()  # gets the number
    os.write(other, b"of the other pipe")
    os.write(ends[1], b"of the first")
    assert pipe.read(60) == b"of the first"
    assert os.read(ends[0], 99) == b"of the other pipe"
    os.close(other)


@_READERS
def test_more_than_a_pipe_holds_comes_whole_and_in_order(reader: Reader, tmp_path: Path) -> None:
    script = tmp_path / "writer.py"
    script.write_text("import sys\nfor n in range(300_000): sys.stdout.buffer.write(b'%08d' % n)\n")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        pipe = reader(writer.stdout.fileno())
        parts = [pipe.read(60)]
        while parts[-1]:
            parts.append(pipe.read(60))
    assert b"".join(parts) == b"".join(b"%08d" % number for number in range(300_000))


def test_two_processes_share_memory_that_grows() -> None:
    descriptor = system.shared_memory(4096)
    names, passing = system.inheritance([descriptor])
    code = (
        "import mmap, os, sys; from auditor import system; own = system.inherited(int(sys.argv[1]));"
        "assert os.fstat(own).st_size == 4096; system.grow(own, 65536); seen = mmap.mmap(own, 65536);"
        "assert seen[0:5] == b'there'; seen[65000:65004] = b'back'"
    )
    import mmap

    with mmap.mmap(descriptor, 4096) as shared:
        assert not any(shared[:])
        shared[:5] = b"there"
        subprocess.run(
            [sys.executable, "-c", code, str(names[0])], check=True, cwd=Path(__file__).parents[1], **passing
        )
        with mmap.mmap(descriptor, os.fstat(descriptor).st_size) as larger:
            assert len(larger) == 65536
            assert larger[:5] == b"there"
            assert larger[65000:65004] == b"back"
    os.close(descriptor)


def test_an_ended_process_is_gone_and_its_pipe_closed() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.PIPE)
    leash = Leash(process)
    leash.end()
    process.wait(60)
    assert process.stdout is not None
    assert Arrivals(process.stdout.fileno()).read(60) == b""
    process.stdout.close()
    leash.release()
    leash.release()


@windows
def test_a_process_ends_with_the_leash_that_nobody_holds_any_more() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Leash(process).release()
    process.wait(60)


@posix
@pytest.mark.parametrize(
    ("name", "kind"), [("SIGXCPU", EndKind.CPU_TIME), ("SIGKILL", EndKind.KILLED), ("SIGSEGV", EndKind.CRASH)]
)
def test_a_signal_that_ended_a_process_is_told_by_its_name(name: str, kind: EndKind) -> None:
    code = f"import os, signal; os.kill(os.getpid(), signal.{name})"
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert system.ending(done.returncode) == system.ProcessEnd(kind, name)


def test_a_status_of_its_own_is_told_as_it_is() -> None:
    done = subprocess.run([sys.executable, "-c", "raise SystemExit(7)"], check=False)
    assert system.ending(done.returncode) == system.ProcessEnd(EndKind.STATUS, "status 7")


@windows
def test_a_crash_on_windows_is_told_in_words() -> None:
    assert system.ending(0xC0000005).kind is EndKind.CRASH
    assert "access violation" in system.ending(0xC0000005).name
    assert system.ending(0xFFFFFFFF).kind is EndKind.CRASH
    assert system.ending(0xC0001234).name == "status 0xC0001234"


def test_resident_memory_is_what_was_touched() -> None:
    # In a process of its own: here the allocator may hand out pages that an earlier test has touched.
    code = (
        "from auditor.system import resident_memory; before = resident_memory();"
        "touched = bytearray(b'x') * (64 << 20); print(resident_memory() - before)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    assert int(done.stdout) > 50 << 20


@posix
def test_where_only_a_peak_is_told_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Path) -> bytes:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_bytes", missing)
    peak = system.resident_memory()
    assert peak is not None
    assert peak > 1 << 20
    monkeypatch.setitem(sys.modules, "resource", None)
    assert system.resident_memory() is None


def test_the_memory_of_the_machine_is_more_than_that_of_this_process() -> None:
    physical, resident = system.physical_memory(), system.resident_memory()
    assert physical is not None
    assert resident is not None
    assert physical > resident > 1 << 20


def test_a_part_is_read_of_a_file_that_is_still_written(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+b") as log:
        os.write(log.fileno(), b"one two")
        assert system.read_at(log.fileno(), 3, 4) == b"two"
        os.write(log.fileno(), b" three")
    assert (tmp_path / "log").read_bytes() == b"one two three"


def test_only_a_reader_that_has_gone_is_gone() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(OSError) as gone:  # noqa: PT011 - what it is differs between systems
        os.write(writer, b"to nobody")
    os.close(writer)
    assert system.is_gone(gone.value)
    assert not system.is_gone(OSError(errno.ENOSPC, "No space left on device"))
