"""Why a verification could not be made. Each error is one line: what is wrong, where, what to do.

Messages hold our own words and numbers; text that came from the model or from a runtime travels in ``detail`` and is
opened only by the sanitiser.
"""

from __future__ import annotations

from auditor.text import ModelText


class VerifyError(Exception):
    """The measurement was not made or is not whole (exit code 3)."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = ModelText(detail)


class WorkerCrashedError(VerifyError):
    """The process that ran the model was killed by a signal, ran out of its limits or broke the protocol (AA910)."""


class WorkerTimeoutError(WorkerCrashedError):
    """One step of the model took longer than the wall-clock limit (AA910)."""


class WorkerMemoryError(WorkerCrashedError):
    """The model took more resident memory than it may (AA910)."""


class RuntimeMissingError(VerifyError):
    """A runtime is not installed. ``runtime`` is the value of ``--runtime`` that names it."""

    def __init__(self, message: str, runtime: str, detail: str = "") -> None:
        super().__init__(message, detail)
        self.runtime = runtime


class DeviceUnavailableError(VerifyError):
    """The device that was asked for did not run the compute nodes."""


class ModelRefusedError(VerifyError):
    """The model is not run: an operator domain, an engine blob or an external file that is not allowed."""


class ModelRejectedError(VerifyError):
    """The runtime says no to the model or to its input, without dying."""


class DataError(VerifyError):
    """There is no usable image, or the images do not fit the model."""


class NothingMeasuredError(DataError):
    """The model ran on the images, and nothing that it answered can be measured."""
