"""The command line: flags become settings, results become an exit code. Nothing else lives here.

Commands import what they need when they run, so that ``--help`` and ``--version`` cost little.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from auditor._version import __version__
from auditor.cli.commands import INTERRUPTED, PlainCommand, PlainGroup
from auditor.cli.errors import UsageError
from auditor.cli.process import (
    SystemRefusalError,
    ended_by_signals,
    prepare,
    reason,
    refusal,
    reserve_standard_files,
    silence,
)
from auditor.cli.session import ProgramSession
from auditor.policy.errors import SettingsError
from auditor.system import is_gone

PROGRAM = "aliasaudit"
COMMANDS = (
    "check",
    "verify",
    "merge",
    "resize",
    "tiles",
    "fix",
    "finetune",
    "compare",
    "baseline",
    "report",
    "rule",
    "config",
    "schema",
    "anonymise",
    "demo",
)
"""In the order of ``--help``; each is the function, or the group of commands, of that name in its module."""

_ERROR = 2  # auditor.policy.verdict.ExitCode, which --help has no need to import


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


def _before(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of internal errors.")] = False,
) -> None:
    """Audit exported ONNX vision models for aliasing and lost shift-equivariance."""
    context.ensure_object(ProgramSession).debug = debug


def application(arguments: Sequence[str]) -> typer.Typer:
    """The program for a command line: with the one command that it names, or with all where it names none of them.

    Options are declared with the types and defaults of the rooms behind them; a small audit need not load those of the
    other commands.
    """
    # Without rich markup and exceptions, help and usage errors do not import Rich.
    app = typer.Typer(
        cls=PlainGroup,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_before)
    named = next((word for word in arguments if not word.startswith("-")), None)
    for name in (named,) if named in COMMANDS else COMMANDS:
        command = getattr(import_module(f"auditor.cli.{name}"), str(name))
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(cls=PlainCommand)(command)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program on ``sys.argv`` or the given arguments and return its exit code."""
    reserve_standard_files()
    with ended_by_signals() as ending:
        try:
            code = _flushed(_run(arguments))
        except KeyboardInterrupt:  # while the streams were flushed
            code = INTERRUPTED
    if ending.signal is None:
        return code
    _fail(f"ended by {ending.signal.name}")
    return 128 + ending.signal


def _run(arguments: Sequence[str] | None) -> int:
    session = ProgramSession()
    # Modules and graphs live to the end: looking for garbage among them took a tenth of a small audit's CPU time.
    gc.set_threshold(100_000, 50, 50)
    for stream in (sys.stdout, sys.stderr):
        prepare(stream)
    try:
        words = sys.argv[1:] if arguments is None else list(arguments)
        application(words)(args=words, prog_name=PROGRAM, obj=session)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else _ERROR if end.code else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except (UsageError, SettingsError) as error:
        return _fail(f"error: {error}")
    except (OSError, SystemRefusalError) as error:
        _trace(session)
        return _fail(f"error: {refusal(error) if isinstance(error, OSError) else error}")
    except MemoryError:
        return _fail("error: the system has no memory left")
    except Exception as error:  # noqa: BLE001 - the last line: a crash must not exit with 1, which means findings
        _trace(session)
        return _fail(
            f"internal error: {type(error).__name__}: {error}; please report this, with the output of"
            f" `{PROGRAM} --debug ...`"
        )
    return 0


def _trace(session: ProgramSession) -> None:
    """Show the traceback of the error that is handled, where the user asked for it."""
    if session.debug:
        import traceback

        traceback.print_exc()


def _flushed(code: int) -> int:
    """The exit code, once what was printed has left; the interpreter would end with 120 where it cannot."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        silence(sys.stdout)
        if isinstance(error, OSError) and not is_gone(error):
            return _fail(f"error: standard output cannot be written: {reason(error)}")
    return code


def _fail(message: str) -> int:
    from auditor.cli.output import say

    say(message)
    return _ERROR
