"""What the tasks share whose outputs are decoded before they are measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from auditor.pipeline.decoding import Answer, LayoutError
from auditor.verify.measures.layouts import Decoder
from auditor.verify.measures.task import NOT_FINITE, Outputs, Subject, UnusableOutputError, WindowOutputs

AnswerT = TypeVar("AnswerT", bound=Answer)


def decoder_of(subject: Subject) -> Decoder:
    """The decoder that the pilot chose for a task which needs one."""
    decoder = subject.target.decoder
    if decoder is None:
        raise ValueError(f"{subject.target.task.value} is measured on decoded answers: a layout has to be chosen first")
    return decoder


def windows_of(outputs: Sequence[str], rows: WindowOutputs) -> Iterator[Outputs]:
    """The outputs of each window, checked one by one: each is decoded while it is in the processor's cache.

    Raises:
        UnusableOutputError: a number is not finite.
    """
    for index in range(min(len(rows[name]) for name in outputs)):
        window = {name: rows[name][index] for name in outputs}
        if any(value.dtype.kind == "f" and not np.isfinite(value).all() for value in window.values()):
            raise UnusableOutputError(NOT_FINITE)
        yield window


def answers_of(decoder: Decoder, outputs: Sequence[str], rows: WindowOutputs, kind: type[AnswerT]) -> list[AnswerT]:
    """The answer to each window, of one kind.

    Raises:
        UnusableOutputError: a number is not finite, or the outputs of this image do not have the layout.
    """
    answers: list[AnswerT] = []
    for window in windows_of(outputs, rows):
        try:
            answer = decoder.read(window)
        except LayoutError as error:
            raise UnusableOutputError(str(error)) from error
        if not isinstance(answer, kind):
            raise UnusableOutputError(f"the layout {decoder.layout} gives no {kind.__name__.lower()}")
        answers.append(answer)
    return answers
