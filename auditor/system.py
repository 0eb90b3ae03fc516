"""What differs between operating systems where a program runs another: no other file there asks which one it is on.

POSIX passes descriptors on by number, waits for pipes with ``select``, ends a process by a signal and bounds it by
``setrlimit``. Windows has none of these: handles are inherited by a list, a thread waits for a pipe, and a job object
ends a process with all it started as soon as the one that holds the job is gone, however that ended (Microsoft, Win32
documentation, "Job Objects"). Windows bounds no time of the processor here: the job ends what outlives its parent.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import queue
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

_PART = 1 << 20  # bytes
_PARTS = 8  # that wait to be read
_GONE = frozenset({errno.EPIPE, errno.ESHUTDOWN})


class EndKind(enum.Enum):
    """How a process ended that should have gone on."""

    CPU_TIME = "it took more time of the processor than it may"
    KILLED = "it was killed"
    CRASH = "it crashed"
    STATUS = "it ended by itself"


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a process ended; ``name`` is what the system calls it."""

    kind: EndKind
    name: str


def is_gone(error: OSError) -> bool:
    """Whether the reader of a stream has gone. Windows says EINVAL of a pipe that nobody reads."""
    return error.errno in _GONE or (sys.platform == "win32" and error.errno == errno.EINVAL)


