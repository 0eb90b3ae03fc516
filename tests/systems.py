"""Marks of tests that hold what only some systems have."""

from __future__ import annotations

import sys

import pytest

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals between processes")
windows = pytest.mark.skipif(sys.platform != "win32", reason="how Windows does it")
