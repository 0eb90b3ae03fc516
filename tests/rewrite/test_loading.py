"""No file is kept that cannot be loaded, whatever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from auditor.onnxfile import read_model
from auditor.repair import loading, original
from auditor.rewrite.result import RewriteError
from tests.cli.conftest import write_network


def contradictory(path: Path, domain: str = "") -> Path:
    """A model whose output is declared with another type than it has."""
    model = onnx.load(write_network(path))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    if domain:
        model.graph.node.append(helper.make_node("Anything", ["features"], ["more"], domain=domain))
        model.graph.output.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, None))
        model.opset_import.append(helper.make_opsetid(domain, 1))
    onnx.save(model, path)
    return path


def test_a_model_that_loads_is_kept(tmp_path: Path) -> None:
    source = write_network(tmp_path / "source.onnx")
    loading.require_loads(read_model(source), write_network(tmp_path / "written.onnx", stride=1))


@pytest.mark.parametrize("has_runtime", [True, False])
def test_a_model_that_does_not_load_is_refused_by_onnxruntime_or_by_shape_inference(
    has_runtime: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_runtime:
        monkeypatch.setattr(loading, "find_spec", lambda _: None)
    source = write_network(tmp_path / "source.onnx")
    with pytest.raises(RewriteError, match="the rewritten model cannot be loaded, so nothing was written") as refused:
        loading.require_loads(read_model(source), contradictory(tmp_path / "written.onnx"))
    assert "\n" not in str(refused.value)


def test_operators_of_a_foreign_domain_are_inferred_and_never_run(tmp_path: Path) -> None:
    source = contradictory(tmp_path / "source.onnx", "nobody.knows")
    loading.require_loads(read_model(source), source)  # what contradicts itself already says nothing of the rewrite


def test_a_source_that_does_not_load_itself_is_said_to(tmp_path: Path) -> None:
    source = contradictory(tmp_path / "source.onnx")
    with pytest.raises(RewriteError, match="cannot load the model as it is"):
        loading.require_loads(read_model(source), source)


@pytest.mark.parametrize("arguments", [("-o", "fixed.onnx"), ("--in-place",)])
@pytest.mark.parametrize("inline", [False, True])
def test_fix_keeps_nothing_that_does_not_load(
    arguments: tuple[str, ...],
    inline: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from auditor.cli import main

    monkeypatch.chdir(tmp_path)
    before = write_network(Path("net.onnx")).read_bytes()
    monkeypatch.setattr(original, "require_loads", _refusing("the rewritten model cannot be loaded: so it is"))
    code = main(["fix", "net.onnx", "--strategy", "blur", *arguments, *(["--inline"] if inline else [])])
    assert code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    assert Path("net.onnx").read_bytes() == before


def _refusing(reason: str) -> Callable[[object, Path], None]:
    def refuse(source: object, written: Path) -> None:
        onnx.load(written)  # the finished file is there, whole
        raise RewriteError(reason)

    return refuse


def test_a_second_rewrite_beside_the_same_external_data_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    model = onnx.load(write_network(Path("net.onnx")))
    onnx.save(model, "net.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    for name in ("one", "two", "one"):
        assert main(["fix", "net.onnx", "-o", f"out/{name}.onnx", "--strategy", "blur"]) == 0
    Path("out/weights.bin").write_bytes(b"of another model")
    capsys.readouterr()
    assert main(["fix", "net.onnx", "-o", "out/three.onnx", "--strategy", "blur"]) == 2
    assert "another file of external data of that name" in capsys.readouterr().err
    assert Path("out/weights.bin").read_bytes() == b"of another model"
    assert not Path("out/three.onnx").exists()
