"""A Ray cluster measures what one process does, also where a process of it is lost."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import auditor
from auditor.cli import main
from auditor.onnxfile import read_model
from auditor.sampling import analyse
from auditor.verify import cluster
from auditor.verify.columns import MOST_LISTED
from auditor.verify.errors import DataError
from auditor.verify.images.source import ImageSource, open_images
from auditor.verify.observer import Silent
from auditor.verify.pieces import Work, rows_at
from auditor.verify.runner import verify
from auditor.verify.settings import VerifySettings
from tests.resizing.stripes import bright_or_dark, stripes
from tests.verify.models import classifier, saved
from tests.verify.test_runner import SETTINGS

TOKEN = secrets.token_hex(32)  # Ray reads it once in a process
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: it comes with the extra `ray`")


def images(folder: Path, count: int) -> ImageSource:
    noise = np.random.default_rng(0).integers(0, 256, (count, 24, 24, 3)).astype(np.float32)
    noise[5, 0, 0, 0] = np.nan
    np.save(folder / "noise.npy", noise)
    again = partial(open_images, str(folder / "noise.npy"))
    return replace(again(), again=again)


def measured(path: Path, source: ImageSource, settings: VerifySettings, observer: Silent | None = None) -> str:
    model = read_model(path)
    return verify(model, source, settings, analyse(model), observer).to_json()


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_message_says_what_to_install(tmp_path: Path) -> None:
    path, source = saved(tmp_path / "m.onnx", classifier()), images(tmp_path, 8)
    with pytest.raises(DataError, match=r"install aliasaudit\[ray\]"):
        measured(path, source, replace(SETTINGS, ray="local"))


def test_a_process_of_another_version_or_with_another_model_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_facts", lambda plan: {"numpy": plan, "the model": "a"})
    work = Work("2.0", rows_at)  # type: ignore[arg-type]
    job = cluster._Job(work, None, {"numpy": "1.0", "the model": "a"}, str(tmp_path))
    monkeypatch.chdir(Path(__file__).parent)
    monkeypatch.setattr(cluster, "_job", lambda _: job)
    with pytest.raises(DataError, match=r"would measure otherwise: numpy 2\.0, not 1\.0"):
        cluster._opened(b"payload of this test")
    assert Path.cwd() == tmp_path, "relative paths are those of the command"


def test_a_machine_without_the_folder_that_relative_paths_begin_in_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_facts", lambda _: {})
    job = cluster._Job(Work("2.0", rows_at), None, {}, str(tmp_path / "absent"))  # type: ignore[arg-type]
    monkeypatch.setattr(cluster, "_job", lambda _: job)
    with pytest.raises(DataError, match=r"does not have the folder .*absent .*: start the command in a folder that"):
        cluster._opened(b"another payload")


@pytest.fixture
def two_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of two machines on this one."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    ray, utils = import_module("ray"), import_module("ray.cluster_utils")
    node = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
    made = utils.Cluster(initialize_head=True, head_node_args=node)
    # Connected before there is a second one: a driver ends with the machine that it is connected to.
    ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
    second = made.add_node(**{key: node[key] for key in ("num_cpus", "object_store_memory")})
    made.wait_for_nodes()
    yield made, second
    ray.shutdown()
    made.shutdown()


def task_processes(made: Any) -> list[int]:
    """The processes of this cluster that measure at the moment."""
    raylets = {info.process.pid for node in made.list_all_nodes() for info in node.all_processes.get("raylet", [])}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_text(encoding="utf-8", errors="replace")
            parent = int((folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except OSError:
            continue
        if title.startswith("ray::_task") and parent in raylets:
            found.append(int(folder.name))
    return found


class Losing(Silent):
    """Loses something of the cluster after the first images."""

    def __init__(self, lose: Any) -> None:
        self.lose, self.left = lose, 3

    def advance(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.lose()


@needs_ray
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_a_killed_process_and_a_killed_machine_lose_nothing(
    tmp_path: Path, two_nodes: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    made, second = two_nodes
    path, source = saved(tmp_path / "m.onnx", classifier()), images(tmp_path, 64)
    alone = measured(path, source, SETTINGS)
    settings = replace(SETTINGS, ray=made.address)
    assert measured(path, source, settings) == alone
    killed: list[bool] = []
    assert measured(path, source, settings, Losing(lambda: killed.append(kill_a_process(made)))) == alone
    assert killed == [True]
    assert measured(path, source, settings, Losing(lambda: made.remove_node(second, allow_graceful=False))) == alone
    assert capsys.readouterr().out == ""


@needs_ray
@pytest.mark.slow
def test_an_early_end_and_a_comparison_on_a_cluster_have_the_bytes_of_one_process(
    two_nodes: tuple[Any, Any], tmp_path: Path
) -> None:
    made, _ = two_nodes
    coarse, fine = saved(tmp_path / "m.onnx", classifier(stride=16)), saved(tmp_path / "f.onnx", classifier(stride=1))
    np.save(tmp_path / "many.npy", np.random.default_rng(1).integers(0, 256, (96, 24, 24, 3), dtype=np.uint8))
    options: dict[str, Any] = {
        "images": str(tmp_path / "many.npy"),
        "device": "cpu",
        "threads": 1,
        "layers": 0,
        "shifts": 1,
    }
    alone = auditor.measure(coarse, **options, fail_under=0.99)
    assert alone.required is not None
    assert alone.required.looks is not None
    assert alone.required.looks.early
    assert auditor.measure(coarse, **options, fail_under=0.99, ray=made.address).to_json() == alone.to_json()
    pairs = [auditor.compare(fine, coarse, verify=options | more).to_json() for more in ({}, {"ray": made.address})]
    assert pairs[0] == pairs[1]


@needs_ray
@pytest.mark.slow
def test_more_threads_than_any_machine_has_cores_are_refused(two_nodes: tuple[Any, Any], tmp_path: Path) -> None:
    made, _ = two_nodes
    path, source = saved(tmp_path / "m.onnx", classifier()), images(tmp_path, 8)
    words = r"no machine of the cluster has 2 cores .* set threads \(--threads\) to 1"
    with pytest.raises(DataError, match=words):
        measured(path, source, replace(SETTINGS, ray=made.address, threads=2))


@needs_ray
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_kernels_are_compared_on_a_cluster_as_in_one_process(two_nodes: tuple[Any, Any], tmp_path: Path) -> None:
    made, second = two_nodes
    np.save(tmp_path / "stripes.npy", stripes(48))
    options: dict[str, Any] = {"images": str(tmp_path / "stripes.npy"), "resize": "cv2-nearest"}
    options |= {"preset": "unit", "device": "cpu", "threads": 1}
    model = bright_or_dark(tmp_path)

    def found(**more: Any) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(auditor.resize(model, **options, **more).to_json())
        document["comparison"].pop("seconds")
        for row in document["comparison"]["rows"]:
            row.pop("cost")
        return document

    alone = found()
    assert found(ray=made.address) == alone
    with killing(lambda: kill_a_process(made)):
        assert found(ray=made.address) == alone
    with killing(lambda: made.remove_node(second, allow_graceful=False)):
        assert found(ray=made.address) == alone


@needs_ray
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_a_search_on_a_cluster_measures_what_one_process_does(
    two_nodes: tuple[Any, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, second = two_nodes
    path = saved(tmp_path / "m.onnx", classifier(stride=16))
    np.save(tmp_path / "many.npy", np.random.default_rng(1).integers(0, 256, (24, 24, 24, 3), dtype=np.uint8))
    (tmp_path / "settings.toml").write_text("[verify]\nthreads = 1\n")
    common = ["--images", str(tmp_path / "many.npy"), "--preset", "unit", "--device", "cpu"]
    common += ["--config", str(tmp_path / "settings.toml"), "-o", str(tmp_path / "fixed.onnx")]

    def searched(*more: str) -> list[Any]:
        """Every candidate and what was measured on it, without how long it took."""
        assert main(["fix", str(path), "--strategy", "auto", "--output-format", "json", *common, *more]) in (0, 1)
        found = []
        for candidate in json.loads(capsys.readouterr().out)["candidates"]:
            gain = {key: value for key, value in (candidate["gain"] or {}).items() if key in ("changes", "loss")}
            found.append((candidate["steps"], candidate["images"], gain))
        return found

    alone = searched()
    assert any(gain for _, _, gain in alone)
    assert searched("--ray", made.address) == alone
    with killing(lambda: kill_a_process(made)):
        assert searched("--ray", made.address) == alone
    with killing(lambda: made.remove_node(second, allow_graceful=False)):
        assert searched("--ray", made.address) == alone


@needs_ray
@pytest.mark.slow
def test_more_images_than_a_report_lists_have_the_same_report_and_the_same_file_beside_it(
    two_nodes: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = two_nodes
    saved(tmp_path / "m.onnx", classifier())
    # Small enough that the start of the network is not what takes the time; more than columns.MOST_LISTED.
    noise = np.random.default_rng(0).integers(0, 256, (MOST_LISTED + 20, 18, 18, 3), dtype=np.uint8)
    np.save(tmp_path / "many.npy", noise)
    monkeypatch.chdir(tmp_path)
    words = ["verify", "m.onnx", "--images", "many.npy", "--all-images", "--preset", "unit", "--device", "cpu"]
    words += ["--threads", "1", "--layers", "0", "--shifts", "1", "--radius", "1", "--isolated", "--quiet"]
    words += ["--exit-zero", "--output-format", "json", "-o", "report.json"]
    written = []
    for more in ([], ["--ray", made.address]):
        assert main([*words, *more]) == 0
        written.append([(tmp_path / name).read_bytes() for name in ("report.json", "report.images.npz")])
    assert written[0] == written[1]
    with np.load(tmp_path / "report.images.npz", allow_pickle=False) as arrays:
        assert len(arrays["0.consistency"]) == len(noise)


def kill_a_process(made: Any) -> bool:
    """Whether a process of the cluster was measuring, and is killed."""
    for pid in task_processes(made)[:1]:
        os.kill(pid, signal.SIGKILL)
        return True
    return False


@contextmanager
def killing(lose: Callable[[], object]) -> Iterator[None]:
    """Loses something of the cluster as soon as it can, once; what says False could not yet."""
    ended, lost = threading.Event(), threading.Event()

    def run() -> None:
        while not ended.wait(0.05):
            if lose() is not False:
                lost.set()
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert lost.is_set()
