"""What ``resize`` and ``tiles`` share: they look at one model, and write a report of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from auditor.cli.auditing import fit_input_shapes
from auditor.cli.errors import UsageError
from auditor.cli.inputs import gathered
from auditor.cli.output import deliver, refuse_overwriting, render_options, say_problems
from auditor.cli.reports import refuse_models, write_each
from auditor.facts.formats import Format
from auditor.options.general import Output
from auditor.policy.settings import Settings
from auditor.verify.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.audit.run import ModelFile
    from auditor.facts.report import Problem
    from auditor.report import RenderOptions

_Request = TypeVar("_Request")


@contextmanager
def one_model(name: str, command: str, settings: Settings, output: Output) -> Iterator[ModelFile]:
    """The one model that the command looks at; no report replaces it.

    Raises:
        SettingsError: an input shape does not fit.
        UsageError: there are several models, or a report would replace this one.
    """
    with gathered([name], settings.limits.max_file_bytes) as (files, _):
        if len(files) != 1:
            raise UsageError(f"{name}: {command} looks at one model at a time; name a file")
        (file,) = files
        if output.output is not None:
            refuse_overwriting(output.output, [file.path])
        refuse_models(output.report, [file.path])
        fit_input_shapes(files, settings, output.quiet)
        yield file


def requested(read: Callable[[], _Request]) -> Callable[[], _Request]:
    """The request, read now and given later: pictures that are not there are a problem beside what the graph says.

    Raises:
        UsageError: an option of the request is not valid.
    """
    try:
        request = read()
    except DataError as error:
        refusal = error
    except ValueError as error:
        raise UsageError(f"--{error}") from error
    else:
        return lambda: request

    def refuse() -> _Request:
        raise refusal

    return refuse


def show(
    text: Callable[[Format, RenderOptions], str], problems: Sequence[Problem], settings: Settings, output: Output
) -> None:
    """Write the report that ``text`` renders, wherever it is asked for.

    Raises:
        UsageError: a file cannot be written.
    """
    options = render_options(output.color, output.output is not None, output.quiet, False, False)
    options = replace(options, max_bytes=output.markdown_limit)
    write_each(output.report, options, text)
    deliver(text(settings.output_format, options), output.output, output.quiet)
    if output.output is not None or settings.output_format is not Format.TEXT:
        say_problems(problems)
