"""The wheel, installed where no checkout is: the rules and the example network have travelled with it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from auditor import __version__
from auditor.audit.packs import load_builtin

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    subprocess.run([str(scripts / "python"), "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    return scripts / "aliasaudit"


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *arguments], cwd=program.anchor, capture_output=True, text=True, encoding="utf-8", check=False
    )


def test_the_wheel_holds_the_packages_the_rules_the_example_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {"auditor", f"aliasaudit-{__version__}.dist-info"}
    assert {
        "auditor/demo/digits.onnx",
        "auditor/demo/digits_images.npz",
        "auditor/demo/digits_more.npz",
        "auditor/demo/workflow.yml",
        "auditor/rules/pack.toml",
        "auditor/py.typed",
    } <= set(names)


def test_every_rule_page_is_printed_from_the_installed_wheel(program: Path) -> None:
    done = run(program, "rule", "--all")
    assert done.returncode == 0, done.stderr
    for rule in load_builtin().rules:
        assert rule.code in done.stdout


def test_the_example_is_audited_from_the_installed_wheel(program: Path) -> None:
    done = run(program, "demo")
    assert done.returncode in (0, 1), done.stderr
    assert "/maxpool/MaxPool" in done.stdout


def test_the_page_has_its_style_and_its_script_in_the_installed_wheel(program: Path) -> None:
    done = run(program, "demo", "--output-format", "html")
    assert done.returncode == 0, done.stderr
    assert "prefers-color-scheme" in done.stdout
    assert "aria-sort" in done.stdout


def test_the_same_checkout_builds_the_same_wheel_at_another_time_and_place(wheel: Path, tmp_path: Path) -> None:
    kept = shutil.ignore_patterns(".git", ".venv", "__pycache__", "dist", "*.egg-info", ".*_cache")
    copy = shutil.copytree(ROOT, tmp_path / "elsewhere", ignore=kept)
    for path in copy.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "dist"), str(copy)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (again,) = (tmp_path / "dist").glob("*.whl")
    assert again.name == wheel.name
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()
