"""The command line: flags become settings, results become an exit code. Nothing else lives here.

Commands import what they need when they run, so that ``--help`` and ``--version`` cost little.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from auditor import __version__
from auditor.cli.check import check
from auditor.cli.commands import INTERRUPTED, PlainCommand, PlainGroup
from auditor.cli.config import config
from auditor.cli.demo import demo
from auditor.cli.errors import UsageError
from auditor.cli.rule import rule
from auditor.cli.schema import schema
from auditor.cli.session import Session
from auditor.cli.verify import verify
from auditor.policy.errors import SettingsError

PROGRAM = "aliasaudit"
_ERROR = 2  # auditor.policy.verdict.ExitCode, which --help has no need to import


# Without rich markup and exceptions, help and usage errors do not import Rich.
app = typer.Typer(
    cls=PlainGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (check, verify, rule, config, schema, demo):
    app.command(cls=PlainCommand)(_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _before(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of internal errors.")] = False,
) -> None:
    """Audit exported ONNX vision models for aliasing and lost shift-equivariance."""
    context.ensure_object(Session).debug = debug


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program on ``sys.argv`` or the given arguments and return its exit code."""
    session = Session()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name must not end the report on an ASCII terminal
    try:
        app(args=None if arguments is None else list(arguments), prog_name=PROGRAM, obj=session)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else _ERROR if end.code else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except (UsageError, SettingsError) as error:
        return _fail(f"error: {error}")
    except Exception as error:  # noqa: BLE001 - the last line: a crash must not exit with 1, which means findings
        if session.debug:
            import traceback

            traceback.print_exc()
        return _fail(
            f"internal error: {type(error).__name__}: {error}; please report this, with the output of"
            f" `{PROGRAM} --debug ...`"
        )
    return 0


def _fail(message: str) -> int:
    from auditor.cli.output import say

    say(message)
    return _ERROR
