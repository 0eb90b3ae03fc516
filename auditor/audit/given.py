"""What Python callers give: settings, the path of a model, and errors that say which model they are about."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from auditor.audit.run import ModelFile
from auditor.onnxfile import ModelFileError
from auditor.policy.settings import Settings
from auditor.text import plain
from auditor.verify.errors import VerifyError


def settings_of(settings: object) -> Settings:
    """The settings of a Python caller, or the defaults.

    Raises:
        TypeError: They are something else.
    """
    if settings is None:
        return Settings()
    if not isinstance(settings, Settings):
        known = ", ".join(field.name for field in fields(Settings) if field.name != "origins")
        raise TypeError(f"settings must be an auditor.Settings, not a {type(settings).__name__}; it takes {known}")
    return settings


@contextmanager
def named(name: str) -> Iterator[None]:
    """Let what fails say which model it is about, and a measurement what there is beside our own words."""
    try:
        yield
    except ModelFileError as error:
        error.path = error.path or Path(name)
        raise
    except VerifyError as error:
        detail = f" ({plain(error.detail, 300)})" if error.detail else ""
        error.args = (f"{plain(name, None)}: {error}{detail}",)
        raise


def file_at(path: str | os.PathLike[str]) -> ModelFile:
    """The model file at a path, by the name that the caller gave."""
    return ModelFile(Path(path), Path(path).as_posix())
