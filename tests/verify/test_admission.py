from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, save_model
from onnx.external_data_helper import set_external_data

from auditor.onnxfile import read_model
from auditor.verify.admission import check_domains, check_external
from auditor.verify.errors import ModelRefusedError
from tests.verify.models import classifier, model, saved

WEIGHTS = np.arange(64, dtype=np.float32)


def external(folder: Path, location: str, offset: int = 0, length: int | None = None) -> Path:
    made = classifier()
    tensor = TensorProto(name="far", dims=[64], data_type=TensorProto.FLOAT)
    tensor.raw_data = b"\0" * 256
    set_external_data(tensor, location, offset, length)
    tensor.ClearField("raw_data")
    made.graph.initializer.append(tensor)
    path = folder / "m.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def weights(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(WEIGHTS.tobytes())
    return path


def refused(path: Path, match: str) -> None:
    with pytest.raises(ModelRefusedError, match=match):
        check_external(read_model(path))


def test_a_file_beside_the_model_is_bound_and_its_hash_reported(tmp_path: Path) -> None:
    weights(tmp_path / "data" / "w.bin")
    ((location, digest),) = check_external(read_model(external(tmp_path, "data/w.bin", 0, 256)))
    assert location.raw == "data/w.bin"
    assert digest == hashlib.sha256(WEIGHTS.tobytes()).hexdigest()


def test_a_model_without_external_files_has_nothing_to_bind(tmp_path: Path) -> None:
    assert check_external(read_model(saved(tmp_path / "m.onnx", classifier()))) == ()


@pytest.mark.parametrize("location", ["/etc/passwd", "C:/w.bin", "C:w.bin", "\\\\host\\w.bin", "data\\w.bin"])
def test_an_absolute_or_windows_path_is_refused(tmp_path: Path, location: str) -> None:
    refused(external(tmp_path, location), "absolute or a Windows path")


@pytest.mark.parametrize("location", ["../w.bin", "a/../../w.bin", "data/../../w.bin", ".."])
def test_a_path_that_leaves_the_folder_is_refused_even_where_it_leads_back(tmp_path: Path, location: str) -> None:
    weights(tmp_path / "w.bin")
    refused(external(tmp_path, location), "outside the folder")


def test_a_link_in_any_component_is_refused(tmp_path: Path) -> None:
    weights(tmp_path / "real" / "w.bin")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "w.bin").symlink_to(tmp_path / "real" / "w.bin")
    refused(external(tmp_path, "link/w.bin"), "symbolic link")
    refused(external(tmp_path, "w.bin"), "symbolic link")


def test_a_hard_link_is_refused_because_onnxruntime_would_load_it(tmp_path: Path) -> None:
    os.link(weights(tmp_path / "secret"), tmp_path / "w.bin")
    refused(external(tmp_path, "w.bin"), "hard link")


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    refused(external(tmp_path, "folder"), "regular")
    refused(external(tmp_path, "pipe"), "regular")


@pytest.mark.parametrize(("offset", "length"), [(0, 257), (1, 256), (4, None), (-1, 4), (2**62, 4), (0, -5)])
def test_bytes_outside_the_file_are_refused(tmp_path: Path, offset: int, length: int | None) -> None:
    weights(tmp_path / "w.bin")
    refused(external(tmp_path, "w.bin", offset, length), "lies outside its external weight file")


@pytest.mark.parametrize("location", ["missing.bin", "a\0b", ""])
def test_a_file_that_is_not_there_is_refused(tmp_path: Path, location: str) -> None:
    refused(external(tmp_path, location), "missing|no name")


def foreign(op: str, domain: str) -> ModelProto:
    nodes = [helper.make_node(op, ["x"], ["y"], domain=domain)]
    made = model(nodes, {"x": [1, 3, 8, 8]}, {"y": None})
    made.opset_import.append(helper.make_opsetid(domain, 1))
    return made


def test_an_operator_of_another_domain_needs_permission(tmp_path: Path) -> None:
    read = read_model(saved(tmp_path / "m.onnx", foreign("Tokenizer", "ai.onnx.contrib")))
    with pytest.raises(ModelRefusedError, match="--allow-domain") as caught:
        check_domains(read)
    assert caught.value.detail.raw == "ai.onnx.contrib::Tokenizer"
    check_domains(read, frozenset(["ai.onnx.contrib"]))


@pytest.mark.parametrize("op", ["FusedConv", "QLinearAdd", "SkipLayerNormalization"])
def test_operators_of_onnxruntime_itself_need_no_permission(tmp_path: Path, op: str) -> None:
    check_domains(read_model(saved(tmp_path / "m.onnx", foreign(op, "com.microsoft"))))


@pytest.mark.parametrize("op", ["EPContext", "PythonOp", "Snpe"])
def test_an_embedded_engine_is_refused_whatever_is_allowed(tmp_path: Path, op: str) -> None:
    read = read_model(saved(tmp_path / "m.onnx", foreign(op, "com.microsoft")))
    with pytest.raises(ModelRefusedError, match="engine"):
        check_domains(read, frozenset(["com.microsoft"]))


def test_functions_of_the_model_are_allowed_and_their_bodies_are_searched(tmp_path: Path) -> None:
    made = foreign("Block", "mine")
    body = [helper.make_node("Relu", ["a"], ["b"])]
    made.functions.append(helper.make_function("mine", "Block", ["a"], ["b"], body, made.opset_import))
    path = tmp_path / "m.onnx"
    save_model(made, path)
    check_domains(read_model(path))
    made.functions[0].node[0].domain = "ai.onnx.contrib"
    save_model(made, path)
    with pytest.raises(ModelRefusedError, match="--allow-domain"):
        check_domains(read_model(path))


def test_an_operator_inside_a_branch_is_found(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Evil", ["x"], ["out"], domain="evil")],
        "branch",
        [],
        [helper.make_tensor_value_info("out", 1, None)],
    )
    node = helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    made = model([node], {"x": [1, 3, 8, 8]}, {"y": None}, {"yes": np.array(True)})
    with pytest.raises(ModelRefusedError, match="--allow-domain"):
        check_domains(read_model(saved(tmp_path / "m.onnx", made)))
