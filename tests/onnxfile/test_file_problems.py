"""A file that is not a readable model gets one clear line."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
from pathlib import Path

import pytest
from onnx import ModelProto, helper, parser

from auditor.onnxfile import FileProblem, Limits, ModelFileError, read_model
from auditor.text import plain
from tests.onnxfile.build import message, model, save, varint

SMALL = model([helper.make_node("Relu", ["x"], ["y"], name="r")]).SerializeToString()


def problem(path: Path, limits: Limits | None = None) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        read_model(path, limits or Limits())
    error = caught.value
    assert "\n" not in error.reason
    assert error.reason.isascii()
    assert str(error) == f"{plain(path.as_posix(), None)}: {error.reason}"
    assert str(path) not in error.reason
    return error


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", data)
    return out.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 2575\n"

CONTENT = {
    "empty": (b"", FileProblem.EMPTY, "0 bytes"),
    "git lfs pointer": (LFS, FileProblem.LFS_POINTER, "git lfs pull"),
    "html page": (b"\n<!DOCTYPE html><html><head><title>404</title>", FileProblem.HTML, "web page"),
    "xml": (b"<?xml version='1.0'?><Error/>", FileProblem.HTML, "download"),
    "gzip": (gzip.compress(SMALL), FileProblem.GZIP, "unpack"),
    "zip": (zipped(SMALL), FileProblem.ZIP, "torch.onnx.export"),
    "plain text": (b"this is not a valid onnx model", FileProblem.TEXT, "text file"),
    "text cut in a character": (b"a" * 510 + "é".encode() * 9, FileProblem.TEXT, "text file"),
    "json": (b'{"irVersion": "8", "graph": {}}', FileProblem.TEXT, "binary ONNX"),
    "random bytes": (bytes((7 * i * i + 3) % 256 for i in range(999)), FileProblem.NOT_ONNX, "right file"),
    "zero bytes": (bytes(64), FileProblem.NOT_ONNX, "right file"),
    "no graph": (b"\x08\x08\x42\x04\x0a\x00\x10\x11", FileProblem.NO_GRAPH, "no graph"),
    "another protobuf": (message(31, b"abc"), FileProblem.NOT_ONNX, "not an ONNX model"),
    "half": (SMALL[: len(SMALL) // 2], FileProblem.TRUNCATED, "cut short"),
    "all but the last byte": (SMALL[:-1], FileProblem.TRUNCATED, "cut short"),
    "broken inside": (b"\x08\x08" + message(7, message(1, b"\x0a\x7fx")), FileProblem.CORRUPT, "malformed"),
    "endless varint": (b"\x08\x08\x28" + b"\xff" * 20, FileProblem.CORRUPT, "malformed"),
    "group": (b"\x08\x08\x0b\x0c", FileProblem.CORRUPT, "malformed"),
    "65 dimensions": (
        b"\x08\x08" + message(7, message(5, b"\x08\x01" * 65)),
        FileProblem.CORRUPT,
        "malformed",
    ),
}


@pytest.mark.parametrize("name", CONTENT)
def test_a_file_that_is_no_model_says_what_it_is_and_what_to_do(name: str, tmp_path: Path) -> None:
    content, kind, hint = CONTENT[name]
    error = problem(save(tmp_path, content))
    assert error.kind is kind
    assert hint in error.reason


def test_the_text_form_of_onnx_is_called_text(tmp_path: Path) -> None:
    written = '<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] y) { y = Relu(x) }'
    assert isinstance(parser.parse_model(written), ModelProto)
    assert problem(save(tmp_path, written.encode())).kind is FileProblem.TEXT


def test_a_missing_file_is_called_missing(tmp_path: Path) -> None:
    assert problem(tmp_path / "no.onnx").kind is FileProblem.MISSING


def test_a_folder_and_a_device_are_not_files(tmp_path: Path) -> None:
    error = problem(tmp_path)
    assert error.kind is FileProblem.NOT_A_FILE
    assert "folder" in error.reason
    if Path("/dev/zero").exists():
        assert problem(Path("/dev/zero")).kind is FileProblem.NOT_A_FILE


def test_an_impossible_path_is_unreadable() -> None:
    assert problem(Path("a\0b.onnx")).kind is FileProblem.UNREADABLE
    if sys.platform != "win32":  # which says that there is none
        assert problem(Path("a" * 5000)).kind is FileProblem.UNREADABLE


def test_a_forbidden_file_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("auditor.onnxfile.read.FileIO", refuse)
    error = problem(save(tmp_path, SMALL))
    assert error.kind is FileProblem.UNREADABLE
    assert "Permission denied" in error.reason


def test_a_file_over_the_size_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = save(tmp_path, SMALL)
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    error = problem(path)
    assert error.kind is FileProblem.TOO_LARGE
    assert str(1 << 40) in error.reason


def test_five_million_empty_nodes_stop_at_the_node_limit(tmp_path: Path) -> None:
    path = save(tmp_path, b"\x08\x08" + message(7, b"\x0a\x00" * 5_000_000))
    error = problem(path, Limits(max_nodes=1000))
    assert error.kind is FileProblem.TOO_MANY_NODES
    assert "1000" in error.reason


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(b"\x2a\x00" * 2000, id="initializers"),
        pytest.param(b"\x5a\x00" * 2000, id="inputs"),
        pytest.param(message(1, b"\x2a\x00" * 2000), id="attributes"),
        pytest.param(message(1, b"\x4a\x00" * 2000), id="metadata"),
    ],
)
def test_empty_messages_of_any_kind_are_counted(graph: bytes, tmp_path: Path) -> None:
    path = save(tmp_path, b"\x08\x08" + message(7, graph))
    assert problem(path, Limits(max_values=1000)).kind is FileProblem.TOO_COMPLEX


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(b"\x78\x00" * 2000, id="unknown fields"),
        pytest.param(message(1, b"\x0a\x00" * 2000), id="input names"),
        pytest.param(message(1, message(5, b"\x0a\x01p" + message(8, b"\x01" * 2000))), id="packed integers"),
        pytest.param(message(5, b"\x08\x01" * 50 + b"\x25\x00\x00\x00\x00" * 2000), id="unpacked floats"),
    ],
)
def test_many_tiny_fields_stop_at_the_field_limit(graph: bytes, tmp_path: Path) -> None:
    path = save(tmp_path, b"\x08\x08" + message(7, graph))
    assert problem(path, Limits(max_fields=1000)).kind is FileProblem.TOO_COMPLEX


def test_long_names_stop_at_the_skeleton_limit(tmp_path: Path) -> None:
    path = save(tmp_path, b"\x08\x08" + message(7, message(1, message(3, b"n" * 300_000))))
    assert problem(path, Limits(max_skeleton_bytes=100_000)).kind is FileProblem.TOO_COMPLEX


def nested_ifs(depth: int) -> bytes:
    inner = b"\x12\x01g"
    for _ in range(depth):
        attribute = message(1, b"then_branch") + message(6, inner) + b"\xa0\x01\x05"
        inner = message(1, message(4, b"If") + message(5, attribute))
    return b"\x08\x08" + message(7, inner)


def test_sub_graphs_are_read_to_the_depth_limit_and_not_beyond(tmp_path: Path) -> None:
    read_model(save(tmp_path, nested_ifs(64)))
    assert problem(save(tmp_path, nested_ifs(65))).kind is FileProblem.TOO_DEEP
    assert problem(save(tmp_path, nested_ifs(3000))).kind is FileProblem.TOO_DEEP


def test_a_length_beyond_the_enclosing_message_is_refused(tmp_path: Path) -> None:
    # The node claims bytes that belong to the next field of the model.
    graph = b"\x0a" + varint(40) + message(4, b"Relu")
    path = save(tmp_path, b"\x08\x08" + message(7, graph) + message(2, b"p" * 60))
    assert problem(path).kind is FileProblem.CORRUPT
