"""Draw the pictures of README.md into ``docs/pictures``.

    python scripts/pictures.py                             # demo.svg: the terminal during `aliasaudit demo`
    python scripts/pictures.py --model squeezenet1.0.onnx  # one-pixel.svg, too: a photograph moved by one pixel

The photograph is the cat that the program carries (CC0, Stefan van der Walt), at its own resolution. The model is
SqueezeNet 1.0 for ImageNet with Caffe's preprocessing, which is not part of the repository. All steps of one pixel
along a row are run, with the model and with what ``fix --strategy phase-average`` makes of it. Of the steps that change
the answer of the first only, the one with the clearest answers is drawn; the words below say how many steps change the
answer of each.
"""

from __future__ import annotations

import argparse
import base64
import html
import io
import itertools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
sys.path.insert(0, str(ROOT))

from auditor import fix  # noqa: E402 - after the path is set

CAT = ROOT / "auditor" / "verify" / "images" / "pictures" / "chelsea.jpg"
NAMES = {281: "tabby", 282: "tiger cat", 285: "Egyptian cat", 287: "lynx"}
WINDOW = 224
MEAN = (103.939, 116.779, 123.68)  # of blue, green and red
QUALITY = 80
WIDTH = 80  # columns of the terminal


@dataclass(frozen=True)
class Step:
    """A move of one pixel from column ``left`` on, with the classes and scores of both windows, before and after."""

    left: int
    before: tuple[tuple[int, float], tuple[int, float]]
    after: tuple[tuple[int, float], tuple[int, float]]


