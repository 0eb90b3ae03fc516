"""``verify --shard`` and ``merge`` as a CI matrix meets them: the report of one run, and refusals by name."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

from auditor import VerifyError, merge
from auditor.verify import shard
from auditor.verify.shard import sealed
from tests.verify.models import brightest_box, classifier, saved
from tests.verify.test_reference import dense

Run = Callable[..., tuple[int, str, str]]
MODELS: dict[str, tuple[Callable[[], ModelProto], tuple[str, ...]]] = {
    "classifier": (classifier, ("--labels-absent",)),
    "detector": (brightest_box, ("--task", "detection")),
    "dense": (lambda: dense(5), ("--task", "dense")),
}


@dataclass(frozen=True)
class Shards:
    """A model, and how it is measured in parts."""

    run: Run
    options: tuple[str, ...]

    def write(self, number: int, total: int, *more: str, name: str = "") -> str:
        name = name or f"s{number}.json.gz"
        found = self.run("verify", "m.onnx", *self.options, *more, "--shard", f"{number}/{total}", "-o", name)
        assert found == (0, "", f"aliasaudit: wrote {name}: shard {number} of {total}\n")
        return name

    def refusal(self, *names: str) -> str:
        """What a merge that is no whole run says; its exit code is 3."""
        code, out, error = self.run("merge", *names)
        assert code == 3
        assert "Traceback" not in error
        assert "consistency" not in out
        lines = [line for line in out.splitlines() if line.startswith("problem ")]
        return next((line for line in lines if line.startswith("problem unreadable")), lines[0])


@pytest.fixture
def shards(run: Run, workplace: Path) -> Shards:
    noise = np.random.default_rng(0).integers(0, 256, (9, 24, 24, 3)).astype(np.float32)
    noise[4, 0, 0, 0] = np.nan  # an image that cannot be used
    np.save(workplace / "noise.npy", noise)
    saved(workplace / "m.onnx", classifier())
    options = ("--images", "noise.npy", "--preset", "unit", "--device", "cpu", "--threads", "1")
    return Shards(run, (*options, "--shifts", "2", "--isolated"))


@pytest.mark.parametrize("name", MODELS)
def test_merged_shards_are_the_bytes_of_one_run(shards: Shards, workplace: Path, name: str) -> None:
    make, options = MODELS[name]
    saved(workplace / "m.onnx", make())
    parts = Shards(shards.run, (*shards.options, *(word for word in options if word != "--labels-absent")))
    code, whole, _ = parts.run("verify", "m.onnx", *parts.options, "--output-format", "json")
    written = [parts.write(number, 3) for number in (3, 1, 2)]
    merged = parts.run("merge", *written, "--isolated", "--output-format", "json")
    assert merged[:2] == (code, whole)
    verification = json.loads(whole)["models"][0]["verification"]
    assert (len(verification["data"]["used"]), len(verification["data"]["rejected"])) == (8, 1)
    assert name != "classifier" or verification["layers"]


def test_a_shard_may_use_several_processes_and_need_not_be_compressed(shards: Shards) -> None:
    _, whole, _ = shards.run("verify", "m.onnx", *shards.options, "--output-format", "json")
    names = [shards.write(1, 2, "--jobs", "2", name="a.json"), shards.write(2, 2, name="b.json")]
    assert shards.run("merge", *names, "--isolated", "--output-format", "json")[1] == whole


def test_shards_that_are_missing_or_given_twice_are_named(shards: Shards) -> None:
    first, second = shards.write(1, 3), shards.write(2, 3)
    again = "run `aliasaudit verify --shard 3/3` again, or merge the others with --partial"
    expected = f"problem not-measured: m.onnx: shards missing: 3/3; {again}"
    assert shards.refusal(second, first) == expected
    assert shards.refusal(first, second, first).endswith("shard 1/3 is given twice: s1.json.gz and s1.json.gz")
    other = shards.write(2, 2, name="of-two.json.gz")
    assert "s1.json.gz (1/3) and of-two.json.gz (2/2)" in shards.refusal(first, other)


def test_shards_of_other_images_options_or_models_do_not_belong_together(shards: Shards, workplace: Path) -> None:
    first = shards.write(1, 2)
    options = shards.write(2, 2, "--seed", "1", name="seed.json.gz")
    assert "s1.json.gz and seed.json.gz do not belong together: other options" in shards.refusal(first, options)
    threads = shards.write(2, 2, "--threads", "2", name="threads.json.gz")
    assert "do not belong together: 1 and 2 threads (--threads)" in shards.refusal(first, threads)
    limited = shards.write(2, 2, "--images-limit", "8", name="images.json.gz")
    assert "do not belong together: other images" in shards.refusal(first, limited)
    whole = [first, shards.write(2, 2)]
    saved(workplace / "m.onnx", classifier(stride=4))
    assert "do not belong together: another model" in shards.refusal(first, shards.write(2, 2, name="model.json.gz"))
    assert "the model is not the one that the shards measured" in shards.refusal(*whole)


def test_shards_of_other_versions_are_refused_and_of_other_machines_said(shards: Shards) -> None:
    first, second = shards.write(1, 2, name="a.json"), shards.write(2, 2, name="b.json")
    document = json.loads(Path(second).read_bytes())
    document["models"][0]["machine"] = "a pocket calculator"
    Path(second).write_text(json.dumps(sealed(document)))
    code, out, _ = shards.run("merge", first, second, "--isolated")
    assert code in (0, 1)
    assert "and a pocket calculator" in out or "a pocket calculator and" in out
    document["models"][0]["versions"]["numpy"] = "0.9"
    Path(second).write_text(json.dumps(sealed(document)))
    assert "a.json and b.json do not belong together: numpy " in shards.refusal(first, second)


@pytest.mark.parametrize("left", [-9, 40, 0])
def test_what_is_no_whole_shard_is_refused_by_its_name(shards: Shards, left: int) -> None:
    first, second = shards.write(1, 2), shards.write(2, 2)
    Path(second).write_bytes(Path(second).read_bytes()[:left])
    assert shards.refusal(first, second).startswith("problem unreadable: s2.json.gz: ")
    assert shards.refusal(first, "gone.json").startswith("problem unreadable: gone.json: cannot be read")
    damaged = bytearray(Path(first).read_bytes())
    damaged[10] |= 0b110  # behind the header: a block of a type that there is not
    Path("damaged.json.gz").write_bytes(damaged)
    assert shards.refusal(first, "damaged.json.gz").startswith("problem unreadable: damaged.json.gz: ")
    Path("list.json").write_bytes(b"[]")
    assert shards.refusal(first, "list.json").startswith("problem unreadable: list.json: ")


def test_a_shard_cannot_bring_anything_but_values(shards: Shards) -> None:
    first, second = shards.write(1, 2, name="a.json"), shards.write(2, 2)
    document = json.loads(Path(first).read_bytes())
    document["models"][0]["plan"] = {"$": "subprocess:Popen", "args": "touch pwned"}
    Path(first).write_text(json.dumps(sealed(document)))
    assert "a.json holds what this version did not write" in shards.refusal(first, second)
    assert not Path("pwned").exists()


def test_a_shard_that_was_edited_is_refused_by_its_name(shards: Shards) -> None:
    first, second = shards.write(1, 2, name="a.json"), shards.write(2, 2, name="b.json")
    text = Path(second).read_text()
    Path(second).write_text(text.replace('"label":null', '"label":1', 1))
    assert Path(second).read_text() != text
    refusal = shards.refusal(first, second)
    assert refusal.startswith("problem unreadable: b.json: $.checksum: does not fit: the file was damaged, or changed")


@pytest.mark.parametrize(
    ("field", "value"), [("runs", "three"), ("index", None), ("pixels", 5), ("notes", {"$": "tuple", "items": [1]})]
)
def test_a_shard_whose_values_are_of_another_type_is_refused_by_its_name(
    shards: Shards, field: str, value: object
) -> None:
    first, second = shards.write(1, 2, name="a.json"), shards.write(2, 2, name="b.json")
    document = json.loads(Path(second).read_bytes())
    document["models"][0]["rows"]["items"][0][field] = value
    Path(second).write_text(json.dumps(sealed(document)))
    assert "b.json holds what this version did not write" in shards.refusal(first, second)


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800"])
def test_a_shard_whose_model_has_no_possible_path_is_refused_by_its_name(shards: Shards, path: str) -> None:
    first = shards.write(1, 2, name="a.json")
    document = json.loads(Path(first).read_bytes())
    document["models"][0]["path"] = path
    Path(first).write_text(json.dumps(sealed(document)))
    assert shards.refusal(first).startswith("problem unreadable: a.json: $.models[0].path: is not the path of a file")


def test_a_shard_that_holds_no_part_of_a_model_is_named_where_one_is_missing(shards: Shards) -> None:
    first, second = shards.write(1, 2, name="a.json"), shards.write(2, 2, name="b.json")
    document = json.loads(Path(second).read_bytes())
    document["models"] = []
    Path(second).write_text(json.dumps(sealed(document)))
    assert "shards missing: 2/2 (b.json: no part of this model); run" in shards.refusal(first, second)


def test_values_that_no_run_gives_are_refused_though_each_is_of_its_type(
    shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = shards.write(1, 2, name="a.json"), shards.write(2, 2, name="b.json")

    def unfit(*_: object) -> None:
        raise IndexError

    monkeypatch.setattr(shard, "merge", unfit)
    assert "what a.json and b.json hold does not fit together (IndexError)" in shards.refusal(first, second)


def test_a_shard_that_names_a_huge_total_or_unpacks_to_more_than_the_memory_is_one_line(
    shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shards.write(1, 2, name="a.json")
    document = json.loads(Path(first).read_bytes())
    Path(first).write_text(json.dumps(sealed({**document, "total": 10**15})))
    assert "20/1000000000000000, 21/1000000000000000 and 999999999999979 more; run" in shards.refusal(first)
    monkeypatch.setattr(shard, "_MOST_BYTES", 1 << 20)
    Path("bomb.json.gz").write_bytes(gzip.compress(bytes(2 << 20)))
    assert shards.refusal(first, "bomb.json.gz").startswith("problem unreadable: bomb.json.gz: $: unpacks to more than")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--shard", "1/2"], "give --output FILE"),
        (["--shard", "3/2", "-o", "s.json"], "must be a part of all, such as 1/4"),
        (["--shard", "0/2", "-o", "s.json"], "must be a part of all, such as 1/4"),
        (["--shard", "half", "-o", "s.json"], "must be a part of all, such as 1/4"),
        (["--shard", "1/2", "-o", "s.json", "--output-format", "json"], "--shard writes no report"),
        (["--shard", "1/2", "-o", "m.onnx"], "m.onnx"),
    ],
)
def test_a_shard_that_cannot_be_written_is_refused_before_anything_is_run(
    shards: Shards, more: list[str], words: str
) -> None:
    before = Path("m.onnx").read_bytes()
    code, _, error = shards.run("verify", "m.onnx", *shards.options, *more)
    assert code == 2
    assert words in error
    assert Path("m.onnx").read_bytes() == before


def test_a_model_that_cannot_be_measured_is_an_incomplete_shard(shards: Shards, workplace: Path) -> None:
    (workplace / "mine.py").write_text("def images():\n    yield from ()\n", encoding="utf-8")
    code, _, error = shards.run("verify", "m.onnx", "--images", "mine.py:images", "--shard", "1/2", "-o", "s.json.gz")
    assert code == 3
    assert "m.onnx: there are no images" in error
    assert not Path("s.json.gz").exists()


def test_equal_shards_are_equal_bytes(shards: Shards) -> None:
    first = Path(shards.write(1, 2)).read_bytes()
    assert Path(shards.write(1, 2)).read_bytes() == first
    assert gzip.decompress(first).endswith(b"}\n")


def test_a_part_of_the_shards_is_merged_where_that_is_asked_for_and_never_looks_whole(shards: Shards) -> None:
    first, third = shards.write(1, 3), shards.write(3, 3)
    code, out, _ = shards.run("merge", first, third, "--partial", "--fail-under", "0.01")
    assert code == 3
    assert "problem incomplete: m.onnx: shards missing: 2/3, with 3 of 9 images (2, 5, 8)" in out
    assert "incomplete: shards missing: 2/3" in out
    assert "HOLDS" not in out
    document = json.loads(shards.run("merge", third, "--partial", "--output-format", "json")[1])
    found = document["models"][0]["verification"]
    assert (found["complete"], found["required"]) == (False, None)
    assert found["incomplete"] == (
        "shards missing: 1/3, 2/3, with 6 of 9 images (1, 4, 7; 2, 5, 8); layers are in shard 1"
    )
    assert len(found["data"]["used"]) == 3


def test_python_merges_shards_too_and_refuses_what_the_command_refuses(shards: Shards) -> None:
    first, second = shards.write(1, 2), shards.write(2, 2)
    whole = merge(second, first, fail_under=0.01)
    assert whole.complete
    assert whole.required is not None
    assert whole.required.images == 8
    assert merge(first, partial=True).incomplete == "shards missing: 2/2, with 4 of 9 images (2, 4, ..., 8)"
    with pytest.raises(VerifyError, match="shards missing: 2/2"):
        merge(first)
    with pytest.raises(VerifyError, match="cannot be read"):
        merge("absent.json")
    with pytest.raises(ValueError, match=r"no model 'other\.onnx'; there is m\.onnx"):
        merge(first, second, model="other.onnx")
    with pytest.raises(ValueError, match="no shard"):
        merge()
