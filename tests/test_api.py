from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

import auditor
from auditor.demo import demo_model


def test_check_gives_typed_findings_and_exact_factors() -> None:
    report = auditor.check(demo_model())
    assert report.analysis.subsampling == Fraction(8)
    assert {finding.rule for finding in report.findings} >= {"AA101", "AA102"}
    assert all(isinstance(finding, auditor.Finding) for finding in report.findings)
    assert report.findings[0].severity is auditor.Severity.ERROR
    assert auditor.plain(report.analysis.sites[0].node.name) == "/maxpool/MaxPool"


def test_settings_choose_the_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "aliasaudit.toml").write_text('select = ["AA102"]')  # the library reads no settings file
    monkeypatch.chdir(tmp_path)
    settings = auditor.Settings(min_severity=auditor.Severity.ERROR)
    report = auditor.check(str(demo_model()), settings=settings)
    assert {finding.severity for finding in report.findings} == {auditor.Severity.ERROR}
    assert {finding.rule for finding in auditor.check(demo_model()).findings} > {"AA102"}


def test_a_file_that_is_no_model_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(auditor.ModelFileError, match="is empty"):
        auditor.check(tmp_path / "empty.onnx")


def test_every_exported_name_exists() -> None:
    assert all(getattr(auditor, name) is not None for name in auditor.__all__)
    assert dir(auditor) == sorted(auditor.__all__)
    with pytest.raises(AttributeError, match="no attribute 'cheque'"):
        _ = auditor.cheque


def test_importing_the_library_imports_none_of_its_rooms() -> None:
    code = "import auditor, sys; print([m for m in sys.modules if m.startswith(('auditor.', 'numpy', 'onnx'))])"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
