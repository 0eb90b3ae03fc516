"""Time of a resize of 12 megapixels to 640 x 640, beside OpenCV's own on one thread.

``python benchmarks/resize.py`` prints one row per kernel of OpenCV: its time, that of ``auditor.pipeline.resize``, that
of the same kernel without OpenCV's help, and both as multiples of OpenCV's; then the kernels of other libraries without
a comparison. Least of several rounds, in processor time. Nothing here fails. Needs OpenCV
(``pip install opencv-python-headless``).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from auditor.pipeline import resize
from auditor.pipeline.resampling import opencv

try:
    cv2 = import_module("cv2")
except ImportError:
    sys.exit("OpenCV is not installed: pip install opencv-python-headless")

PICTURE, SIZE = (3000, 4000), (640, 640)
BUDGET = 3.0
KERNELS = {
    "nearest": opencv.nearest,
    "linear": opencv.linear_kernel,
    "linear-exact": opencv.linear_exact,
    "area": opencv.area,
    "cubic": opencv.cubic_kernel,
    "lanczos4": opencv.lanczos4,
}
OTHERS = ("torch-bilinear", "torch-bilinear-aa", "tf-bilinear", "tf-area", "ort-linear", "ort-linear-aa")


def milliseconds(work: Callable[[], object], rounds: int = 7) -> float:
    """The least processor time of some rounds, behind one that warms up."""
    work()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times) * 1e3


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    image = np.random.default_rng(0).integers(0, 256, (*PICTURE, 3), np.uint8)
    print(f"{PICTURE[0]}x{PICTURE[1]} to {SIZE[0]}x{SIZE[1]}, OpenCV {cv2.__version__}, NumPy {np.__version__}")
    print("kernel            OpenCV ms    resize ms  ratio   NumPy alone ms  ratio")
    held = True
    for name, kernel in KERNELS.items():
        mode = getattr(cv2, f"INTER_{name.upper().replace('-', '_')}")
        theirs = milliseconds(partial(cv2.resize, image, SIZE[::-1], interpolation=mode), 15)
        ours = milliseconds(partial(resize, image, SIZE, f"cv2-{name}"), 15)
        alone = milliseconds(partial(kernel, image, SIZE))
        held &= ours <= BUDGET * theirs
        print(f"cv2-{name:13} {theirs:9.2f} {ours:12.2f} {ours / theirs:6.1f} {alone:16.1f} {alone / theirs:6.1f}")
    for name in OTHERS:
        print(f"{name:17} {'':9} {milliseconds(partial(resize, image, SIZE, name), 3):12.1f}")
    print(f"budget {BUDGET:g} times OpenCV: {'held' if held else 'exceeded'}")


if __name__ == "__main__":
    main()