class ThreadedArrivals:
    """What comes through a pipe where ``select`` knows sockets only: a thread waits for it if a time is set."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._parts: queue.Queue[bytes] | None = None

    def read(self, seconds: float | None) -> bytes:
        """What is there, empty where the pipe was closed. Raises TimeoutError."""
        if self._parts is None:
            if seconds is None:
                return os.read(self._descriptor, _PART)
            self._parts = queue.Queue(_PARTS)
            # Its own descriptor: the other may be closed, and its number used again, before the thread has seen it.
            threading.Thread(target=_fill, args=(os.dup(self._descriptor), self._parts), daemon=True).start()
        try:
            part = self._parts.get(timeout=None if seconds is None else max(seconds, 0))
        except queue.Empty:
            raise TimeoutError from None
        if not part:
            self._parts.put(part)  # a closed pipe stays closed
        return part


def _fill(descriptor: int, parts: queue.Queue[bytes]) -> None:
    with contextlib.suppress(OSError):
        while part := os.read(descriptor, _PART):
            parts.put(part)
    os.close(descriptor)
    parts.put(b"")


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    APART: Mapping[str, Any] = {"creationflags": 0x08000200}  # CREATE_NO_WINDOW and CREATE_NEW_PROCESS_GROUP
    """For :class:`subprocess.Popen`: ^C in the terminal reaches the parent only."""

    _CRASHES = {
        3: "abort()",
        0xC0000005: "an access violation",
        0xC000001D: "an illegal instruction",
        0xC0000017: "no memory",
        0xC0000094: "a division by zero",
        0xC00000FD: "a stack overflow",
        0xC0000374: "a corrupted heap",
        0xC0000409: "a fast fail",
    }
    _FIRST_CRASH = 0xC0000000  # of NTSTATUS: an error, by its two highest bits
    _KILL_ON_JOB_CLOSE, _DIE_ON_UNHANDLED_EXCEPTION = 0x2000, 0x400
    _EXTENDED_LIMIT_INFORMATION = 9
    _SET_QUOTA_AND_TERMINATE = 0x0101
    _NO_ERROR_BOXES = 0x0003  # SEM_FAILCRITICALERRORS and SEM_NOGPFAULTERRORBOX

    class _Limits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION of winnt.h."""

        _fields_ = (
            ("per_process_user_time", ctypes.c_int64),
            ("per_job_user_time", ctypes.c_int64),
            ("flags", wintypes.DWORD),
            ("minimum_working_set", ctypes.c_size_t),
            ("maximum_working_set", ctypes.c_size_t),
            ("active_processes", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority_class", wintypes.DWORD),
            ("scheduling_class", wintypes.DWORD),
            ("io_counters", ctypes.c_uint64 * 6),
            ("process_memory", ctypes.c_size_t),
            ("job_memory", ctypes.c_size_t),
            ("peak_process_memory", ctypes.c_size_t),
            ("peak_job_memory", ctypes.c_size_t),
        )

    class _MemoryStatus(ctypes.Structure):
        """MEMORYSTATUSEX of sysinfoapi.h."""

        _fields_ = (
            ("length", wintypes.DWORD),
            ("load", wintypes.DWORD),
            ("physical", ctypes.c_uint64),
            ("others", ctypes.c_uint64 * 6),
        )

    class _MemoryCounters(ctypes.Structure):
        """PROCESS_MEMORY_COUNTERS of psapi.h."""

        _fields_ = (
            ("length", wintypes.DWORD),
            ("page_faults", wintypes.DWORD),
            ("peak_working_set", ctypes.c_size_t),
            ("working_set", ctypes.c_size_t),
            ("others", ctypes.c_size_t * 6),
        )

    def _kernel() -> ctypes.WinDLL:
        library = ctypes.WinDLL("kernel32", use_last_error=True)
        for name in ("CreateJobObjectW", "OpenProcess", "GetCurrentProcess"):
            getattr(library, name).restype = wintypes.HANDLE
        return library

    def _checked(outcome: Any) -> Any:
        if not outcome:
            raise ctypes.WinError(ctypes.get_last_error())
        return outcome

    def _held_together(pid: int) -> int | None:
        """The handle of a job that holds a process; what this starts will be in it, too."""
        kernel = _kernel()
        job = _checked(kernel.CreateJobObjectW(None, None))
        held = None
        try:
            limits = _Limits(flags=_KILL_ON_JOB_CLOSE | _DIE_ON_UNHANDLED_EXCEPTION)
            told = ctypes.byref(limits), ctypes.sizeof(limits)
            _checked(kernel.SetInformationJobObject(wintypes.HANDLE(job), _EXTENDED_LIMIT_INFORMATION, *told))
            held = _checked(kernel.OpenProcess(_SET_QUOTA_AND_TERMINATE, False, pid))
            _checked(kernel.AssignProcessToJobObject(wintypes.HANDLE(job), wintypes.HANDLE(held)))
        except OSError:
            kernel.CloseHandle(wintypes.HANDLE(job))
            raise
        finally:
            if held:
                kernel.CloseHandle(wintypes.HANDLE(held))
        return int(job)

    def _end_all(job: int) -> None:
        _kernel().TerminateJobObject(wintypes.HANDLE(job), 1)

    def _let_go(job: int) -> None:
        _kernel().CloseHandle(wintypes.HANDLE(job))

    Arrivals = ThreadedArrivals

    def inheritance(descriptors: Sequence[int]) -> tuple[tuple[int, ...], dict[str, Any]]:
        """What a child calls these descriptors, and what :class:`subprocess.Popen` must be given to pass them on."""
        import subprocess

        handles = [msvcrt.get_osfhandle(descriptor) for descriptor in descriptors]
        for handle in handles:
            os.set_handle_inheritable(handle, True)
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": list(handles)})
        return tuple(handles), {**APART, "startupinfo": startup}

    def inherited(name: int) -> int:
        """The descriptor that the parent calls so, in the child."""
        return msvcrt.open_osfhandle(name, os.O_RDWR | os.O_BINARY)

    def shared_memory(size: int) -> int:
        """The descriptor of zero-filled memory without a name that another process can map, too."""
        import tempfile

        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
        grow(descriptor, size)
        return descriptor

    def grow(descriptor: int, size: int) -> None:
        """Make shared memory larger, in both processes."""
        import mmap

        mmap.mmap(descriptor, size).close()  # a mapping above the size extends the file; mapped ones cannot be cut

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        """What stands at a place of a file that is written at its end."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        part = os.read(descriptor, size)
        os.lseek(descriptor, 0, os.SEEK_END)
        return part

    def ending(code: int) -> ProcessEnd:
        """How a process with this exit status ended."""
        if code >= _FIRST_CRASH or code in _CRASHES:
            known = _CRASHES.get(code)
            number = f"status 0x{code:08X}"
            return ProcessEnd(EndKind.CRASH, f"{known} ({number})" if known else number)
        return ProcessEnd(EndKind.STATUS, f"status {code}")

    def follow(parent: int) -> None:  # noqa: ARG001 - what other systems need
        """Nothing is asked for: the parent's :class:`Leash` ends this process, which shows no boxes when it crashes."""
        _kernel().SetErrorMode(_NO_ERROR_BOXES)

    def physical_memory() -> int | None:
        """The memory of this machine in bytes; None where the system does not tell."""
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        return int(status.physical) if _kernel().GlobalMemoryStatusEx(ctypes.byref(status)) else None

    def resident_memory() -> int | None:
        """The resident memory of this process in bytes, its peak where the system tells no more; None where nothing."""
        counters = _MemoryCounters(length=ctypes.sizeof(_MemoryCounters))
        kernel = _kernel()
        process = wintypes.HANDLE(kernel.GetCurrentProcess())
        told = kernel.K32GetProcessMemoryInfo(process, ctypes.byref(counters), counters.length)
        return int(counters.working_set) if told else None

    def bound_cpu_seconds(seconds: int) -> None:
        """No such bound is set on Windows: see above."""

    def last_in_line() -> None:
        """No files of crashes are written on Windows, and a lack of memory ends no process there."""

else:
    import select
    import signal

    APART: Mapping[str, Any] = {"start_new_session": True}
    _KIBIBYTE = 1024
    _PR_SET_PDEATHSIG = 1  # linux/prctl.h

    def _held_together(pid: int) -> int | None:  # noqa: ARG001 - what Windows needs
        """Nothing is held: a process ends with its parent by itself, by :func:`follow` and its closed input."""
        return None

    def _end_all(job: int) -> None: ...

    def _let_go(job: int) -> None: ...

    class Arrivals:
        """What comes through a pipe."""

        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor

        def read(self, seconds: float | None) -> bytes:
            """What is there, empty where the pipe was closed. Raises TimeoutError."""
            if seconds is not None and not select.select([self._descriptor], [], [], max(seconds, 0))[0]:
                raise TimeoutError
            return os.read(self._descriptor, _PART)

    def inheritance(descriptors: Sequence[int]) -> tuple[tuple[int, ...], dict[str, Any]]:
        """What a child calls these descriptors, and what :class:`subprocess.Popen` must be given to pass them on."""
        return tuple(descriptors), {**APART, "pass_fds": list(descriptors)}

    def inherited(name: int) -> int:
        """The descriptor that the parent calls so, in the child."""
        return name

    def shared_memory(size: int) -> int:
        """The descriptor of zero-filled memory without a name that another process can map, too.

        On Linux neither process can make it smaller: the other would die reading memory that is gone.
        """
        if sys.platform == "linux":
            import fcntl

            descriptor = os.memfd_create("aliasaudit", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.ftruncate(descriptor, size)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        else:
            from auditor.unfinished import unnamed_file

            with unnamed_file() as file:
                descriptor = os.dup(file.fileno())
            os.ftruncate(descriptor, size)
        return descriptor

    def grow(descriptor: int, size: int) -> None:
        """Make shared memory larger, in both processes."""
        os.ftruncate(descriptor, size)

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        """What stands at a place of a file that is written at its end."""
        return os.pread(descriptor, size, offset)

    def ending(code: int) -> ProcessEnd:
        """How a process with this exit status ended."""
        if code >= 0:
            return ProcessEnd(EndKind.STATUS, f"status {code}")
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        kinds = {-signal.SIGXCPU: EndKind.CPU_TIME, -signal.SIGKILL: EndKind.KILLED}
        return ProcessEnd(kinds.get(code, EndKind.CRASH), name)

    def follow(parent: int) -> None:
        """Let Linux kill this process when the parent's thread that started it ends, even inside a call with the GIL.

        Elsewhere, and where the C library cannot be reached, its closed input alone tells.
        """
        if sys.platform == "linux":
            import ctypes

            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the request above
            os._exit(0)

    def physical_memory() -> int | None:
        """The memory of this machine in bytes; None where the system does not tell."""
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError):
            return None

    def resident_memory() -> int | None:
        """The resident memory of this process in bytes, its peak where the system tells no more; None where nothing."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        try:
            import resource
        except ImportError:
            return None
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * _KIBIBYTE

    def bound_cpu_seconds(seconds: int) -> None:
        """Let the system send SIGXCPU to this process when it has taken so much time of the processor in all."""
        _limit("RLIMIT_CPU", seconds)

    def last_in_line() -> None:
        """Never write a core file of this process. Linux ends it before any other where memory runs out for all."""
        _limit("RLIMIT_CORE", 0)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")

    def _limit(name: str, size: int) -> None:
        """Set the soft limit of a resource. Where the system refuses, other bounds must do."""
        try:
            import resource
        except ImportError:
            return
        kind = getattr(resource, name)
        with contextlib.suppress(ValueError, OSError):
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


class Leash:
    """Ends a process when asked to; on Windows with all it started, and also when this one ends, however it does."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._job = _held_together(process.pid)

    def end(self) -> None:
        """End it. A process that it started would hold its pipes, and keep their reader waiting."""
        if self._job is not None:
            _end_all(self._job)
        self._process.kill()

    def release(self) -> None:
        """Give back what the system holds for it, and on Windows end it. Twice is allowed."""
        if self._job is not None:
            _let_go(self._job)
            self._job = None
