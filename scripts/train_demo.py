# /// script
# requires-python = ">=3.10"
# dependencies = ["aliasaudit", "onnx", "scikit-learn", "torch==2.13.0"]
# ///
"""Train the built-in example network and write it, with held-out images, into ``auditor/demo``.

The recipe is the everyday one: a small residual network, digits near the middle of the picture and moved by up to two
pixels, no anti-aliasing. Seeded and on one thread, so that it gives the same file again with the same torch on the same
kind of processor. Takes about half a minute.

    python scripts/train_demo.py
"""

from __future__ import annotations

import operator
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.checker
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from auditor.demo import demo_images, demo_model, more_demo_images  # noqa: E402 - after the path is set
from auditor.demo.digits import CANVAS, LAST_POSITION, draw  # noqa: E402

SEED = 0
EPOCHS = 12
BATCH = 64
JITTER = 2
MIDDLE = LAST_POSITION // 2
LEAST_ACCURACY = 0.97
HELD_OUT = 360
SHIPPED = 64


class Block(nn.Module):
    """A residual block that halves the grid, as in ResNet (He et al. 2016): 3x3 stride 2, 3x3, and a 1x1 stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.relu2 = nn.ReLU()

    def forward(self, x: Any) -> Any:
        """Float [N, inputs, H, W] to [N, outputs, ceil(H / 2), ceil(W / 2)]."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu2(y + self.bn3(self.downsample(x)))


class Network(nn.Module):
    """The example network: a max-pool and two residual blocks halve the grid three times, then it is averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(12)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(2)
        self.layer1 = Block(12, 24)
        self.layer2 = Block(24, 40)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(40, 10)

    def forward(self, x: Any) -> Any:
        """Float [N, 1, CANVAS, CANVAS] to logits [N, 10]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer2(self.layer1(x))
        return self.fc(self.flatten(self.avgpool(x)))


def train(digits: NDArray[np.uint8], labels: NDArray[np.int64]) -> Network:
    """Fit the network to digits uint8 [N, 8, 8] and fold its batch normalisations into the convolutions."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(SEED)
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    steps = len(digits) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, total_steps=EPOCHS * steps)
    for _ in range(EPOCHS):
        for chosen in np.array_split(rng.permutation(len(digits))[: steps * BATCH], steps):
            rows, columns = rng.integers(MIDDLE - JITTER, MIDDLE + JITTER + 1, (2, BATCH))
            pictures = torch.from_numpy(draw(digits[chosen], rows, columns))
            loss = nn.functional.cross_entropy(network(pictures), torch.from_numpy(labels[chosen]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    fold_normalisation(network)
    return network


def fold_normalisation(network: Network) -> None:
    """Put each batch normalisation into the convolution before it, as exporters do; the function stays the same."""
    for module in (network, network.layer1, network.layer2):
        for convolution, norm in (("conv1", "bn1"), ("conv2", "bn2"), ("downsample", "bn3")):
            if hasattr(module, convolution):
                setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
                setattr(module, norm, nn.Identity())


def accuracy(network: Network, digits: NDArray[np.uint8], labels: NDArray[np.int64], row: int, column: int) -> float:
    """The share of digits read rightly when all stand at one place."""
    place = np.ones(len(digits), np.int64)
    with torch.no_grad():
        logits = network(torch.from_numpy(draw(digits, row * place, column * place)))
    return float((logits.argmax(1).numpy() == labels).mean())


class RecordingTracer(fx.Tracer):
    """Remembers which line of the forward functions each node came from."""

    record_stack_traces = True


class Writer:
    """Turns the traced network into an ONNX graph, with the names and the metadata that torch's exporters give."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.tensors: dict[Any, str] = {}

    def model(self) -> onnx.ModelProto:
        """The whole model: opset 18, IR version 10 (the first with metadata on nodes)."""
        for node in RecordingTracer().trace(self.network).nodes:
            self.write(node)
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, CANVAS, CANVAS])
        graph = helper.make_graph(self.nodes, "digits", [image], [logits], self.initializers)
        return helper.make_model(
            graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)], producer_name="aliasaudit train_demo"
        )

    def write(self, node: Any) -> None:
        """Append what one traced node stands for."""
        if node.op == "placeholder":
            self.tensors[node] = "image"
        elif node.op == "output":
            self.nodes[-1].output[0] = "logits"
        elif node.op == "call_function" and node.target is operator.add:
            self.emit(node, scopes_of(node), "Add")
        else:
            self.write_module(node, self.network.get_submodule(node.target))

    def write_module(self, node: Any, module: Any) -> None:
        """Append the operator of one leaf module."""
        path = str(node.target)
        if isinstance(module, nn.Identity):
            self.tensors[node] = self.tensors[node.args[0]]
        elif isinstance(module, nn.Conv2d):
            self.emit(
                node,
                path,
                "Conv",
                self.parameters(path, module),
                kernel_shape=module.kernel_size,
                strides=module.stride,
                pads=module.padding * 2,
                dilations=module.dilation,
                group=module.groups,
            )
        elif isinstance(module, nn.Linear):
            self.emit(node, path, "Gemm", self.parameters(path, module), transB=1)
        elif isinstance(module, nn.MaxPool2d):
            self.emit(node, path, "MaxPool", kernel_shape=[module.kernel_size] * 2, strides=[module.stride] * 2)
        else:
            plain = {nn.ReLU: "Relu", nn.AdaptiveAvgPool2d: "GlobalAveragePool", nn.Flatten: "Flatten"}
            self.emit(node, path, plain[type(module)])

    def parameters(self, path: str, module: Any) -> list[str]:
        """Add weight and bias of a module; return their names."""
        names = [f"{path}.weight", f"{path}.bias"]
        for name, value in zip(names, (module.weight, module.bias), strict=True):
            self.initializers.append(numpy_helper.from_array(value.detach().numpy(), name))
        return names

    def emit(self, node: Any, path: str, operator_type: str, extra: list[str] | None = None, **attributes: Any) -> None:
        """Append one operator with its place in the module tree and in the source."""
        name = "/" + path.replace(".", "/") + "/" + operator_type
        inputs = [self.tensors[source] for source in node.all_input_nodes] + (extra or [])
        made = helper.make_node(operator_type, inputs, [f"{name}_output_0"], name, **attributes)
        steps = path.split(".")
        scopes = ["", *(".".join(steps[: depth + 1]) for depth in range(len(steps)))]
        classes = [type(self.network.get_submodule(scope)).__name__ for scope in scopes]
        metadata = {
            "namespace": "/".join([f"{a}: {b}" for a, b in zip(scopes, classes, strict=True)] + [node.name]),
            "pkg.torch.onnx.name_scopes": repr([*scopes, node.name]),
            "pkg.torch.onnx.stack_trace": own_frames(node.stack_trace),
        }
        helper.set_model_props(made, metadata)
        self.nodes.append(made)
        self.tensors[node] = made.output[0]


