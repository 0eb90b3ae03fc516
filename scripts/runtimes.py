"""Runtimes that compute a model on the CPU: what `scripts/targets.py` measures. Each is imported when it is used."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Runtime = Callable[[Path, Array], Array]

WEB = "ALIASAUDIT_ONNXRUNTIME_WEB"
"""The variable that names a folder in which `npm install onnxruntime-web` was run."""

_TRIED = "calibration_image_sample_data_20x128x128x3_float32.npy"
"""What onnx2tf looks for in the folder that it runs in."""

_WEB_PROGRAM = """
const ort = (await import("onnxruntime-web")).default ?? await import("onnxruntime-web");
const fs = await import("node:fs");
ort.env.wasm.numThreads = 1;
const [model, input, shape, output] = process.argv.slice(1);
const session = await ort.InferenceSession.create(fs.readFileSync(model), {executionProviders: ["wasm"]});
const bytes = fs.readFileSync(input);
const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
const result = await session.run({[session.inputNames[0]]: new ort.Tensor("float32", data, JSON.parse(shape))});
const first = result[session.outputNames[0]];
fs.writeFileSync(output, Buffer.from(first.data.buffer, first.data.byteOffset, first.data.byteLength));
fs.writeFileSync(output + ".json", JSON.stringify(first.dims));
"""


def onnxruntime(path: Path, picture: Array) -> Array:
    """The reference."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: picture})[0])


def openvino(path: Path, picture: Array) -> Array:
    """OpenVINO on the CPU in float32."""
    import openvino

    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.asarray(compiled([picture])[0])


def opencv(path: Path, picture: Array) -> Array:
    """The new engine of OpenCV."""
    import cv2

    net = cv2.dnn.readNetFromONNX(str(path), engine=cv2.dnn.ENGINE_NEW)
    net.setInput(picture, "x")
    return np.asarray(net.forward())


def opencv_classic(path: Path, picture: Array) -> Array:
    """The classic engine of OpenCV."""
    import cv2

    net = cv2.dnn.readNetFromONNX(str(path), engine=cv2.dnn.ENGINE_CLASSIC)
    net.setInput(picture)
    return np.asarray(net.forward())


def tract(path: Path, picture: Array) -> Array:
    """Tract."""
    import tract

    model = tract.onnx().load(str(path)).into_model().into_runnable()
    return np.asarray(model.run([picture])[0].to_numpy())


def mnn(path: Path, picture: Array) -> Array:
    """MNN, by its converter in float32."""
    import _tools  # the module MNN.tools beside it calls pip when it is imported
    import MNN.expr as expr
    import MNN.nn as nn

    with tempfile.TemporaryDirectory() as folder:
        converted = str(Path(folder) / "model.mnn")
        _tools.mnnconvert(
            ["mnnconvert", "-f", "ONNX", "--modelFile", str(path), "--MNNModel", converted, "--bizCode", "none"]
        )
        net = nn.load_module_from_file(converted, [], [])
        given = expr.placeholder(list(picture.shape), expr.NCHW)
        given.write(np.ascontiguousarray(picture))
        (made,) = net.forward([given])
        return np.array(expr.convert(made, expr.NCHW).read())


def ncnn(path: Path, picture: Array) -> Array:
    """Ncnn through pnnx, without half precision; it has no batch axis."""
    import ncnn
    import pnnx

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / "model.onnx")
        shape = f"[{','.join(map(str, picture.shape))}]f32"
        subprocess.run(
            [pnnx.EXEC_PATH, "model.onnx", f"inputshape={shape}", "fp16=0"],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=120,
        )
        net = ncnn.Net()
        net.opt.use_vulkan_compute = net.opt.use_fp16_arithmetic = net.opt.use_fp16_packed = False
        net.opt.use_fp16_storage = net.opt.use_bf16_storage = False
        if net.load_param(f"{folder}/model.ncnn.param") or net.load_model(f"{folder}/model.ncnn.bin"):
            raise RuntimeError("a layer of it is not known")
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(np.ascontiguousarray(picture[0])))
        code, made = extractor.extract("out0")
        if code:
            raise RuntimeError(f"it failed with {code}")
        return np.array(made)[None]


