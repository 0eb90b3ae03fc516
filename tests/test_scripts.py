"""The scripts that the pipeline runs: what they accept, and what they refuse."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from auditor import __version__
from scripts import check_links, coverage_floors, mutate, release, scale_plan, try_wheel

SOURCE = '''"""Text 1."""
LIMIT: int = 3


def within(value: int = 2, *, strict: bool = False) -> bool:
    """Whether a value is below the limit."""
    return value < LIMIT and not (strict and value == 0)
'''


def test_every_fault_changes_what_runs_and_leaves_valid_code() -> None:
    places = mutate.faults(Path("within.py"), SOURCE)
    assert len(places) == 8, "three constants, the zero, two comparisons, two conjunctions"
    versions = {mutate.with_fault(SOURCE, place.number) for place in places}
    assert len(versions) == len(places)
    assert ast.unparse(ast.parse(SOURCE)) + "\n" not in versions
    for version in versions:
        compile(version, "within.py", "exec")


def test_a_fault_that_no_test_looks_at_is_named_and_the_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "within.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "test_within.py").write_text(
        "from within import within\n\ndef test_limit():\n    assert within(2)\n    assert not within(3)\n",
        encoding="utf-8",
    )
    places = mutate.faults(Path("within.py"), SOURCE)
    chosen = [place for place in places if place.change in ("Lt became LtE", "2 changed")]
    left = list(mutate.unnoticed(tmp_path, chosen, ["test_within.py"], 60))
    assert [fault.change for fault in left] == ["2 changed"], "no test takes the default"
    assert (tmp_path / "within.py").read_text(encoding="utf-8") == SOURCE


@pytest.mark.parametrize("name", sorted(mutate.TARGETS))
def test_what_is_mutated_every_night_is_there(name: str) -> None:
    target = mutate.TARGETS[name]
    for pattern in target.code:
        assert list(mutate.ROOT.glob(pattern)), pattern
    for path in target.tests:
        assert (mutate.ROOT / path).exists(), path


def file(covered: int, statements: int) -> dict[str, dict[str, int]]:
    lines = {"covered_lines": covered, "num_statements": statements}
    return {"summary": {**lines, "covered_branches": covered, "num_branches": statements}}


def test_the_coverage_of_a_room_is_that_of_all_its_files_lines_and_branches_together() -> None:
    files = {"auditor/one/a.py": file(10, 10), "auditor/one/b.py": file(0, 30), "rules/c.py": file(3, 4)}
    found = coverage_floors.shares({"files": files})
    assert found == {"auditor/one": 25.0, "rules": 75.0}
    assert coverage_floors.below(found, {"auditor/one": 25, "rules": 75}) == []
    wrong = coverage_floors.below(found, {"auditor/one": 26, "auditor/gone": 50})
    assert [line.split()[0] for line in wrong] == ["auditor/one:", "auditor/gone"]


def test_every_floor_is_that_of_a_room_that_is_there() -> None:
    assert all((release.ROOT / room).is_dir() for room in coverage_floors.FLOORS)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "auditor").mkdir()
    (tmp_path / "auditor" / "_version.py").write_text('"""The version."""\n\n__version__ = "1.2.3"\n', encoding="utf-8")
    return tmp_path


def test_a_release_whose_tag_and_changelog_fit_passes(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("## [Unreleased]\n\n## [1.2.3] - 2026-01-31\n\n- new\n", encoding="utf-8")
    assert release.complaints(checkout, "v1.2.3") == []


def test_a_release_with_another_tag_an_open_section_and_leftovers_is_refused(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("## [Unreleased]\n\n- left\n\n## [1.2.3]\n\n- new\n", encoding="utf-8")
    wrong = release.complaints(checkout, "v1.2.4")
    assert len(wrong) == 3
    assert "tag v1.2.3" in wrong[0]


def test_the_version_of_this_checkout_is_found() -> None:
    assert release.version(release.ROOT) == __version__


def test_links_in_prose_are_asked_for_and_those_in_code_are_not(tmp_path: Path) -> None:
    text = "[a](https://a.example/x#part) `[b](https://b.example)`\n```\n[c](https://c.example)\n```\n[d]: https://d.example\n"
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    assert check_links.links(tmp_path) == {"https://a.example/x": ["page.md"], "https://d.example": ["page.md"]}


def test_a_page_that_does_not_answer_is_named_with_the_reason() -> None:
    assert isinstance(check_links.answer("http://127.0.0.1:9/"), str)


def test_a_folder_with_no_wheel_or_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one wheel, not 0"):
        try_wheel.wheel_in(tmp_path)
    for name in ("a.whl", "b.whl"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="one wheel, not 2"):
        try_wheel.wheel_in(tmp_path)


@pytest.mark.slow
def test_the_wheel_runs_in_an_empty_environment_and_has_its_bill_of_materials(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(try_wheel.ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    bill = tmp_path / "bill.json"
    more = ["--bill", str(bill)] if shutil.which("cyclonedx-py", path=str(Path(sys.executable).parent)) else []
    command = [sys.executable, str(try_wheel.ROOT / "scripts" / "try_wheel.py"), str(tmp_path), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not more or '"name": "aliasaudit"' in bill.read_text(encoding="utf-8")


def test_the_plan_for_many_images_is_the_one_of_the_measured_numbers() -> None:
    found = json.loads(scale_plan.MEASURED.read_text(encoding="utf-8"))
    assert scale_plan.section(found, 10_000_000, 100) in scale_plan.PAGE.read_text(encoding="utf-8")


def test_the_plan_multiplies_what_one_image_costs() -> None:
    one = {
        "inputs_per_image": 50,
        "multiply_adds_per_input": 1e9,
        "cpu_seconds_per_image": 3.6,
        "row_pickled": 300,
        "row_gzip": 100,
        "merge_in_memory": 400,
        "images": 8,
        "cpu_seconds_to_start": 2.5,
        "cpu_of_two_processes": 1.02,
        "speed_of_two_processes": 1.9,
        "cores": 2,
        "load": 1,
    }
    lines = list(scale_plan.plan(one, 1_000_000, 10))
    assert "| 1 CPU core | 42 days | 417 days |" in lines  # 3.6 million seconds
    assert "| 1,000 CPU cores | 1 hours | 10 hours |" in lines
    assert "| memory of the process that puts all together | 400 MB | 4 GB |" in lines
    assert not any("A core hour" in line for line in lines), "nobody said what one costs"
    priced = scale_plan.plan(one, 1_000_000, 10, {"core_hour": 0.5, "pairs": 10_000_000})
    assert "A core hour at 0.5: 5,000.00." in list(priced)
    assert any("On 8 images two processes took +2 % CPU time of one and were 1.90 times" in line for line in lines)
