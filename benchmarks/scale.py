"""What one image costs, and what further processes cost: the numbers that a plan for many images is computed from.

    python -m benchmarks.scale [--images N] [--rounds N] [--sizes] [--write benchmarks/scale.json]
    python -m benchmarks.scale --growth

runs ``aliasaudit verify`` on a network built here with one thread: on two numbers of images in one process, so that
the start cancels out, and in turns with ``--jobs 1`` and ``--jobs 2``. CPU time counts all processes, so that its
ratio says what further processes cost on a busy machine, too; the ratio of the wall times is worth reading on an idle
one alone, and the load is written beside it. Shards give the sizes of a row. ``--growth`` prints CPU time and memory
over nodes, sites, images, shifts and models; the tests hold those curves as counts of work.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from auditor.onnxfile import read_model  # noqa: E402 - after the path is set
from auditor.sampling import analyse  # noqa: E402
from auditor.sampling.work import multiply_adds  # noqa: E402
from auditor.text import ModelText  # noqa: E402
from auditor.verify import columns  # noqa: E402
from auditor.verify.images.source import ImageSource  # noqa: E402
from auditor.verify.merge import MeasuredLayers, RowTable, merge  # noqa: E402
from auditor.verify.packing import unpack  # noqa: E402
from auditor.verify.pilot import RunPlan  # noqa: E402
from auditor.verify.result import DataKind  # noqa: E402
from auditor.verify.row_store import RowStore  # noqa: E402
from auditor.verify.shard import read_shard  # noqa: E402
from benchmarks import growth  # noqa: E402
from benchmarks.verify import network  # noqa: E402

SIDE = 256


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of all processes of a command, and by the clock."""

    cpu: float
    wall: float


def spent(arguments: list[str]) -> Spent:
    """Run ``aliasaudit`` and count what it and all of its processes took."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "auditor", *arguments], stdout=subprocess.DEVNULL, cwd=HERE.parent
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"aliasaudit {' '.join(arguments)}: exit code {process.returncode}")
    return Spent(usage.ru_utime + usage.ru_stime, time.perf_counter() - begun)


def sizes(shard: Path) -> dict[str, float]:
    """Bytes of a row, of a shard that holds nothing else worth counting, and of what a merge keeps of an image."""
    data = shard.read_bytes()
    (model,) = read_shard(data).models
    rows: list[Any] = unpack(model.rows, list[Any])
    packed = json.dumps(model.rows, separators=(",", ":")).encode()
    count = len(rows)
    return {
        "row_pickled": len(pickle.dumps(rows)) / count,
        "row_json": len(packed) / count,
        "row_gzip": len(gzip.compress(packed)) / count,
        "merge_in_memory": merge_in_memory(unpack(model.plan, RunPlan), rows),
    }


def merge_in_memory(plan: RunPlan, rows: list[Any]) -> float:
    """Bytes for each further image of what a merge of many holds when it is done."""
    source = ImageSource(DataKind.FOLDER, None, (), lambda: iter(()))

    def many(images: int) -> Iterator[Any]:
        for place in range(images):
            row = pickle.loads(pickle.dumps(rows[place % len(rows)]))  # noqa: S301 - of this process
            yield replace(row, index=place, name=ModelText(f"photos/{place:012}.jpg"))

    def held(images: int) -> int:
        store = RowStore(many(images), in_memory=64)
        tracemalloc.start()
        kept = RowStore(store, in_memory=64)  # counted, too
        found = merge(plan, source, RowTable.of(kept), MeasuredLayers())
        traced = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert found.data.count == images
        return traced

    # As of more images than a report lists, and in seconds.
    columns.MOST_LISTED, columns.MOST_SHOWN, usual = 64, 8, (columns.MOST_LISTED, columns.MOST_SHOWN)
    try:
        held(200)  # what is kept once is nothing of an image
        return (held(1200) - held(200)) / 1000
    finally:
        columns.MOST_LISTED, columns.MOST_SHOWN = usual


def main() -> None:
    """Measure, and print or write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=32, help="images of the larger run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", action="store_true", help="measure the sizes of a row alone; the rest stays")
    parser.add_argument("--growth", action="store_true", help="print CPU time and memory over sizes, and nothing else")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    if asked.growth:
        growth.print_curves(asked.rounds)
        return
    few = max(2, asked.images // 4)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = network(folder / "net.onnx")
        noise = np.random.default_rng(0).integers(0, 256, (asked.images, SIDE, SIDE, 3), dtype=np.uint8)
        np.save(folder / "many.npy", noise)
        np.save(folder / "few.npy", noise[:few])
        common = ["verify", str(model), "--device", "cpu", "--threads", "1", "--layers", "0", "--isolated", "-q"]
        shard, report = folder / "s.json", folder / "r.json"
        if asked.sizes:
            spent([*common, "--images", str(folder / "few.npy"), "--shard", "1/1", "-o", str(shard)])
            known: dict[str, float] = json.loads((HERE / "scale.json").read_text(encoding="utf-8"))
            show({**known, **sizes(shard)}, asked.write)
            return
        runs: dict[str, list[Spent]] = {"few": [], "one": [], "two": []}
        for _ in range(asked.rounds):
            runs["few"].append(spent([*common, "--images", str(folder / "few.npy")]))
            runs["one"].append(spent([*common, "--images", str(folder / "many.npy")]))
            runs["two"].append(spent([*common, "--images", str(folder / "many.npy"), "--jobs", "2"]))
        spent([*common, "--images", str(folder / "many.npy"), "--shard", "1/1", "-o", str(shard)])
        spent(["merge", str(shard), "--isolated", "-q", "--report", f"json={report}"])
        document = json.loads(report.read_text(encoding="utf-8"))["models"][0]["verification"]
        read = read_model(model)
        pairs = list(zip(runs["one"], runs["two"], strict=True))
        least = {key: min(one.cpu for one in spent_) for key, spent_ in runs.items()}
        per_image = (least["one"] - least["few"]) / (asked.images - few)
        found = {
            "images": asked.images,
            "inputs_per_image": document["runs"] / asked.images,
            "multiply_adds_per_input": multiply_adds(read.graph, analyse(read).shapes),
            "cpu_seconds_per_image": per_image,
            "cpu_seconds_to_start": least["few"] - few * per_image,
            **sizes(shard),
            "cores": len(os.sched_getaffinity(0)),
            "load": os.getloadavg()[0],
            "rounds": asked.rounds,
            "cpu_of_two_processes": statistics.median(two.cpu / one.cpu for one, two in pairs),
            "speed_of_two_processes": statistics.median(one.wall / two.wall for one, two in pairs),
        }
    show(found, asked.write)


def show(found: dict[str, float], path: Path | None) -> None:
    """Print the numbers, and write them where that is asked."""
    text = json.dumps({key: round(value, 5) for key, value in found.items()}, indent=1) + "\n"
    print(text, end="")
    if path is not None:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
