"""``aliasaudit demo``: the whole way, from the audit to the repair, on the built-in example network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from auditor.cli.errors import UsageError
from auditor.cli.flags import flags
from auditor.cli.options import settings_from
from auditor.options.flatten import Only
from auditor.options.general import Output, Sources
from auditor.options.kinds import file
from auditor.options.measuring import Measuring
from auditor.options.option import Group, option
from auditor.options.panels import Panel

_INSTALL = (
    "verify, fix and compare are left out, as {missing} is not installed: "
    "pip install 'aliasaudit[cpu,images]', or in a checkout pip install '.[cpu,images]'"
)
_NEXT = """\
what next
     aliasaudit check YOUR.onnx                 where does it alias?
     aliasaudit verify --images DIR YOUR.onnx   do answers change on yours?
     aliasaudit fix --plan YOUR.onnx            what can be repaired untrained?
     aliasaudit rule AA102                      why is that a finding?
"""
_COLUMN = 43


class Keeping(Group):
    """Where the files of the example go."""

    write: Path | None = option(file("DIR"), "Leave the model, pictures and reports here.", Panel.REPORT)


@flags
def demo(
    context: typer.Context,  # noqa: ARG001 - says whether to show tracebacks
    keeping: Keeping,
    output: Annotated[Output, Only("output_format", "report", "color", "verbose", "no_progress")],
) -> None:
    """Check, measure, repair and compare the built-in example, a small trained network.

    It reads handwritten digits. Shows the commands and, in short, what each of them says. With --write the commands can
    be run on the files that are left in a new folder. With another --output-format, the report of the audit is printed
    instead. Settings files are left out, and findings do not change the exit code.
    """
    from auditor.audit.run import ModelFile
    from auditor.cli.auditing import run
    from auditor.cli.output import say
    from auditor.demo import demo_model
    from auditor.facts.formats import Format

    settings = settings_from(Sources(isolated=True), output)
    if settings.output_format is Format.TEXT:
        _tell(keeping.write, output)
        return
    if keeping.write is not None:
        raise UsageError("--write goes with the text on the screen: leave out --output-format")
    say("auditing the built-in example, a trained network that reads handwritten digits")
    code = run([ModelFile(demo_model(), "demo/digits.onnx")], [], settings, output.but(exit_zero=True))
    raise typer.Exit(code)


def _tell(target: Path | None, output: Output) -> None:
    from auditor.audit.run import load_rules
    from auditor.audit.settle import settle
    from auditor.cli.auditing import report_of
    from auditor.cli.measuring import measure_with
    from auditor.cli.output import emit, render_options, say
    from auditor.cli.reports import write_reports
    from auditor.cli.story import Story
    from auditor.demo.files import LABELS, PICTURES, REPORT, VERIFY, write_example
    from auditor.facts.rule import Need
    from auditor.options.reports import ReportFile
    from auditor.rewrite.result import RewriteError
    from auditor.verify.errors import VerifyError

    with _folder(target) as folder:
        measuring = Measuring(images=str(folder / PICTURES), labels=folder / LABELS, **VERIFY)
        settings = settings_from(Sources(isolated=True), output, measuring)
        rules = load_rules(settings)
        write_example(folder)
        emit("A small network that reads handwritten digits, on 360 that it has not seen.\n\n")
        story = Story(folder, rules, settings, emit)
        base, outcome = story.audited(output.debug)
        given = {Need.POLICY}
        own = () if target is None else (ReportFile("html", target / REPORT),)
        output = output.but(report=(*output.report, *own))
        if missing := _missing():
            say(_INSTALL.format(missing=missing))
        else:
            try:
                outcome = story.compared(base, measure_with(settings, output))
            except (RewriteError, VerifyError) as error:
                raise UsageError(f"the built-in example: {error}") from error
            given |= {Need.COMPARISON, Need.MEASUREMENT}
        emit(_NEXT + _left(target))
        report = report_of(
            settle([outcome], rules, settings, None, output.debug), (), rules, rules.ready(given), settings
        )
        options = render_options(output.color, False, False, output.verbose, statistics=False, whole=True)
        write_reports(report, output.report, options)


def _missing() -> str:
    """What measuring needs and is not installed."""
    needed = {"onnxruntime": "onnxruntime", "PIL": "Pillow"}
    return " and ".join(name for module, name in needed.items() if find_spec(module) is None)


def _left(target: Path | None) -> str:
    command, use = "aliasaudit demo --write DIR", "have the model and the pictures"
    if target is not None:
        command, use = f"cd {target.as_posix()}", "run any of the commands above"
    return f"     {command:{_COLUMN - 1}} {use}\n"


@contextmanager
def _folder(target: Path | None) -> Iterator[Path]:
    """The new folder for the files, which is gone afterwards where none was named.

    Raises:
        UsageError: It holds something, or cannot be written.
    """
    import tempfile

    if target is None:
        with tempfile.TemporaryDirectory(prefix="aliasaudit-demo-") as name:
            yield Path(name)
        return
    where = target.as_posix()
    try:
        if target.is_dir():
            held = min((path.name for path in target.iterdir()), default=None)
            if held is not None:
                raise UsageError(f"--write {where}: is not empty (it holds {held}); choose a new folder, or empty it")
        yield target
    except OSError as error:
        raise UsageError(f"--write {where}: cannot be written: {error.strerror}") from error
