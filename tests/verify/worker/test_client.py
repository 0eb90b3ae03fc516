from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from auditor.verify.errors import (
    DeviceUnavailableError,
    ModelRejectedError,
    VerifyError,
    WorkerCrashedError,
    WorkerMemoryError,
    WorkerTimeoutError,
)
from auditor.verify.worker.arena import Arena
from auditor.verify.worker.client import Worker
from auditor.verify.worker.device import parse_device
from auditor.verify.worker.job import Job, SessionSpec, Windows
from auditor.verify.worker.limits import RunLimits
from auditor.verify.worker.providers import CPU
from tests.runtime import runtime_since
from tests.sharing import OPEN_FILES
from tests.systems import posix, windows
from tests.verify.models import classifier, model, saved
from tests.verify.stand_in import dies_with, stand_in

CANVAS = np.random.default_rng(0).normal(size=(2, 3, 20, 22)).astype(np.float32)
PLACES = np.array([(i % 2, i % 5, i % 7) for i in range(11)], np.int64)


def worker(**limits: float) -> Worker:
    return Worker(parse_device("cpu"), RunLimits(**limits), 1)  # type: ignore[arg-type]


def job(session: int, batch: int, *, exact: bool = False, outputs: tuple[str, ...] = ("y",)) -> Job:
    return Job(session, Windows("x", CANVAS, PLACES, (16, 16), False), outputs, batch, exact)


@pytest.fixture(scope="module")
def running() -> Iterator[Worker]:
    with worker() as one:
        yield one


def expected(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=[CPU])
    windows = [CANVAS[i : i + 1, :, y : y + 16, x : x + 16] for i, y, x in PLACES]
    return np.concatenate([session.run(None, {"x": window})[0] for window in windows])


