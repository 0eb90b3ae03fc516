"""The analysis of other people's models against the sizes that onnxruntime produces, tensor by tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, ValueInfoProto, numpy_helper

from auditor.onnxfile import read_model
from auditor.sampling import Analysis, analyse
from auditor.sampling.result import Lattice
from tests.runtime import runtime_since
from tests.sampling.impulse import quiet, shape_of

MODELS = Path(__file__).parents[2].parent / "shared" / "models"
BACKEND = Path(onnx.__file__).parent / "backend" / "test" / "data"

# Where the grid is lost for a reason that no analysis without a run can remove: node name, and what the file hides.
LOST = {
    "external_data/ort_pad_external/model_with_orig_ext_data.onnx": {
        "Pad_0": "its pads lie in a file beside the model"
    },
    "structural/opset01_all_ops.onnx": {"tile_node": "a grid that is repeated is no lattice"},
    "subgraph_function/crop_and_resize_loop.onnx": {"output/body/Slice_b": "which pictures are cut out is an input"},
}

CANNOT_RUN = {
    "custom_ops_unrunnable/dronet_quantlab_int.onnx": "custom operators",
    "custom_ops_unrunnable/espcn_qonnx_quant.onnx": "custom operators",
    "external_data/missing_pets_mbv2_dynamo/model.onnx": "its weights are missing",
    "keypoints/bodypix_x050_s8.onnx": "onnxruntime refuses dilated convolutions with SAME padding",
    "structural/opset01_all_ops.onnx": "operators of an opset that onnxruntime does not run",
    "structural/opset22_all_ops.onnx": "operators that onnxruntime does not run",
    "subgraph_function/if_conv2d.onnx": "a branch with inputs",
    "subgraph_function/nested_if_loop_if_scan.onnx": "a branch with inputs",
    "subgraph_function/nested_local_function.onnx": "an operand of the wrong type",
}

SLOW = {"segmentation/niivue_brain3d.onnx"}
QUICK_BYTES = 600_000


def _names() -> list[str]:
    files = sorted(MODELS.glob("**/*.onnx"))
    return [path.relative_to(MODELS).as_posix() for path in files if "hostile" not in path.parts]


def _marked() -> list[Any]:
    """The models, the larger ones marked as slow."""
    heavy = [name in SLOW or (MODELS / name).stat().st_size > QUICK_BYTES for name in _names()]
    return [
        pytest.param(name, marks=[pytest.mark.slow] if slow else []) for name, slow in zip(_names(), heavy, strict=True)
    ]


pytestmark = pytest.mark.skipif(not MODELS.is_dir(), reason="the models folder is not beside the checkout")


@pytest.mark.parametrize("name", _names())
def test_a_real_model_is_tracked_to_its_end(name: str) -> None:
    found = analyse(read_model(MODELS / name))
    lost = {region.node.name.raw for region in found.untracked}
    assert lost == set(LOST.get(name, {})), [(region.node.name.raw, region.reason) for region in found.untracked]
    if not lost:
        assert found.tracked_nodes == found.nodes


@pytest.mark.parametrize("name", _marked())
def test_every_tensor_of_a_real_model_has_the_size_that_onnxruntime_gives_it(name: str) -> None:
    if name in CANNOT_RUN:
        pytest.skip(CANNOT_RUN[name])
    model = onnx.load(MODELS / name)
    if any(opset.domain == "" and opset.version > 23 for opset in model.opset_import) and not runtime_since(1, 24):
        pytest.skip("onnxruntime runs opset 24 from 1.24 on")
    found = analyse(read_model(MODELS / name))
    shapes = run_all(model, found)
    assert shapes
    predicted = {tensor: shape_of(found, tensor) for tensor in shapes}
    wrong = {
        tensor: (predicted[tensor], shape) for tensor, shape in shapes.items() if predicted[tensor] not in (None, shape)
    }
    assert not wrong
    known = sum(shape is not None for shape in predicted.values())
    assert known == len(shapes) or name in LOST or found.data_dependent or known >= 0.98 * len(shapes)


@pytest.mark.parametrize("name", _names())
def test_the_samples_of_every_axis_lie_over_the_input_but_for_padding(name: str) -> None:
    """``L`` input samples seen every ``S`` are ``L / S`` outputs: a factor that is wrong leaves the picture."""
    found = analyse(read_model(MODELS / name))
    for tensor, lattices in found.tensors.items():
        for lattice in lattices:
            if lattice is not None and lattice.size > 4:
                assert covers(lattice, found.sources[lattice.source].size), (tensor, lattice)


def covers(lattice: Lattice, length: int) -> bool:
    """Whether the outputs span the input: neither their ends nor their number is off by more than field and padding."""
    first = lattice.offset
    last = lattice.offset + lattice.stride * (lattice.size - 1)
    slack = lattice.receptive_field + abs(lattice.stride) + max(length // 4, 8)
    return min(first, last) >= -slack and max(first, last) <= length - 1 + slack


def run_all(model: ModelProto, found: Analysis) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of the main graph, with inputs of the sizes that the analysis chose."""
    outputs = {value.name for value in model.graph.output}
    inner = {name for node in model.graph.node for name in node.output if name}
    model.graph.output.extend(ValueInfoProto(name=name) for name in sorted(inner - outputs))
    session = onnxruntime.InferenceSession(model.SerializeToString(), quiet, providers=["CPUExecutionProvider"])
    feeds = {}
    for value in session.get_inputs():
        shape = shape_of(found, value.name) or [d if isinstance(d, int) else 1 for d in value.shape]
        feeds[value.name] = np.ones(shape, DTYPES[value.type])
    names = [value.name for value in session.get_outputs()]
    results = session.run(names, feeds)
    return {name: result.shape for name, result in zip(names, results, strict=True) if isinstance(result, np.ndarray)}


DTYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


def test_every_model_file_of_the_onnx_package_is_analysed_without_an_exception() -> None:
    files = sorted(BACKEND.glob("**/*.onnx"))
    assert len(files) > 100
    for path in files:
        found = analyse(read_model(path))
        assert found.nodes >= 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")  # of the package's own test data
def test_every_operator_test_of_the_onnx_standard_gets_the_shapes_that_it_expects(tmp_path: Path) -> None:
    from onnx.backend.test.case.node import collect_testcases

    wrong, right = [], 0
    path = tmp_path / "model.onnx"
    for case in collect_testcases(None):
        if case.model is None or not case.data_sets:
            continue
        inputs, outputs = case.data_sets[0]
        path.write_bytes(_with_constants(case.model, inputs).SerializeToString())
        found = analyse(read_model(path))
        for value, expected in zip(case.model.graph.output, outputs, strict=False):
            shape = shape_of(found, value.name)
            sizes = getattr(expected, "shape", (0,))
            if shape is None or 0 in sizes:
                continue  # an axis of size 0 in a file means that its size is open
            right += shape == sizes
            if shape != sizes:
                wrong.append((case.name, value.name, shape, sizes))
    assert not wrong
    assert right > 1500


def _with_constants(model: ModelProto, inputs: Any) -> ModelProto:
    """The model with its small integer inputs but the first, and the scales of Resize, as constants."""
    resizes = model.graph.node[0].op_type in ("Resize", "Upsample")
    for index in range(min(len(model.graph.input), len(inputs)) - 1, 0, -1):
        value = inputs[index]
        if isinstance(value, np.ndarray) and value.size <= 64 and (value.dtype.kind in "iub" or resizes):
            model.graph.initializer.append(numpy_helper.from_array(value, model.graph.input[index].name))
            del model.graph.input[index]
    return model
