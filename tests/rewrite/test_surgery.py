"""What a rewrite leaves alone: everything that it was not asked to change, down to the byte."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from auditor.onnxfile import read_model
from auditor.rewrite.graph import file as pieces_of
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Kernel, Options, RewriteError, Step, Strategy
from auditor.sampling import analyse
from tests.rewrite.networks import Network, fixed, image, run, session


def documented(ir: int = 10) -> onnx.ModelProto:
    """A model that carries everything which graph libraries are known to lose."""
    made = Network(np.random.default_rng(0), 4, (16, 16), opset=21, ir=ir)
    made.conv()
    made.add("Relu")
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.conv()
    model = made.model()
    model.domain, model.model_version, model.doc_string = "org.example", 7, "about the model"
    model.metadata_props.add(key="trained on", value="pictures")
    graph = model.graph
    graph.doc_string = "about the graph"
    graph.metadata_props.add(key="graph", value="kept")
    graph.node[0].doc_string = "about the node"
    graph.node[0].metadata_props.add(key="node", value="kept")
    graph.quantization_annotation.add(tensor_name=graph.node[0].output[0])
    graph.initializer.append(helper.make_tensor("unused", TensorProto.FLOAT, [1], [1.0]))
    graph.input[0].doc_string = "about the input"
    graph.input[0].type.denotation = "IMAGE"
    graph.value_info.append(
        helper.make_tensor_value_info(graph.node[1].output[0], TensorProto.FLOAT, [1, 4, None, None])
    )
    model.training_info.add()
    return model


def test_all_that_is_not_rewritten_is_the_same_message_as_before(tmp_path: Path) -> None:
    model = documented()
    target, done, _ = fixed(model, tmp_path)
    written = onnx.load(target)
    assert [site.node.name.raw for site in done.sites] == [model.graph.node[2].name]
    added = [node for node in written.graph.node if node.name.startswith("aliasaudit/")]
    changed = [node.name for node in model.graph.node if node not in written.graph.node]
    assert changed == [model.graph.node[2].name]
    for node in added:
        written.graph.node.remove(node)
    del written.graph.node[:], model.graph.node[:]
    weights = [weight for weight in written.graph.initializer if weight.name.startswith("aliasaudit/")]
    for weight in weights:
        written.graph.initializer.remove(weight)
    (entry,) = [entry for entry in written.metadata_props if entry.key == "aliasaudit.fix"]
    written.metadata_props.remove(entry)
    assert written == model


def test_every_change_says_where_it_comes_from(tmp_path: Path) -> None:
    target, done, _ = fixed(documented(), tmp_path)
    written = onnx.load(target)
    named = {change.node.raw for change in done.changes}
    marked = {node.name for node in written.graph.node if any(p.key == "aliasaudit.fix" for p in node.metadata_props)}
    assert marked == named
    assert any(p.key == "aliasaudit.fix" and '"kernel": "tri3"' in p.value for p in written.metadata_props)


def test_the_part_in_front_of_a_rewritten_site_computes_the_same_bits(tmp_path: Path) -> None:
    model = documented()
    target, _, _ = fixed(model, tmp_path)
    front = model.graph.node[1].output[0]
    results = []
    for proto in (model, onnx.load(target)):
        proto.graph.output.append(helper.make_tensor_value_info(front, TensorProto.FLOAT, [None] * 4))
        results.append(session(proto).run([front], {"x": image(model)})[0])
    assert np.array_equal(*results)


def test_inputs_and_weights_of_old_files_stay_as_they_are(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(0), 2, (8, 8), opset=9, ir=3)
    made.conv()
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    model = made.model()
    target, _, _ = fixed(model, tmp_path)
    written = onnx.load(target)
    onnx.checker.check_model(written, full_check=True)
    assert written.ir_version == 3
    assert written.graph.input == model.graph.input
    assert written.graph.initializer == model.graph.initializer
    run(target, image(model))


def test_a_graph_that_a_file_holds_in_two_parts_is_written_as_one(tmp_path: Path) -> None:
    model = documented()
    first, second = onnx.ModelProto(), onnx.ModelProto()
    first.CopyFrom(model)
    del first.graph.node[2:]
    second.graph.node.extend(model.graph.node[2:])
    source, target = tmp_path / "two.onnx", tmp_path / "fixed.onnx"
    source.write_bytes(first.SerializeToString() + second.SerializeToString())
    read = read_model(source)
    rewrite(read, analyse(read), Step(Strategy.BLUR), target)
    assert len(onnx.load(target).graph.node) == len(model.graph.node) + 2


def test_the_source_is_never_overwritten_unless_asked_and_then_backed_up(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(documented().SerializeToString())
    before = source.read_bytes()
    read = read_model(source)
    with pytest.raises(RewriteError, match="in-place"):
        rewrite(read, analyse(read), Step(Strategy.BLUR), source)
    assert source.read_bytes() == before
    done = rewrite(read, analyse(read), Step(Strategy.BLUR), source, in_place=True)
    assert done.backup is not None
    assert done.backup.read_bytes() == before
    assert source.read_bytes() != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "model.onnx.bak"]


@pytest.mark.parametrize("linked", [True, False], ids=["hard links", "no hard links"])
def test_a_backup_goes_through_no_link_and_over_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    folder, elsewhere = tmp_path / "models", tmp_path / "elsewhere"
    folder.mkdir()
    source = folder / "model.onnx"
    source.write_bytes(documented().SerializeToString())
    before = source.read_bytes()
    (folder / "model.onnx.bak").symlink_to(elsewhere)  # leads to a file that does not exist
    (folder / "model.onnx.bak2").write_bytes(b"an older backup")
    if not linked:

        def refuse(*_: object) -> None:
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(os, "link", refuse)
    read = read_model(source)
    done = rewrite(read, analyse(read), Step(Strategy.BLUR), source, in_place=True)
    assert done.backup == folder / "model.onnx.bak3"
    assert done.backup.read_bytes() == before
    assert not elsewhere.exists()
    assert (folder / "model.onnx.bak2").read_bytes() == b"an older backup"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_gives_one_line_and_no_file(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(documented().SerializeToString())
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    read = read_model(source)
    with pytest.raises(RewriteError, match="cannot be written"):
        rewrite(read, analyse(read), Step(Strategy.BLUR), locked / "fixed.onnx")


def test_a_missing_folder_gives_one_line(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(documented().SerializeToString())
    read = read_model(source)
    with pytest.raises(RewriteError, match="cannot be written"):
        rewrite(read, analyse(read), Step(Strategy.BLUR), tmp_path / "absent" / "fixed.onnx")


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pieces_of, "write", full)
    with pytest.raises(RewriteError, match="No space left"):
        fixed(documented(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["source.onnx"]


def external(folder: Path) -> Path:
    """A model with its weights in a file of their own."""
    source = folder / "model.onnx"
    model = documented()
    onnx.save(model, source, save_as_external_data=True, location="data/weights.bin", size_threshold=0)
    return source


def test_external_data_stays_beside_a_model_in_the_same_folder_and_is_copied_to_another(tmp_path: Path) -> None:
    (tmp_path / "a" / "data").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    source = external(tmp_path / "a")
    read = read_model(source)
    picture = image(documented())
    options = Options(kernel=Kernel.IDENTITY)
    for folder in (tmp_path / "a", tmp_path / "b"):
        rewrite(read, analyse(read), Step(Strategy.BLUR, options), folder / "fixed.onnx")
        assert np.array_equal(run(folder / "fixed.onnx", picture), run(source, picture))
    assert (tmp_path / "b" / "data" / "weights.bin").is_file()


def test_external_data_that_is_missing_or_lies_elsewhere_stops_a_move_to_another_folder(tmp_path: Path) -> None:
    (tmp_path / "a" / "data").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    source = external(tmp_path / "a")
    (tmp_path / "a" / "data" / "weights.bin").unlink()
    read = read_model(source)
    with pytest.raises(RewriteError, match="missing"):
        rewrite(read, analyse(read), Step(Strategy.BLUR), tmp_path / "b" / "fixed.onnx")
    hostile = source.read_bytes().replace(b"data/weights.bin", b"../../etc/passwd")
    source.write_bytes(hostile)
    read = read_model(source)
    with pytest.raises(RewriteError, match="outside"):
        rewrite(read, analyse(read), Step(Strategy.BLUR), tmp_path / "b" / "fixed.onnx")
    assert not list((tmp_path / "b").iterdir())


def test_names_that_are_taken_are_not_taken_again(tmp_path: Path) -> None:
    model = documented()
    pool = model.graph.node[2].name
    model.graph.initializer.append(helper.make_tensor(f"aliasaudit/{pool}/blur", TensorProto.FLOAT, [1], [1.0]))
    target, _, _ = fixed(model, tmp_path)
    onnx.checker.check_model(onnx.load(target), full_check=True)


def test_a_name_that_is_no_site_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RewriteError, match="no sampling site"):
        fixed(documented(), tmp_path, names=("nowhere",))


def test_a_tensor_that_a_sub_graph_reads_keeps_its_name_and_its_grid(tmp_path: Path) -> None:
    model = documented()
    pooled = model.graph.node[2].output[0]
    branches = {
        f"{side}_branch": helper.make_graph(
            [helper.make_node("Identity", [pooled], [side])],
            side,
            [],
            [helper.make_tensor_value_info(side, TensorProto.FLOAT, [None] * 4)],
        )
        for side in ("then", "else")
    }
    model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    model.graph.node.append(helper.make_node("If", ["yes"], ["z"], "if", **branches))
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [None] * 4))
    target, done, _ = fixed(model, tmp_path)
    assert done.sites
    assert [list(value.shape) for value in session(target).run(["z"], {"x": image(model)})] == [
        list(value.shape) for value in session(model).run(["z"], {"x": image(model)})
    ]
