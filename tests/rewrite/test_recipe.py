"""``fix --recipe``: the PyTorch code that it prints is valid, and computes what the rewritten graph computes."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from auditor.demo import demo_model
from auditor.onnxfile import read_model
from auditor.report.repair.recipe import recipe_json, recipe_text
from auditor.rewrite.recipe import BLUR_POOL, Edit, Library, Recipe, recipe
from auditor.rewrite.result import Kernel, Options, Padding, RewriteError, Strategy, Where
from auditor.sampling import analyse
from tests.rewrite.networks import fixed, image, random_network, run
from tests.rules.builder import build

SITES = {
    "max pool 2": "MaxPool k2 s2",
    "max pool 3": "MaxPool k3 s2 p1",
    "max pool, padded unevenly": "MaxPool k3 s2 p0,0,1,1",
    "average pool": "AveragePool k2 s2",
    "average pool, padded": "AveragePool k3 s2 p1 count_include_pad=1",
    "average pool that leaves the padding out": "AveragePool k3 s2 p1",
    "convolution": "Conv k3 s2 p1 c6\nRelu",
    "grouped convolution": "Conv k3 s2 p1 c8 g4\nRelu",
    "dilated convolution": "Conv k3 s2 p2 d2 c6\nRelu",
    "convolution, padded unevenly": "Conv k3 s2 p0,0,1,1 c6\nRelu",
    "convolution without an activation": "Conv k3 s2 p1 c6",
    "shortcut": "Conv k1 s2 c6",
    "stride 3": "Conv k3 s3 p1 c6\nRelu",
    "stride 2x1": "MaxPool k2x1 s2x1",
    "an odd size": "MaxPool k3 s2",
}
OPTIONS = {
    "tri3": Options(),
    "bin5": Options(kernel=Kernel.BIN5),
    "rect2": Options(kernel=Kernel.RECT2),
    "bin4": Options(kernel=Kernel.BIN4),
    "half": Options(blend=0.5),
    "zero": Options(padding=Padding.ZERO),
    "edge": Options(padding=Padding.EDGE),
    "pre": Options(where=Where.PRE),
}


def recipe_of(model: onnx.ModelProto, folder: Path, options: Options | None = None) -> Recipe:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    read = read_model(path)
    return recipe(read, analyse(read), options)


def code_of(edit: Edit) -> str:
    return "\n".join([edit.operator, *(blur.code for blur in edit.blurs), edit.forward])


@pytest.mark.parametrize("seed", range(20))
def test_a_site_has_an_edit_that_is_valid_python_or_a_reason_and_never_both(seed: int, tmp_path: Path) -> None:
    options = list(OPTIONS.values())[seed % len(OPTIONS)]
    for rank in (1, 2, 3):
        for entry in recipe_of(random_network(seed, rank), tmp_path, options).sites:
            assert (entry.edit is None) == bool(entry.reason)
            if entry.edit is not None:
                ast.parse(code_of(entry.edit))
    ast.parse(BLUR_POOL)


def test_every_site_of_the_built_in_network_has_an_edit_with_its_module_and_source_line() -> None:
    read = read_model(demo_model())
    found = recipe(read, analyse(read))
    text = recipe_text("digits.onnx", found)
    assert all(entry.edit is not None for entry in found.sites)
    assert "module: layer1.conv1, scripts/train_demo.py:64" in text
    assert "operator = nn.Conv2d(12, 24, kernel_size=3, stride=1, padding=1)" in text
    assert "blur = timm.layers.BlurPool2d(24, filt_size=3, stride=2)" in text
    assert "x = operator(blur(x))" in text  # the shortcut
    document = json.loads(recipe_json("digits.onnx", found))
    assert [site["module"] for site in document["recipe"]["sites"]][:2] == ["maxpool", "layer1.conv1"]
    assert document["recipe"]["sites"][1]["edit"]["notes"] == ["behind: what follows today (Relu)"]


def test_libraries_whose_blurpool_would_move_the_grid_are_left_out(tmp_path: Path) -> None:
    def libraries(text: str, options: Options) -> set[Library]:
        (entry,) = recipe_of(build(f"input 1x4x24x24\n{text}"), tmp_path, options).sites
        assert entry.edit is not None
        return {blur.library for blur in entry.edit.blurs}

    assert libraries("MaxPool k2 s2", Options()) == set(Library)
    assert libraries("MaxPool k3 s2", Options(kernel=Kernel.BIN4)) == {Library.TORCH}
    assert libraries("MaxPool k3 s3", Options()) == {Library.TORCH}
    assert libraries("MaxPool k2 s2", Options(padding=Padding.ZERO)) == {Library.TORCH, Library.KORNIA}


def test_a_name_that_is_no_site_is_an_error() -> None:
    read = read_model(demo_model())
    with pytest.raises(RewriteError, match="no sampling site is called"):
        recipe(read, analyse(read), None, ["nowhere"])


def test_names_of_a_hostile_model_never_reach_the_code(tmp_path: Path) -> None:
    model = build("input 1x4x24x24\nMaxPool k2 s2")
    model.graph.node[0].name = "x\n::error::\x1b[31m"
    found = recipe_of(model, tmp_path)
    assert "\n::" not in recipe_text("m", found)
    assert "\x1b" not in recipe_text("m", found) + recipe_json("m", found)


@pytest.mark.parametrize("how", OPTIONS)
@pytest.mark.parametrize("kind", SITES)
def test_the_code_computes_what_the_rewritten_graph_computes(kind: str, how: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    size = 23 if kind == "an odd size" else 24
    model = build(f"input 1x4x{size}x{size}\n{SITES[kind]}")
    (entry,) = recipe_of(model, tmp_path, OPTIONS[how]).sites
    target, done, _ = fixed(model, tmp_path, Strategy.BLUR, OPTIONS[how])
    if entry.edit is None:
        # Only the average pool whose border PyTorch cannot have is rewritten and has no edit.
        assert not done.changes or kind == "average pool that leaves the padding out"
        return
    assert done.changes
    expected = run(target, image(model))
    checked = set()
    for blur in entry.edit.blurs:
        made = computed(torch, model, entry.edit, blur.code, blur.library, image(model))
        if made is None:
            continue
        checked.add(blur.library)
        inner = (..., slice(2, -2), slice(2, -2)) if blur.note else ...
        np.testing.assert_allclose(made[inner], expected[inner], atol=1e-5)
        assert made.shape == expected.shape
    assert Library.TORCH in checked


def computed(torch: Any, model: onnx.ModelProto, edit: Edit, code: str, library: Library, x: Any) -> Any:
    """What the edit computes with the model's weights; None where the library is not installed."""
    names: dict[str, Any] = {"behind": torch.nn.functional.relu}
    if library is not Library.TORCH:
        try:
            exec(f"import {library.value}, {library.value}.{'layers' if library is Library.TIMM else 'filters'}", names)
        except ImportError:
            return None
    exec(BLUR_POOL, names)
    exec(f"{edit.operator}\n{code}", names)
    if "operator" not in names:  # it stays as it is, its stride too
        names["operator"] = original(torch, model)
    load(torch, model, names["operator"])
    names["x"] = torch.from_numpy(x)
    with torch.no_grad():
        exec(edit.forward, names)
    if model.graph.node[-1].op_type == "Relu" and "behind" not in edit.forward:
        names["x"] = torch.relu(names["x"])
    return names["x"].numpy()


def load(torch: Any, model: onnx.ModelProto, operator: Any) -> None:
    """The weights of the model's only convolution, in the order in which the node reads them."""
    if not isinstance(operator, torch.nn.Module):
        return
    values = {
        tensor.name: np.frombuffer(tensor.raw_data, np.float32).reshape(tensor.dims)
        for tensor in model.graph.initializer
    }
    weights = [values[name] for name in model.graph.node[0].input[1:]]
    with torch.no_grad():
        for parameter, value in zip(operator.parameters(), weights, strict=True):
            parameter.copy_(torch.from_numpy(value.copy()))


def original(torch: Any, model: onnx.ModelProto) -> Any:
    """The model's first node alone, run as it is."""
    first = onnx.ModelProto()
    first.CopyFrom(model)
    del first.graph.node[1:]
    del first.graph.output[:]
    first.graph.output.append(onnx.helper.make_empty_tensor_value_info(first.graph.node[0].output[0]))
    return lambda x: torch.from_numpy(run(first, x.numpy()))
