"""``aliasaudit anonymise``: a model's structure without its weights and names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from auditor.cli.errors import UsageError
from auditor.cli.flags import flags
from auditor.options.kinds import file
from auditor.options.option import Group, option
from auditor.options.panels import Panel


class SkeletonFile(Group):
    """Where the structure goes."""

    output: Path = option(
        file("FILE"), "Write the structure to this file.", Panel.REPORT, "--output", "-o", required=True
    )


@flags
def anonymise(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file.")],
    skeleton: SkeletonFile,
) -> None:
    """Write the structure of a model without its weights and names, to report a problem without sharing the model.

    Operators, attributes, shapes and element types stay. Names become numbers; metadata and documentation are left out,
    and so are the elements of tensors, except those that shapes and indices are computed from. `aliasaudit check` finds
    the same sampling sites, factors, joins and heads in it; alias energies that come from weights are unknown.

    Exit codes: 0 written, 2 usage or internal error, 3 the model could not be read, 130 interrupted.
    """
    from auditor.cli.output import emit, refuse_overwriting, say
    from auditor.files import replacing
    from auditor.onnxfile import ModelFileError, read_model
    from auditor.onnxfile.encode import encode
    from auditor.policy.verdict import ExitCode
    from auditor.rewrite.anonymise import skeleton_of

    target = skeleton.output
    output = target.as_posix()
    refuse_overwriting(target, [Path(model)])
    if target.exists() and not target.is_file():
        raise UsageError(f"--output {output}: is not a regular file; choose another name")
    try:
        structure = skeleton_of(read_model(Path(model)))
    except ModelFileError as error:
        say(f"{model}: {error.reason}")
        raise typer.Exit(ExitCode.INCOMPLETE) from error
    try:
        with replacing(target.resolve()) as sink:
            sink.write(encode(structure.model))
    except OSError as error:
        raise UsageError(f"--output {output}: cannot be written: {error.strerror}") from error
    emit(
        f"{output}: {structure.names} names replaced, the elements of {structure.emptied} tensors left out,"
        f" {structure.kept} tensors kept that hold shapes or indices\n"
        "`aliasaudit check` finds the model's sampling sites, factors, joins and heads in it; alias energies that come"
        " from weights are unknown.\n"
    )
