"""What the options before the command say, handed to every command as Typer's context object."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ProgramSession:
    """``debug``: faults of this program are shown with their traceback instead of one line."""

    debug: bool = False
