"""The module path and source line that torch's exporter wrote are shown in the form people know them."""

from __future__ import annotations

import pytest

from auditor.onnxfile import origin, read_model
from auditor.onnxfile.graph import Node
from auditor.onnxfile.noderef import Origin
from auditor.text import ModelText
from tests.onnxfile.build import SHARED

TRACE = """File "/home/me/project/net/model.py", line 42, in forward
    return self.features(x)
  File "/venv/lib/python3.12/site-packages/torchvision/ops/misc.py", line 7, in forward
    return self.block(x)
  File "/venv/lib/python3.12/site-packages/torch/nn/modules/conv.py", line 548, in forward
    return self._conv_forward(input, self.weight, self.bias)"""


def node(**metadata: str) -> Node:
    return Node(
        "n", "Conv", "", (), (), {}, 0, metadata={key.replace("__", "."): value for key, value in metadata.items()}
    )


def shown(**metadata: str) -> tuple[str, str]:
    found = origin(node(**metadata))
    return (found.module.raw, found.source.raw) if found else ("", "")


def test_module_and_line_of_a_dynamo_export() -> None:
    scopes = "['', 'features', 'features.3', 'features.3.conv', 'conv2d']"
    found = origin(node(pkg__torch__onnx__name_scopes=scopes, pkg__torch__onnx__stack_trace=TRACE))
    assert found == Origin(ModelText("features.3.conv"), ModelText("net/model.py:42"))


def test_the_namespace_serves_where_the_scopes_are_absent() -> None:
    namespace = ": net.Net/features: torch.nn.Sequential/features.0: torch.nn.Conv2d/conv2d: aten.conv2d.default"
    assert shown(namespace=namespace, stack_trace=TRACE) == ("features.0", "net/model.py:42")


@pytest.mark.parametrize(
    ("frames", "line"),
    [
        (['File "C:\\\\code\\\\net.py", line 3'], "code/net.py:3".replace("code/", "/")),
        (['File "model.py", line 9'], "model.py:9"),
        (
            ['File "/a/dist-packages/timm/net.py", line 3', 'File "/a/dist-packages/torch/nn.py", line 4'],
            "timm/net.py:3",
        ),
        (['File "/usr/lib/python3.12/functools.py", line 3', 'File "/me/net.py", line 1'], "me/net.py:1"),
        (['File "<eval_with_key>.0", line 3'], ""),
        (['File "torch/fx/passes/runtime_assert.py", line 24'], ""),
    ],
)
def test_the_innermost_line_of_the_users_own_code_is_chosen(frames: list[str], line: str) -> None:
    assert shown(stack_trace="\n  ".join(f"{frame}, in forward" for frame in frames))[1] == line


def test_a_node_of_the_root_module_has_a_line_only() -> None:
    assert shown(pkg__torch__onnx__name_scopes="['', 'relu']", stack_trace=TRACE) == ("", "net/model.py:42")


@pytest.mark.parametrize("value", ["", "[", "['a'", "'" * 100_000, "/" * 100_000, 'File "' * 50_000, ": :" * 9])
def test_garbage_says_nothing_or_little_and_never_fails(value: str) -> None:
    origin(node(pkg__torch__onnx__name_scopes=value, namespace=value, stack_trace=value))


def test_a_node_without_metadata_has_no_origin() -> None:
    assert origin(node()) is None
    assert origin(node(other="x")) is None


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the folder of real models beside the checkout")
def test_a_real_dynamo_export_names_the_modules_of_mobilenet() -> None:
    read = read_model(SHARED / "external_data/missing_pets_mbv2_dynamo/model.onnx")
    convolutions = [origin(found) for found in read.graph.nodes if found.op == "Conv"]
    modules = [found.module.raw for found in convolutions if found]
    assert modules[0] == "features.0.0"
    assert "features.17.conv.1.0" in modules
    assert len(modules) == len(convolutions) == 52
