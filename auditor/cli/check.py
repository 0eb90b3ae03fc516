"""``aliasaudit check``: the static audit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from auditor.cli.flags import flags
from auditor.cli.options import Models, settings_from
from auditor.options.flatten import Only
from auditor.options.general import InputShapes, Output, Policy, Selection, Sources
from auditor.options.kinds import file, switch, text
from auditor.options.measuring import COMMON, Measuring
from auditor.options.option import Group, option
from auditor.options.panels import Panel
from auditor.rewrite.options import Rewriting, SearchBudget


class Further(Group):
    """What ``check`` does on top of the audit."""

    verify: bool = option(switch(), "Also run the models on shifted images.", Panel.MEASURING)
    measure_alias: bool = option(switch(), "Also measure what folds at each site.", Panel.MEASURING)
    name_nodes: Path | None = option(
        file("FILE"),
        "Audit a copy with named nodes. Written to FILE, for --report netron and explorer.",
        Panel.REPORT,
    )
    changed_since: str | None = option(
        text("REV"), "Audit only what changed since REV. Models that the branch adds or changes in git.", Panel.INPUT
    )
    fix: bool = option(switch(), "Also rewrite the model, and audit the result.", Panel.REWRITE)
    fix_output: Path | None = option(file("FILE"), "With --fix: the rewritten model.", Panel.REWRITE)


@flags
def check(
    context: typer.Context,  # noqa: ARG001 - says whether to show tracebacks
    models: Models,
    selection: Selection,
    policy: Policy,
    output: Output,
    inputs: InputShapes,
    further: Further,
    measuring: Annotated[Measuring, Only(*COMMON)],
    rewriting: Rewriting,
    search: SearchBudget,
    sources: Sources,
) -> None:
    """Audit ONNX models for aliasing without running them.

    Finds where a network samples its feature maps below the Nyquist rate, by how much in total, how bad each place is,
    and what to do. Weights stay on disk but for the kernels that are judged.

    With --verify each model is also run on shifted images, and the report and the exit code are of both. Every option
    of the command verify can stand in the settings file.

    With --measure-alias each model is run on pictures without shifts, 8 unless --images-limit says otherwise, and the
    report shows beside the expected alias energy of each site the one that was measured, and on how many pictures. No
    finding depends on it.

    With --fix the model is rewritten into --fix-output, and the one report is of the rewritten model, compared with the
    original. It takes the options of the command fix from --strategy to --plot, and --inline. With --verify (which
    --require-gain and --strategy auto imply) both run on the same images and shifts, and the file appears only after
    they were measured. A rewrite changes what the network computes, so it needs --strategy or --unsafe-fixes. The model
    itself is never overwritten.

    With --name-nodes the audit is of a copy in which each node of the main graph has a name of its own: viewers such as
    Netron and Model Explorer show at a node what --report netron=FILE and --report explorer=FILE say of its name.

    With --changed-since only models are audited whose file or weights are not as they were where the branch left that
    revision; a report without any is clean.

    Findings that a waiver of the settings or the baseline accepts do not count.

    Exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage, settings or internal error, 3 the audit is
    incomplete (a model could not be read, nothing to audit), 130 interrupted.
    """
    if not (further.verify or further.fix or further.measure_alias):
        # The threads that NumPy starts on import wait busily, for more CPU time than the audit of a model takes.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from auditor.cli.auditing import run
    from auditor.cli.errors import UsageError
    from auditor.cli.inputs import gathered

    settings = settings_from(sources, selection, policy, output, inputs, measuring)
    measure = None
    if further.verify or (further.fix and rewriting.measures):
        from auditor.cli.measuring import measure_with

        measure = measure_with(settings, output)
    alias = None
    if further.measure_alias:
        if further.fix:
            raise UsageError("--measure-alias goes without --fix: check the rewritten model with it")
        from auditor.cli.measuring import measure_alias_with

        alias = measure_alias_with(settings, output)
    with gathered(models, settings.limits.max_file_bytes) as (files, problems):
        remark = ""
        if further.changed_since is not None:
            from auditor.cli.changed import only_changed

            files, remark = only_changed(files, further.changed_since, settings.limits)
        if files and further.name_nodes is not None:
            from auditor.cli.naming import named_copy

            files = named_copy(files, further.name_nodes, settings.limits, output.quiet)
        code, tried = None, None
        if files and (further.fix or further.fix_output is not None or rewriting.given or search.given):
            from auditor.cli.repairing import repair_from, run_repaired

            repair = repair_from(further.fix, further.fix_output, rewriting, search, settings)
            code, tried = run_repaired(files, problems, settings, output, repair, measure)
        if code is None:  # nothing to repair, or nothing that could be
            remarks = (remark,) if remark else ()
            code = run(files, problems, settings, output, measure, alias, remarks, search=tried)
    raise typer.Exit(code)
