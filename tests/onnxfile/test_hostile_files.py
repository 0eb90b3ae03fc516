"""The collected malformed and malicious files end in a read or in one clear line, with little work."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.onnxfile import FileProblem, ModelFileError, origin, read_model, read_tensor, walk
from tests.onnxfile.build import SHARED
from tests.work import calls

HOSTILE = SHARED / "hostile"
FILES = sorted(path.relative_to(HOSTILE).as_posix() for path in HOSTILE.glob("*/*.onnx"))

pytestmark = pytest.mark.skipif(not FILES, reason="needs the folder of real models beside the checkout")

REFUSED = {
    "from_repos/corrupt-model.onnx": FileProblem.TEXT,
    "from_repos/Yolo.onnx": FileProblem.LFS_POINTER,
    "synthetic/41b_if_nest_5000.onnx": FileProblem.TOO_DEEP,
    "synthetic/53_empty_file.onnx": FileProblem.EMPTY,
    "synthetic/54_truncated_half.onnx": FileProblem.TRUNCATED,
    "synthetic/55_truncated_last_byte.onnx": FileProblem.TRUNCATED,
    "synthetic/57_text.onnx": FileProblem.TEXT,
    "synthetic/58_html_404.onnx": FileProblem.HTML,
    "synthetic/59_gzip.onnx": FileProblem.GZIP,
    "synthetic/65_no_graph.onnx": FileProblem.NO_GRAPH,
    "synthetic/35_function_recursive.onnx": FileProblem.RECURSIVE_FUNCTION,
    "synthetic/36_function_mutual.onnx": FileProblem.RECURSIVE_FUNCTION,
}


def outcome(path: Path) -> FileProblem | None:
    try:
        read = read_model(path)
        for tensor in read.graph.initializers.values():
            read_tensor(read, tensor, 1 << 24)
        for _, node in walk(read):
            origin(node)
    except ModelFileError as error:
        return error.kind
    return None


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_read_or_refused_for_the_right_reason(name: str) -> None:
    path = HOSTILE / name
    found = []
    work = calls(lambda: found.append(outcome(path)))
    assert found == [REFUSED.get(name)]
    assert work < 30_000 + 4 * path.stat().st_size


def test_every_refused_file_is_there() -> None:
    assert set(REFUSED) <= set(FILES)
