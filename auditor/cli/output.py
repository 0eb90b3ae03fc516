"""Writing: the report to stdout or, whole or not at all, to a file; everything else to stderr."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.errors import UsageError
from auditor.cli.process import reason, silence
from auditor.files import is_same, write_text
from auditor.report import RenderOptions
from auditor.system import is_gone
from auditor.text import plain

if TYPE_CHECKING:
    from auditor.facts.report import Problem


_WITHOUT_LINKS = ("dumb", "linux")  # they show the escapes of a hyperlink as they are, or ring the bell


def say(message: str) -> None:
    """One line to stderr, for people: hints, warnings, errors. Control characters in what it quotes are escaped.

    Where stderr is closed or full the line is lost; the exit code stays.
    """
    try:
        print(f"aliasaudit: {plain(message, None)}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        silence(sys.stderr)


def emit(text: str) -> None:
    """Write to stdout. A reader that has gone (``| head``) is no error and does not change the exit code.

    Raises:
        UsageError: stdout is closed, or its disk is full.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        silence(sys.stdout)
        if not is_gone(error):
            raise UsageError(f"the report cannot be written to standard output: {reason(error)}") from error


def terminal_width() -> int | None:
    """The columns of the terminal that stdout is; None where it is none: files and pipes hold whole lines."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def write_file(path: Path, text: str, option: str = "--output") -> None:
    """Write a text file whole or not at all. ``option`` is the flag that named it, for the message.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        write_text(path, text)
    except OSError as error:
        raise UsageError(f"{option} {path.as_posix()}: cannot be written: {error.strerror}") from error


def refuse_unwritable(path: Path, option: str, makes_folders: bool = False) -> None:
    """Say at once what would be said after minutes of measuring: that a file cannot be written there.

    ``makes_folders``: missing folders in front of it will be made.

    Raises:
        UsageError: It cannot be.
    """
    name, folder = f"{option} {path.as_posix()}", path.parent
    if path.is_dir():
        raise UsageError(f"{name}: cannot be written: {os.strerror(errno.EISDIR)}")
    if path.exists() and not path.is_file():
        return  # a device or a pipe
    while makes_folders and not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.exists():
        raise UsageError(f"{name}: cannot be written: {os.strerror(errno.ENOENT)}")
    if not folder.is_dir():
        raise UsageError(f"{name}: cannot be written: {os.strerror(errno.ENOTDIR)}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{name}: cannot be written: {os.strerror(errno.EACCES)}")


def deliver(text: str, target: Path | None, quiet: bool) -> None:
    """Write the report to stdout, or to its file and say so.

    Raises:
        UsageError: It cannot be written.
    """
    if target is None:
        emit(text)
        return
    write_file(target, text)
    if not quiet:
        say(f"wrote {target.as_posix()}")


def say_problems(problems: Iterable[Problem]) -> None:
    """What made a run incomplete, on stderr."""
    for problem in problems:
        say(f"{problem.path}: {problem.message}" if problem.path else problem.message)


def refuse_overwriting(output: Path, inputs: Iterable[Path], option: str = "--output") -> None:
    """A report never replaces a model.

    Raises:
        UsageError: The output is one of the inputs.
    """
    for path in inputs:
        if is_same(path, output):
            raise UsageError(f"{option} {output.as_posix()}: is one of the models; choose another name")


def render_options(
    color: str, to_file: bool, quiet: bool, verbose: bool, statistics: bool, whole: bool = False
) -> RenderOptions:
    """How the text report looks on this stdout: for the eye on a terminal, plain elsewhere."""
    terminal = not to_file and sys.stdout.isatty()
    return RenderOptions(
        width=shutil.get_terminal_size().columns if terminal else None,
        colour=not to_file and _coloured(color, terminal),
        unicode=_holds_unicode(),
        terminal=terminal,
        fold=terminal and not whole and not verbose,
        links=terminal and not os.environ.get("CI") and os.environ.get("TERM") not in _WITHOUT_LINKS,
        quiet=quiet,
        verbose=verbose,
        statistics=statistics,
    )


def _coloured(color: str, terminal: bool) -> bool:
    """``--color`` beats NO_COLOR, which beats FORCE_COLOR and CLICOLOR_FORCE, which beat what stdout is."""
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return terminal and os.environ.get("TERM") != "dumb"


def _holds_unicode() -> bool:
    try:
        "…".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