def answers(model: Path, windows: Sequence[NDArray[np.uint8]]) -> list[tuple[int, float]]:
    """The class and its probability for each window, RGB uint8 (224, 224, 3)."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (port,) = [item for item in session.get_inputs() if item.type in ("tensor(float16)", "tensor(float)")][:1]
    kind = np.float16 if port.type == "tensor(float16)" else np.float32
    found = []
    for window in windows:
        inputs = (window[..., ::-1] - np.array(MEAN)).transpose(2, 0, 1)[None].astype(kind)
        scores: Any = np.asarray(session.run(None, {port.name: inputs})[0], np.float32).ravel()
        found.append((int(scores.argmax()), float(scores.max())))
    return found


def flips(found: Sequence[tuple[int, float]]) -> int:
    """How many steps of one pixel change the class."""
    return sum(first[0] != second[0] for first, second in itertools.pairwise(found))


def clearest(before: Sequence[tuple[int, float]], after: Sequence[tuple[int, float]]) -> Step:
    """The step whose answer changes before and is the first one after, with the highest of its lowest scores."""
    steps = [
        Step(left, (before[left], before[left + 1]), (after[left], after[left + 1])) for left in range(len(before) - 1)
    ]
    able = [
        step
        for step in steps
        if step.before[0][0] != step.before[1][0]
        and step.after[0][0] == step.after[1][0] == step.before[0][0]
        and {step.before[0][0], step.before[1][0]} <= set(NAMES)
    ]
    if not able:
        sys.exit("no step of one pixel changes the answer before the repair and not after it: nothing was drawn")
    return max(able, key=lambda step: min(score for _, score in (*step.before, *step.after)))


def one_pixel(model: Path) -> str:
    """The drawing of the photograph moved by one pixel, as SVG."""
    photograph = np.asarray(Image.open(CAT).convert("RGB"))
    top = (photograph.shape[0] - WINDOW) // 2
    lefts = range(photograph.shape[1] - WINDOW + 1)
    windows = [photograph[top : top + WINDOW, left : left + WINDOW] for left in lefts]
    with tempfile.TemporaryDirectory() as folder:
        fixed = Path(folder, "fixed.onnx")
        fix(model, fixed, strategy="phase-average")
        before, after = answers(model, windows), answers(fixed, windows)
    step = clearest(before, after)
    count = len(windows) - 1
    words = f"{flips(before)} of {count} steps of one pixel change the answer; {flips(after)} after fix"
    return hero(step, (windows[step.left], windows[step.left + 1]), words)


def hero(step: Step, windows: Sequence[NDArray[np.uint8]], words: str) -> str:
    """Two windows with the answers before and after; all words are our own or of :data:`NAMES`."""
    sans = 'font-family="system-ui, Segoe UI, Noto Sans, Helvetica, Arial, sans-serif"'
    parts = [
        (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 1280 520" '
            f'role="img" {sans}>'
        ),
        f"<title>{html.escape(_sentence(step))}</title>",
        '<rect x="1" y="1" width="1278" height="518" rx="14" fill="#11181f" stroke="#46525f" stroke-width="2"/>',
    ]
    for row, line in enumerate(("One pixel", "further.", "Another", "answer.")):
        parts.append(_text(50, 92 + 62 * row, line, 58, "#ffffff", "bold"))
    parts.append(_text(50, 346, "aliasaudit", 30, "#7ab8ff", "bold"))
    for row, line in enumerate(("finds it in ONNX models,", "measures it, and repairs it", "without retraining.")):
        parts.append(_text(50, 386 + 34 * row, line, 24, "#c3ccd5"))
    for column, window in enumerate(windows):
        left = 524 + 401 * column
        parts.append(
            f'<image x="{left}" y="30" width="314" height="256" preserveAspectRatio="xMidYMid slice" '
            f'xlink:href="data:image/jpeg;base64,{_jpeg(window)}"/>'
        )
        edge = left if column == 0 else left + 306
        parts.append(f'<rect x="{edge}" y="30" width="8" height="256" fill="#ffb454"/>')
    parts += [
        _text(880, 146, "1 px", 26, "#ffb454", "bold", "middle"),
        _text(880, 184, "→", 40, "#ffb454", "bold", "middle"),
    ]
    for row, (label, pair) in enumerate((("before", step.before), ("after fix", step.after))):
        y = 297 + 84 * row
        parts.append(_text(510, y + 43, label, 24, "#e7eaee", "bold", "end"))
        same = pair[0][0] == pair[1][0]
        parts.append(_text(881, y + 46, "=" if same else "≠", 36, "#7ab8ff" if same else "#ffb454", "bold", "middle"))
        for column, (number, score) in enumerate(pair):
            left, other = 524 + 401 * column, column == 1 and not same
            fill, ink = ("#ffb454", "#11181f") if other else ("#12406e", "#ffffff")
            parts.append(f'<rect x="{left}" y="{y}" width="314" height="68" rx="8" fill="{fill}"/>')
            parts.append(_text(left + 16, y + 43, NAMES[number], 26, ink, "bold"))
            parts.append(_text(left + 298, y + 43, f"{100 * score:.0f} %", 26, ink, anchor="end"))
    parts.append(_text(1239, 492, words, 24, "#c3ccd5", anchor="end"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _sentence(step: Step) -> str:
    first, second = (NAMES[number] for number, _ in step.before)
    return (
        f"A photograph of a cat is {first}, one pixel further {second}; after the repair it is {first} in both places"
    )


def _text(x: int, y: int, words: str, size: int, fill: str, weight: str = "normal", anchor: str = "start") -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" font-weight="{weight}" text-anchor="{anchor}">'
        f"{html.escape(words)}</text>"
    )


def _jpeg(window: NDArray[np.uint8]) -> str:
    stream = io.BytesIO()
    Image.fromarray(window).save(stream, "JPEG", quality=QUALITY)
    return base64.b64encode(stream.getvalue()).decode()


def terminal() -> str:
    """The terminal during ``aliasaudit demo``, as SVG."""
    done = subprocess.run(
        [sys.executable, "-m", "auditor", "demo"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)},
        check=True,
    )
    return still(done.stdout.partition("\nwhat next")[0])


def still(output: str) -> str:
    """The output of the demo on a drawn terminal; fonts are those of the reader, so that nothing is fetched."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    for line in f"$ aliasaudit demo\n{output}".splitlines():
        text = Text(line)
        text.highlight_regex(r"^(?:\d/4 \w+|     BETTER)$", "bold cyan")
        text.highlight_regex(r"\$ aliasaudit .*", "bold green")
        console.print(text, soft_wrap=True)
    drawn = console.export_svg(title="aliasaudit demo", unique_id="demo")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)


def main() -> None:
    """Draw, and say what was written."""
    parser = argparse.ArgumentParser(description="Draw the pictures of README.md.")
    parser.add_argument("--model", type=Path, help="SqueezeNet 1.0 for ImageNet, for the photograph")
    model = parser.parse_args().model
    drawings = {"demo.svg": terminal(), **({} if model is None else {"one-pixel.svg": one_pixel(model)})}
    for name, text in drawings.items():
        (PICTURES / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"wrote docs/pictures/{name}, {len(text) // 1000} kB")


if __name__ == "__main__":
    main()
