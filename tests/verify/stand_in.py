"""A package that takes the place of onnxruntime in the worker and behaves badly in a known way."""

from __future__ import annotations

import textwrap
from pathlib import Path

_PACKAGE = """
import os
import signal

__version__ = "0"


def get_available_providers():
    return ["CPUExecutionProvider"]


def set_default_logger_severity(level):
    pass


class SessionOptions:
    def add_session_config_entry(self, key, value):
        pass


class InferenceSession:
    def __init__(self, model, options, **settings):
{fault}
"""


def stand_in(folder: Path, fault: str) -> Path:
    """A folder for the front of ``sys.path`` whose ``onnxruntime`` runs the lines ``fault`` when it opens a model."""
    package = folder / "stand-in" / "onnxruntime.py"
    package.parent.mkdir(parents=True, exist_ok=True)
    package.write_text(_PACKAGE.format(fault=textwrap.indent(textwrap.dedent(fault).strip(), " " * 8)))
    return package.parent


def dies_with(signal: str) -> str:
    """The fault of a runtime that ends with this signal, such as ``SIGSEGV``."""
    return f"os.kill(os.getpid(), signal.{signal})"
