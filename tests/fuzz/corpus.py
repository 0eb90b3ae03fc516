"""What mutants are made of: small models, pictures and arrays built here, and documents that the program writes."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import helper

from auditor.cli import main
from auditor.demo import demo_model
from tests.fuzz.pictures import picture
from tests.onnxfile.build import SHARED, function, model
from tests.rewrite.networks import random_network
from tests.verify.models import brightest_box, classifier, saved

NETWORKS = 8
_LARGEST = 400_000  # bytes of a model of other people
_MEASURE = ("--images", "noise.npz", "--preset", "unit", "--device", "cpu", "--threads", "1", "--isolated")
FAST = (*_MEASURE, "--radius", "2", "--shifts", "1", "--layers", "0", "--step-timeout", "60")
# On the built-in pictures: a state names a set of pictures by the folder it lies in, and mutants lie in others.
SEARCH = (
    "fix",
    "net.onnx",
    "-o",
    "x.onnx",
    "--strategy",
    "auto",
    "--images-limit",
    "4",
    "--device",
    "cpu",
    "--isolated",
)
_SETTINGS = """\
fail-on = "warning"
select = ["AA1", "AA2"]
ignore = ["AA104"]
targets = ["openvino", "tensorrt>=10"]

[input-shapes]
x = [1, 3, 16, 16]

[rule.AA101]
error = 0.9
warning = 0.5

[verify]
images-limit = 4
preset = "unit"
radius = 4

[[waiver]]
rule = "AA101"
model = "*.onnx"
node = "pool"
reason = "accepted"
expires = 2099-01-01

[budget]
AA102 = 4
"AA2*" = 0
max-subsampling = 32
"""


def models(*, shared: bool) -> list[bytes]:
    """One model of each kind, each a file; ``shared`` adds the models of other people where they lie beside us."""
    local = function("Block", [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])])
    made = [
        classifier(),
        brightest_box(),
        model([helper.make_node("Block", ["x"], ["y"], "call", domain="local")], functions=[local]),
        *(random_network(seed) for seed in range(NETWORKS)),
    ]
    found = [demo_model().read_bytes(), *(proto.SerializeToString() for proto in made)]
    if shared:
        files = sorted(path for name in (SHARED, SHARED.parent / "cases") for path in name.rglob("*.onnx"))
        found += [path.read_bytes() for path in files if 0 < path.stat().st_size <= _LARGEST]
    return found


def build(folder: Path) -> None:
    """Every file that a command can take, whole and valid."""
    saved(folder / "net.onnx", classifier())
    saved(folder / "new.onnx", classifier(stride=4))
    np.save(folder / "noise.npy", noise(folder / "noise.npz"))
    for name in ("pictures", "frames"):
        (folder / name).mkdir()
        for index in range(3):
            (folder / name / f"{index}.png").write_bytes(picture(index))
    _video(folder / "clip.mp4")
    (folder / "labels.csv").write_text("file,class\n0.png,0\n1.png,1\n2.png,2\n", encoding="utf-8")
    (folder / "settings.toml").write_text(_SETTINGS, encoding="utf-8")
    with within(folder):
        _run("check", "net.onnx", "--config", "settings.toml")
        _run("check", "net.onnx", "--isolated", "--output-format", "json", "-o", "report.json")
        _run("verify", "net.onnx", *FAST, "--layers", "1", "--output-format", "json", "-o", "measured.json")
        _run("compare", "net.onnx", "new.onnx", "--isolated", "--output-format", "json", "-o", "compared.json")
        _run("resize", "net.onnx", *_MEASURE, "--output-format", "json", "-o", "resized.json")
        _run("tiles", "net.onnx", "--isolated", "--output-format", "json", "-o", "tiles.json")
        _run("baseline", "write", "net.onnx", "--isolated", "--baseline", "baseline.json")
        for number in (1, 2):
            _run("verify", "net.onnx", *FAST, "--layers", "1", "--shard", f"{number}/2", "-o", f"s{number}.json")
            _run("verify", "net.onnx", *FAST, "--shard", f"{number}/2", "-o", f"z{number}.json.gz")
        _run(*SEARCH, "--state", "state.json")
        Path("x.onnx").unlink(missing_ok=True)


def noise(path: Path) -> npt.NDArray[np.uint8]:
    """Write four labelled pictures of noise as an archive, and give them."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, 24, 24, 3), dtype=np.uint8)
    np.savez(path, images=pixels, labels=np.array([0, 1, 2, 3]))
    return pixels


def _video(path: Path) -> None:
    """A short video, where there is something to encode it with."""
    try:
        import av
    except ImportError:
        path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
        return
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for level in range(6):
            pixels = np.full((32, 48, 3), 40 * level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def _run(*arguments: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    assert code in (0, 1), (arguments, code, err.getvalue())


@contextlib.contextmanager
def within(folder: Path) -> Iterator[None]:
    """Work in a folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