def scopes_of(node: Any) -> str:
    """The path of the module whose forward function called a plain function."""
    return str(list(node.meta["nn_module_stack"])[-1])


def own_frames(stack_trace: str) -> str:
    """The frames of a stack trace that lie in this script, with its path from the root of the repository."""
    script = Path(__file__).resolve()
    frames = [f"File {frame}" for frame in stack_trace.split("File ") if frame.startswith(f'"{script}"')]
    return "".join(frames).replace(str(script), script.relative_to(ROOT).as_posix()).strip()


def main() -> None:
    """Train, check the accuracy, and write both files."""
    data = load_digits()
    digits, held_out, labels, held_out_labels = train_test_split(
        data.images.astype(np.uint8), data.target, test_size=HELD_OUT, random_state=SEED, stratify=data.target
    )
    network = train(digits, labels)
    middle = accuracy(network, held_out, held_out_labels, MIDDLE, MIDDLE)
    if middle < LEAST_ACCURACY:
        sys.exit(f"held-out accuracy {middle:.3f} is below {LEAST_ACCURACY}: nothing was written")
    model = Writer(network).model()
    onnx.checker.check_model(model, full_check=True)
    demo_model().write_bytes(model.SerializeToString(deterministic=True))
    for path, part in ((demo_images(), slice(SHIPPED)), (more_demo_images(), slice(SHIPPED, None))):
        np.savez_compressed(path, images=held_out[part], labels=held_out_labels[part].astype(np.uint8))
    shifts = range(MIDDLE - 4, MIDDLE + 5)
    everywhere = [accuracy(network, held_out, held_out_labels, row, column) for row in shifts for column in shifts]
    print(f"{demo_model()}: {demo_model().stat().st_size} bytes")
    print(f"held-out accuracy: {middle:.3f} in the middle, {min(everywhere):.3f} at the worst shift of up to 4 pixels")


if __name__ == "__main__":
    main()
