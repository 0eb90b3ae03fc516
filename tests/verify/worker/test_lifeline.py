"""A worker whose parent is gone is gone, too, in the middle of a call as well."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.systems import posix
from tests.verify.models import classifier, saved
from tests.verify.stand_in import stand_in

ROOT = Path(__file__).parents[3]
# The runtime says that it has begun, and never comes back.
_LONG = "import ctypes, time\nos.write({pipe}, b'begun')\n{wait}"
_FREE = "time.sleep(3600)"
_HELD = "ctypes.PyDLL(None).sleep(3600)"  # keeps the GIL
_UNASKED = "ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)"  # takes the request to be killed back
_CALLS = {
    "a call that gives the GIL away": _FREE,
    "a call that keeps the GIL": _HELD,
    "a call on a system that kills nobody": f"{_UNASKED}; {_FREE}",
}
_PARENT = """
import sys
from pathlib import Path
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import SessionSpec
from auditor.verify.worker.limits import RunLimits
from auditor.verify.worker.device import parse_device

class Leaky(Worker):
    def __init__(self, pipe):
        import subprocess
        usual = subprocess.Popen
        subprocess.Popen = lambda *a, pass_fds, **k: usual(*a, pass_fds=[*pass_fds, pipe], **k)
        super().__init__(parse_device("cpu"), RunLimits(), 1)

with Leaky(int(sys.argv[1])) as worker:
    worker.open(SessionSpec(Path(sys.argv[2])))
"""


@posix  # elsewhere a leash does, see the tests of the system
@pytest.mark.parametrize("call", _CALLS.values(), ids=_CALLS)
def test_the_worker_ends_with_a_parent_that_is_killed(tmp_path: Path, call: str) -> None:
    if call != _FREE and sys.platform != "linux":
        pytest.skip("only Linux can be asked to kill a process whose parent ended")
    path = saved(tmp_path / "m.onnx", classifier())
    ours, theirs = os.pipe()
    front = stand_in(tmp_path, _LONG.format(pipe=theirs, wait=call))
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(theirs), str(path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(front), str(ROOT)])},
        pass_fds=[theirs],
    )
    os.close(theirs)
    try:
        assert os.read(ours, 5) == b"begun"
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    # The worker holds the other end of the pipe for as long as it lives.
    assert select.select([ours], [], [], 60)[0]
    assert os.read(ours, 1) == b""
    os.close(ours)
