"""``check --name-nodes``: a copy whose nodes viewers can find, and the hint where they cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from auditor.audit.run import ModelFile
from auditor.cli.errors import UsageError
from auditor.cli.inputs import shown
from auditor.cli.output import say
from auditor.facts.formats import Format
from auditor.facts.report import Report
from auditor.onnxfile import ModelFileError, read_model
from auditor.onnxfile.limits import Limits
from auditor.text import count_text

BY_NAME = frozenset({Format.NETRON, Format.EXPLORER})
"""The formats whose viewers find a node by its name."""


def named_copy(files: Sequence[ModelFile], target: Path, limits: Limits, quiet: bool) -> list[ModelFile]:
    """Write the copy of the one model, and give it in its place.

    Raises:
        UsageError: There are several models, the model cannot be read, or the copy cannot be written.
    """
    from auditor.rewrite.graph.naming import name_nodes
    from auditor.rewrite.result import RewriteError

    if len(files) != 1:
        raise UsageError("--name-nodes writes one copy: name one model")
    (file,) = files
    try:
        count = name_nodes(read_model(file.path, limits), target)
    except ModelFileError as error:
        raise UsageError(f"--name-nodes: {file.name}: {error.reason}") from error
    except RewriteError as error:
        raise UsageError(f"--name-nodes {target.as_posix()}: {error}") from error
    if not quiet:
        say(f"wrote {target.as_posix()}: {count_text(count, 'node')} named")
    return [ModelFile(target, shown(target))]


def hint_at_names(report: Report, formats: Iterable[Format], quiet: bool) -> None:
    """Say how many nodes a viewer cannot find by name, where a report for one was written."""
    from auditor.report.words.nodes import unnamed

    if quiet or BY_NAME.isdisjoint(formats):
        return
    count = unnamed(report.models)
    if count:
        say(
            f"{count_text(count, 'node')} of the report without a name of its own, which viewers cannot find:"
            " --name-nodes FILE audits a copy in which all have one"
        )
