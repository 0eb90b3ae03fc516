"""Commands whose parameters are plain text: what Typer's own classes do, less what this program does not need."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from auditor.cli.errors import UsageError
from auditor.cli.examples import EXAMPLES
from auditor.cli.process import refusal, silence
from auditor.options.option import Option
from auditor.options.panels import Panel
from auditor.system import is_gone

ALL = "--help-all"
_WIDEST_OPTION = 40  # columns
INTERRUPTED = 130  # auditor.policy.verdict.ExitCode, which --help has no need to import


class PlainCommand(TyperCommand):
    """A command whose parameters are flags and text, which :mod:`auditor.policy` checks."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        if ALL in args[: args.index("--") if "--" in args else None]:
            ctx.meta[ALL] = True
            args = ["--help"]
        _leave_text_alone(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then the options by panel, then what the metavars of enumerations stand for.

        With ``--help-all`` rare options too, and of each all that is declared.
        """
        declared = self._declared()
        panels: dict[str, list[tuple[str, str]]] = {
            name: [] for name in ("Arguments", *(panel.value for panel in Panel))
        }
        for parameter in cast("list[Any]", self.get_params(ctx)):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if parameter.param_type_name == "argument":
                panels["Arguments"].append((parameter.metavar or "", parameter.help or ""))
            else:
                names, text = record
                option = declared.get(parameter.name)
                rows = panels[parameter.rich_help_panel or Panel.RARE.value]
                if option is not None and ALL in ctx.meta:
                    text = option.help + text.removeprefix(option.sentence)
                rows.append((names, text))
        rare = panels[Panel.RARE.value]
        if ALL in ctx.meta:
            rare.append((ALL, "Show this message with all options and exit."))
        else:
            rare[:] = []
        for title, rows in panels.items():
            _section(formatter, title, rows)
        shown = [option for option in declared.values() if option.panel is not Panel.RARE or ALL in ctx.meta]
        listed = {word: known for option in shown for word, known in option.kind.listed.items()}
        _values(formatter, listed)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples, one a line and never wrapped, so that they can be copied."""
        examples = EXAMPLES.get(self.name or "", ())
        if examples:
            formatter.write("\nExamples:\n" + "".join(f"  {line}\n" for line in examples))
        declared = self._declared().values()
        rare = sum(option.panel is Panel.RARE for option in declared)
        if ALL not in ctx.meta and (rare or any(option.help != option.sentence for option in declared)):
            formatter.write(f"\n{f'{rare} more options, and more on each' if rare else 'More on each option'}: {ALL}\n")

    def _declared(self) -> Mapping[str, Option]:
        """The options by name, as they are declared."""
        found: Mapping[str, Option] = getattr(self.callback, "options", {})
        return found


def _section(formatter: Any, title: str, rows: list[tuple[str, str]]) -> None:
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows, col_max=_WIDEST_OPTION)


def _values(formatter: Any, listed: Mapping[str, Sequence[str]]) -> None:
    """As a section, but no word is broken at its hyphen: it would look like another one."""
    from textwrap import wrap

    if not listed:
        return
    with formatter.section("Values"):
        column = max(map(len, listed)) + 2
        indent = " " * formatter.current_indent
        for word, known in listed.items():
            wrapped = wrap(", ".join(known), formatter.width - len(indent) - column, break_on_hyphens=False)
            for place, line in enumerate(wrapped):
                formatter.write(f"{indent}{'' if place else word:{column}}{line}\n")


class PlainGroup(TyperGroup):
    """The commands together, and what Typer would end with 1 for, which is findings here.

    Some versions do so for interrupts, all of them for a reader that has gone; and code of the user's own that ends the
    program must not end it with its own code.
    """

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        with _own_ends():
            return super().make_context(*arguments, **more)

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        if args[:1] == [ALL]:  # a group hides nothing
            args = ["--help"]
        _leave_text_alone(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        with _own_ends():
            try:
                return super().invoke(ctx)
            except KeyboardInterrupt:
                raise typer.Exit(INTERRUPTED) from None
            except SystemExit as error:
                raise UsageError(f"code that a command called ended the program (SystemExit: {error})") from error


@contextmanager
def _own_ends() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_gone(error):
            silence(sys.stdout)
            raise typer.Exit(0) from None
        raise refusal(error) from error
    except EOFError as error:
        raise UsageError(f"a file ended too early: {error}") from error


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
