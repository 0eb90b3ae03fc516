"""The plan for many images and many models in docs/guides/scale.md, from numbers that a script measured.

    python -m scripts.scale_plan [--images N] [--models N] [--core-hour PRICE] [--show] [--check]

reads ``benchmarks/scale.json`` (written by ``python -m benchmarks.scale --write benchmarks/scale.json``) and writes the
section of the page between its markers; with ``--check`` it writes nothing and exits with 1 where that is stale.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "benchmarks" / "scale.json"
PAGE = ROOT / "docs" / "guides" / "scale.md"
BEGIN, END = "<!-- scale plan: written by scripts/scale_plan.py -->", "<!-- end of the scale plan -->"
PICTURE = 150_000  # bytes of a photograph, stated and not measured
LINK = 10e9 / 8  # bytes a second of a network
SPEEDS = (1_000, 10_000)  # inputs a second of a GPU, to read the table by
CORES = 1_000


def amount(count: float, unit: str = "B") -> str:
    """``1.4 GB``."""
    for scale, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= scale:
            digits = ".2g" if count / scale < 100 else ".0f"
            return f"{count / scale:{digits}} {prefix}{unit}"
    return f"{count:.0f} {unit}"


def hours(seconds: float) -> str:
    """``3.2 days``, or hours of less than two days."""
    return f"{seconds / 86400:,.0f} days" if seconds >= 172_800 else f"{seconds / 3600:.2g} hours"


def money(found: Mapping[str, float], prices: Mapping[str, float]) -> Iterator[str]:
    """What it costs: a formula, and sums where prices are given."""
    core = found["cpu_seconds_per_image"] / 3600
    yield (
        "Money is images x models x hours an image x your price of an hour; an image takes "
        f"{core:.2g} hours of a\nCPU core here, and of a GPU its {found['inputs_per_image']:.0f} inputs over 3600 times"
        " the inputs a second that `python -m\nbenchmarks.gpu` measures on yours. `python -m scripts.scale_plan"
        " --core-hour PRICE --images N --models N --show`\nprints the sum; no price stands here, because none was"
        " measured."
    )
    if prices:
        yield ""
        yield f"A core hour at {prices['core_hour']:g}: {prices['pairs'] * core * prices['core_hour']:,.2f}."


def plan(
    found: Mapping[str, float], images: int, models: int, prices: Mapping[str, float] | None = None
) -> Iterator[str]:
    """The lines of the section."""
    pairs = images * models
    inputs, cpu = found["inputs_per_image"], found["cpu_seconds_per_image"]
    work = found["multiply_adds_per_input"] / 1e6
    yield (
        f"One image takes {inputs:.0f} inputs. On the network of `benchmarks/scale.py` ({work:.0f} million\n"
        f"multiply-adds an input) these are {cpu:.2g} CPU seconds; another one takes about what its multiply-adds say."
    )
    yield ""
    yield f"| {images:,} images | one model | {models} models |"
    yield "|---|--:|--:|"
    seconds = [(f"{cores:,} CPU core{'s' * (cores > 1)}", cpu / cores) for cores in (1, CORES)]
    supposed = "(supposed: not yet measured on a GPU)"
    seconds += [(f"one GPU at {speed:,} inputs a second {supposed}", inputs / speed) for speed in SPEEDS]
    for words, each in seconds:
        yield f"| {words} | {hours(images * each)} | {hours(pairs * each)} |"
    sizes = (
        ("rows between machines, pickled (`--jobs`, `--ray`)", "row_pickled"),
        ("rows as shards, compressed (`--shard`)", "row_gzip"),
        ("memory of the process that puts all together", "merge_in_memory"),
    )
    for words, key in sizes:
        yield f"| {words} | {amount(images * found[key])} | {amount(pairs * found[key])} |"
    read = images * PICTURE
    yield f"| pictures, read once per model ({amount(PICTURE)} each) | {amount(read)} | {amount(models * read)} |"
    yield ""
    memory = found["merge_in_memory"]
    yield (
        f"The pictures are the load of the network: at 10 Gbit/s one pass over them takes {hours(read / LINK)}, so\n"
        f"machines keep a copy. A row takes {found['row_gzip']:.0f} bytes in a shard, about as many in the temporary\n"
        f"folder (`TMPDIR`) of the process that puts rows together, and {memory:.0f} bytes of its memory: that is\n"
        f"{amount(1e6 * memory)} for a million images of one model. More are seldom worth it: the interval of a share\n"
        "is then at most 0.2 points wide, and `--images-limit 1000000` takes them evenly spaced."
    )
    yield ""
    yield from money(found, prices or {})
    yield ""
    yield "```bash"
    yield "# machine $I of 200, with 64 cores: each model on every 200th image"
    yield "for model in models/*.onnx; do"
    yield '  aliasaudit verify "$model" --images /data/photos --images-limit 1000000 --threads 1 --jobs 64 \\'
    yield '      --layers 0 --shard "$I/200" -o "shards/$(basename "$model")-$I.json.gz"'
    yield "done"
    yield "# one machine, behind them"
    yield "for model in models/*.onnx; do"
    yield '  aliasaudit merge shards/"$(basename "$model")"-*.json.gz --fail-under 0.9 -o "$model.txt"'
    yield "done"
    yield "# or on a Ray cluster, from one of its machines"
    yield "aliasaudit verify models/*.onnx --images /data/photos --threads 1 --layers 0 --ray 10.0.0.5:6379"
    yield "```"
    yield ""
    more = 100 * found["cpu_of_two_processes"] - 100
    yield (
        f"On {found['images']:.0f} images two processes took {more:+.0f} % CPU time of one and were "
        f"{found['speed_of_two_processes']:.2f} times as fast,\n"
        f"with their start of {found['cpu_seconds_to_start']:.1f} s each, on {found['cores']:.0f} cores with a load of "
        f"{found['load']:.0f} from other programs; an idle\n"
        "machine and more images say more (`python -m benchmarks.scale --images 64`)."
    )


def section(found: Mapping[str, float], images: int, models: int) -> str:
    """The section between its markers."""
    return "\n".join([BEGIN, "", *plan(found, images, models), "", END])


def with_section(page: str, text: str) -> str:
    """The page with this section in the place of the one that it has."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{PAGE.name} has no {BEGIN} and {END}")
    return before + text + after


def main() -> int:
    """Write the section, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000_000)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--core-hour", type=float, metavar="PRICE", help="of your machines: adds what it costs")
    parser.add_argument("--show", action="store_true", help="print the section and write nothing")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    found = json.loads(MEASURED.read_text(encoding="utf-8"))
    if asked.show or asked.core_hour is not None:
        prices = {} if asked.core_hour is None else {"core_hour": asked.core_hour, "pairs": asked.images * asked.models}
        print("\n".join(plan(found, asked.images, asked.models, prices)))
        return 0
    page = PAGE.read_text(encoding="utf-8")
    text = with_section(page, section(found, asked.images, asked.models))
    if asked.check:
        return int(text != page)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
