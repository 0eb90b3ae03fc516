"""Commands whose parameters are plain text: what Typer's own classes do, less what this program does not need."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

INTERRUPTED = 130  # auditor.policy.verdict.ExitCode, which --help has no need to import


class PlainCommand(TyperCommand):
    """A command whose parameters are flags and text, which :mod:`auditor.policy` checks."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        _leave_text_alone(self.get_params(ctx))
        return super().parse_args(ctx, args)


class PlainGroup(TyperGroup):
    """The commands together. Interrupts end with 130 in every version of Typer; some say 1, which is findings here."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        _leave_text_alone(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def _leave_text_alone(parameters: list[Any]) -> None:
    """Skip the conversion of values that need none: absent ones, and text that is to stay text.

    Newer versions of Typer convert every value with pydantic, whose import alone costs a third of the CPU time of a
    small audit. Missing and called-back parameters go the usual way.
    """
    for parameter in parameters:
        usual = parameter.process_value

        def process(ctx: Any, value: Any, parameter: Any = parameter, usual: Any = usual) -> Any:
            called_back = value and parameter.callback is not None
            missing = parameter.required and not value
            if called_back or missing:
                return usual(ctx, value)
            return () if value is None and parameter.multiple else value

        parameter.process_value = process