def web(path: Path, picture: Array) -> Array:
    """onnxruntime-web (wasm) in node."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "input").write_bytes(np.ascontiguousarray(picture).tobytes())
        output = folder / "output"
        words = [str(path.resolve()), str(folder / "input"), json.dumps(picture.shape), str(output)]
        subprocess.run(
            [shutil.which("node") or "node", "--input-type=module", "-e", _WEB_PROGRAM, "--", *words],
            cwd=os.environ[WEB],
            check=True,
            capture_output=True,
            timeout=120,
        )
        shape = json.loads((folder / "output.json").read_text(encoding="utf-8"))
        result: Array = np.frombuffer(output.read_bytes(), np.float32).reshape(shape)
        return result


def browser(path: Path, picture: Array) -> Array:
    """onnxruntime-web (wasm) in headless Chromium."""
    from scripts.browser import in_browser

    return in_browser(path, picture, os.environ.get(WEB))


def tvm(path: Path, picture: Array) -> Array:
    """TVM (relax), compiled for the processor at hand."""
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    model = onnx.load_model(path)
    module = from_onnx(model, shape_dict={model.graph.input[0].name: list(picture.shape)})
    module = relax.transform.DecomposeOpsForInference()(module)
    machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    made = machine["main"](tvm.runtime.tensor(np.ascontiguousarray(picture)))
    return np.array((made if hasattr(made, "numpy") else made[0]).numpy())


def tflite(path: Path, picture: Array) -> Array:
    """LiteRT behind onnx2tf, both with default options; maps may have their channels last."""
    with tempfile.TemporaryDirectory() as folder:
        # It tries what it converts on pictures that it fetches, unless they lie here.
        np.save(Path(folder) / _TRIED, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
        subprocess.run(
            [sys.executable, "-m", "onnx2tf", "-i", str(path.resolve()), "-o", folder, "-n"],
            check=True,
            capture_output=True,
            timeout=900,
            cwd=folder,
        )
        from ai_edge_litert.interpreter import Interpreter

        (converted,) = Path(folder).glob("*_float32.tflite")
        net = Interpreter(str(converted))
        net.allocate_tensors()
        (given,), made = net.get_input_details(), net.get_output_details()[0]
        last = picture.ndim == 4 and tuple(given["shape"]) != picture.shape
        net.set_tensor(given["index"], picture.transpose(0, 2, 3, 1) if last else picture)
        net.invoke()
        return np.array(net.get_tensor(made["index"]))


def iree(path: Path, picture: Array) -> Array:
    """IREE, compiled for the processor at hand."""
    import iree.compiler
    import iree.runtime

    with tempfile.TemporaryDirectory() as folder:
        imported, built = Path(folder) / "model.mlir", Path(folder) / "model.vmfb"
        subprocess.run(
            [sys.executable, "-m", "iree.compiler.tools.import_onnx", str(path.resolve()), "-o", str(imported)],
            check=True,
            capture_output=True,
            timeout=120,
        )
        iree.compiler.compile_file(
            str(imported),
            target_backends=["llvm-cpu"],
            input_type="onnx",
            output_file=str(built),
            extra_args=["--iree-llvmcpu-target-cpu=host"],
        )
        config = iree.runtime.Config("local-sync")
        module = iree.runtime.load_vm_module(iree.runtime.VmModule.mmap(config.vm_instance, str(built)), config)
        name = onnx_graph_name(path)
        made = getattr(module, name)(np.ascontiguousarray(picture))
        first = made[0] if isinstance(made, list | tuple) else made
        return np.array(first.to_host())


def onnx_graph_name(path: Path) -> str:
    """The name of the graph, by which importers call the function."""
    import onnx

    return str(onnx.load_model(path, load_external_data=False).graph.name)


RUNTIMES: dict[str, tuple[str, Runtime]] = {
    "openvino": ("openvino", openvino),
    "opencv": ("opencv-python-headless", opencv),
    "opencv-classic": ("opencv-python-headless", opencv_classic),
    "tract": ("tract", tract),
    "mnn": ("mnn", mnn),
    "ncnn": ("ncnn", ncnn),
    "web": ("onnxruntime-web", web),
    "browser": ("onnxruntime-web", browser),
    "tvm": ("apache-tvm", tvm),
    "tflite": ("onnx2tf", tflite),
    "iree": ("iree-base-compiler", iree),
}
"""By the name of the target, with the package that it comes in."""

TARGETS = {"browser": "web"}
"""The targets whose tables go by another name than the runtime."""


def version_of(name: str) -> str | None:
    """The version of a runtime that can be used here, None where it is not installed."""
    package = RUNTIMES[name][0]
    if package == "onnxruntime-web":
        from scripts.browser import browser as program

        folder = os.environ.get(WEB)
        if folder is None or (program() if name == "browser" else shutil.which("node")) is None:
            return None
        found = Path(folder) / "node_modules" / package / "package.json"
        return str(json.loads(found.read_text(encoding="utf-8"))["version"]) if found.is_file() else None
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    if sys.argv[1] == "version":
        print(version_of(sys.argv[2]) or "")
        sys.exit()
    chosen, model, given, made = sys.argv[1:]
    np.save(made, RUNTIMES[chosen][1](Path(model), np.load(given)))
