"""Fixtures of the action's tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.action.harness import Runner


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner whose ``aliasaudit`` finds nothing and writes every report."""
    if os.name == "nt" or shutil.which("bash") is None:
        pytest.skip("needs a Bash that shares its paths with Python")
    report = '{"summary": {"findings": 0}, "models": []}'
    return Runner(tmp_path, reports={"json": report, "sarif": "{}", "markdown": "# Clean\n"})
