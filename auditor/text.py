"""The one sanitiser for text that came out of a model.

A model is untrusted, and so are its names: ``onnx.checker`` accepts terminal escapes, newlines and CI commands in node,
tensor and input names. Such text travels as :class:`ModelText`, which cannot be printed by accident; only the functions
of this module turn it into something safe to show.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ModelText:
    """Text from a model file. ``str()`` and f-strings refuse it, so forgetting to sanitise is an error, not a hole."""

    raw: str

    def __str__(self) -> str:
        raise TypeError("model text must be rendered through auditor.text")

    def __format__(self, spec: str) -> str:
        raise TypeError("model text must be rendered through auditor.text")

    def __bool__(self) -> bool:
        return bool(self.raw)