@pytest.mark.parametrize("batch", [1, 4, 64])
def test_windows_run_in_batches_give_what_onnxruntime_gives_one_by_one(
    running: Worker, tmp_path: Path, batch: int
) -> None:
    path = saved(tmp_path / "m.onnx", classifier())
    opened = running.open(SessionSpec(path))
    answer = running.run(job(opened.key, batch))
    np.testing.assert_allclose(np.stack(answer.rows("y")), expected(path), rtol=1e-5, atol=1e-6)
    assert len(answer.calls) == -(-11 // batch)
    assert [port.name for port in opened.inputs] == ["x"]
    assert opened.inputs[0].shape == ("N", 3, 16, 16)
    assert opened.provider.used == CPU
    if runtime_since(1, 24):
        assert dict(opened.provider.placement)[CPU] >= 2
    else:
        assert (opened.provider.placement, opened.provider.others) == ((), ())


def test_a_model_with_a_fixed_batch_of_four_gets_whole_batches(running: Worker, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", classifier(4))
    single = saved(tmp_path / "s.onnx", classifier(1))
    answer = running.run(job(running.open(SessionSpec(path)).key, 4, exact=True))
    np.testing.assert_allclose(np.stack(answer.rows("y")), expected(single), rtol=1e-5, atol=1e-6)


def test_intermediate_tensors_come_with_the_outputs(running: Worker, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", classifier(1))
    opened = running.open(SessionSpec(path, extra_outputs=("pool",), free_batch=("x",)))
    answer = running.run(job(opened.key, 3, outputs=("pool", "y")))
    assert [value.shape for value in answer.rows("pool")] == [(8, 8, 8)] * 11
    np.testing.assert_allclose(np.stack(answer.rows("y")), expected(path), rtol=1e-5, atol=1e-6)


def test_two_jobs_may_be_under_way_and_keep_their_order(running: Worker, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", classifier())
    key = running.open(SessionSpec(path)).key
    wanted = expected(path)
    for _ in range(3):
        running.submit(job(key, 2))
        running.submit(job(key, 5))
        with pytest.raises(ValueError, match="third"):
            running.submit(job(key, 1))
        assert [len(running.collect().calls) for _ in range(2)] == [6, 3]
        running.submit(job(key, 4))
        np.testing.assert_allclose(np.stack(running.collect().rows("y")), wanted, rtol=1e-5, atol=1e-6)


def test_every_call_is_reported_for_progress(tmp_path: Path) -> None:
    calls: list[int] = []
    path = saved(tmp_path / "m.onnx", classifier())
    with Worker(parse_device("cpu"), RunLimits(), 1, lambda: calls.append(1)) as one:
        one.run(job(one.open(SessionSpec(path)).key, 2))
    assert len(calls) == 6


def test_only_the_winning_class_travels_where_that_is_enough(running: Worker, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", classifier())
    made = job(running.open(SessionSpec(path)).key, 4)
    answer = running.run(Job(made.session, made.windows, ("y",), 4, argmax={"y": 1}))
    np.testing.assert_array_equal(answer.rows("y"), expected(path).argmax(1))


def test_a_refused_model_or_input_leaves_the_worker_usable(running: Worker, tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"\x00\x01 not a model")
    with pytest.raises(ModelRejectedError, match="refuses"):
        running.open(SessionSpec(bad))
    path = saved(tmp_path / "m.onnx", classifier(1))
    opened = running.open(SessionSpec(path))
    with pytest.raises(ModelRejectedError, match="refuses"):
        running.run(job(opened.key, 2))
    assert len(running.run(job(opened.key, 1)).calls) == 11


@posix
@pytest.mark.parametrize("name", ["SIGSEGV", "SIGFPE", "SIGABRT"])
def test_a_model_that_kills_onnxruntime_is_one_error_and_not_the_end_of_the_program(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "m.onnx", classifier())
    monkeypatch.syspath_prepend(stand_in(tmp_path, dies_with(name)))
    with worker() as one, pytest.raises(WorkerCrashedError, match=name):
        one.open(SessionSpec(path))


@windows
def test_a_model_that_aborts_on_windows_is_one_error_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "m.onnx", classifier())
    monkeypatch.syspath_prepend(stand_in(tmp_path, "os.abort()"))
    with worker() as one, pytest.raises(WorkerCrashedError, match="do not deploy this model"):
        one.open(SessionSpec(path))


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_to_every_process_of_a_job_is_the_parents_to_answer(
    running: Worker, tmp_path: Path, name: str
) -> None:
    path = saved(tmp_path / "m.onnx", classifier())
    key = running.open(SessionSpec(path)).key
    os.kill(running.pid, getattr(signal, name))
    assert len(running.run(job(key, 4)).calls) == 3


@posix
def test_a_worker_killed_from_outside_is_an_error(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", classifier())
    with worker() as one:
        key = one.open(SessionSpec(path)).key
        os.kill(one.pid, signal.SIGKILL)
        with pytest.raises(WorkerCrashedError, match="killed"):
            one.run(job(key, 1))


def slow(path: Path) -> Path:
    """A loop of 2^40 steps."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Sin", ["state"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", 7, []),
            helper.make_tensor_value_info("go", 9, []),
            helper.make_tensor_value_info("state", 1, None),
        ],
        [helper.make_tensor_value_info("go_on", 9, []), helper.make_tensor_value_info("next", 1, None)],
    )
    nodes = [helper.make_node("Loop", ["trips", "yes", "x"], ["y"], body=body)]
    weights = {"trips": np.array(2**40), "yes": np.array(True)}
    return saved(path, model(nodes, {"x": [1, 3, 16, 16]}, {"y": None}, weights))


def test_a_model_that_never_ends_is_stopped_by_the_clock(tmp_path: Path) -> None:
    path = slow(tmp_path / "m.onnx")
    with worker() as one:
        key = one.open(SessionSpec(path)).key
        one._limits = RunLimits(step_seconds=0.5)
        with pytest.raises(WorkerTimeoutError, match="--step-timeout"):
            one.run(job(key, 1))


def hungry(path: Path, size: int) -> Path:
    """A model that holds ``size`` bytes."""
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    return saved(path, model(nodes, {"x": [1, 3, 16, 16]}, {"y": None}, {"size": np.array([size // 4])}))


def test_a_model_that_needs_too_much_memory_ends_in_one_line_that_names_the_limit(tmp_path: Path) -> None:
    path = hungry(tmp_path / "m.onnx", 1 << 30)
    with worker(memory_bytes=512 << 20) as one, pytest.raises(WorkerMemoryError, match=r"0\.5 GiB: raise --max-memory"):
        one.run(job(one.open(SessionSpec(path)).key, 1))


def test_memory_that_is_reserved_and_not_used_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = "import mmap; self.room = mmap.mmap(-1, 4 << 30); raise ValueError('it was only reserved')"
    monkeypatch.syspath_prepend(stand_in(tmp_path, reserve))
    path = saved(tmp_path / "m.onnx", classifier())
    with worker(memory_bytes=512 << 20) as one, pytest.raises(ModelRejectedError) as failure:
        one.open(SessionSpec(path))
    assert "only reserved" in failure.value.detail.raw


def test_a_system_without_memory_for_the_model_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(stand_in(tmp_path, "raise MemoryError"))
    path = saved(tmp_path / "m.onnx", classifier())
    with worker() as one, pytest.raises(ModelRejectedError, match="refuses the memory"):
        one.open(SessionSpec(path))


def test_a_system_without_room_for_what_is_shared_is_one_line_and_leaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, calls = Arena.create, iter(range(9))

    def create() -> Arena:
        if next(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return usual()

    monkeypatch.setattr(Arena, "create", create)
    open_before = len(list(OPEN_FILES.iterdir())) if OPEN_FILES.is_dir() else 0
    with pytest.raises(VerifyError, match="cannot have what it needs: No space left on device"):
        worker()
    assert not OPEN_FILES.is_dir() or len(list(OPEN_FILES.iterdir())) == open_before


def test_a_system_that_refuses_limits_runs_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "resource.py").write_text(
        "RLIMIT_CORE = RLIMIT_CPU = RLIM_INFINITY = 0\n"
        "def getrlimit(kind): return (0, 0)\n"
        "def setrlimit(kind, limits): raise ValueError('current limit exceeds maximum limit')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = saved(tmp_path / "m.onnx", classifier())
    with worker(memory_bytes=4 << 30) as one:
        assert len(one.run(job(one.open(SessionSpec(path)).key, 4)).calls) == 3


def test_the_session_cannot_be_had_on_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime was built with CUDA")
    path = saved(tmp_path / "m.onnx", classifier())
    with pytest.raises(DeviceUnavailableError, match="cuda"), Worker(parse_device("cuda"), RunLimits(), 1) as one:
        one.open(SessionSpec(path))


def test_what_the_runtime_prints_does_not_reach_standard_output(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = saved(tmp_path / "m.onnx", classifier())
    with worker() as one:
        one.run(job(one.open(SessionSpec(path)).key, 1))
    assert capfd.readouterr() == ("", "")


@posix
def test_leaving_the_worker_ends_its_process(tmp_path: Path) -> None:
    with worker() as one:
        pid = one.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
