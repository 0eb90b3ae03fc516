"""``aliasaudit compare``: the merge gate."""

from __future__ import annotations

from typing import Annotated

import typer

from auditor.cli.errors import UsageError
from auditor.cli.flags import flags
from auditor.cli.options import settings_from
from auditor.options.flatten import Only
from auditor.options.general import InputShapes, Output, Policy, Selection, Sources
from auditor.options.kinds import names, switch, text
from auditor.options.measuring import COMMON, OF_REFERENCE, Measuring
from auditor.options.option import Group, option
from auditor.options.panels import Panel
from auditor.options.thresholds import Thresholds
from auditor.policy.thresholds import COMPARED_IMAGES


class ModelPairs(Group):
    """What is compared."""

    base_ref: str | None = option(text("REF"), "Compare with the files at this git revision.", Panel.INPUT)
    model: tuple[str, ...] = option(names("FILE"), "With --base-ref: a model or a folder; repeatable.", Panel.INPUT)
    verify: bool = option(switch(), "Also run both models on shifted images.", Panel.MEASURING)
    pair: bool = option(
        switch(),
        "Hold answers against the base's, too. For models that are not alike: each is read in its own way"
        " (--reference-preset, --reference-runtime, … are of the base). Implies --verify.",
        Panel.MEASURING,
    )


@flags
def compare(
    context: typer.Context,  # noqa: ARG001 - says whether to show tracebacks
    pairs: ModelPairs,
    thresholds: Thresholds,
    measuring: Annotated[Measuring, Only(*COMMON, *OF_REFERENCE, "runtime", images_limit=str(COMPARED_IMAGES))],
    selection: Selection,
    policy: Policy,
    output: Annotated[Output, Only(without=("statistics",))],
    inputs: InputShapes,
    sources: Sources,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BASE NEW]", help="Current model and replacement, or models for --base-ref."),
    ] = None,
) -> None:
    """Compare a model with the one that it is to replace: what got worse stops a merge.

    Findings are those that the base does not have, or not as heavily, at the same place of the network; a place is
    recognised after retraining, renaming and another export. With --verify both models run on the same images and
    shifts, and the paired difference passes, fails, or is undecided and says how many images would decide. Undecided is
    no failure unless --inconclusive fail requires a verdict. With --pair the two need not be alike, and their answers
    are held against each other, too.

    With --base-ref a model that the revision does not have is audited, and all of its findings count; one that has only
    been renamed is compared with itself; one that is gone is mentioned.

    Exit codes: 0 no worse, 1 findings at or above --fail-on, 2 usage, settings or internal error, 3 the comparison is
    incomplete (a model could not be had or read, a required measurement was not made), 130 interrupted.
    """
    from auditor.audit.run import load_rules
    from auditor.audit.settle import settle
    from auditor.cli.auditing import conclude, fit_input_shapes, read_baseline
    from auditor.cli.changes import gathered_changes
    from auditor.cli.measuring import measure_pair_with, measure_with
    from auditor.cli.output import refuse_overwriting
    from auditor.cli.reports import refuse_models
    from auditor.comparison.run import compare_all
    from auditor.facts.rule import Need

    settings = settings_from(sources, selection, policy, output, inputs, thresholds, measuring)
    measured, unpaired = pairs.verify or pairs.pair, sorted(measuring.given.intersection(OF_REFERENCE))
    if unpaired and not pairs.pair:
        raise UsageError(f"--{unpaired[0].replace('_', '-')} says how the base of a pair is read: give --pair, too")
    with gathered_changes(files or [], pairs.base_ref, pairs.model, settings, weights=measured) as found:
        audited = [file for change in found.changes for file in (change.base, change.new) if file is not None]
        models = [file.path for file in audited]
        if output.output is not None:
            refuse_overwriting(output.output, models)
        refuse_models(output.report, models)
        running, known = load_rules(settings), read_baseline(settings)
        fit_input_shapes(audited, settings, output.quiet)
        alone = measure_with(settings, output) if measured else None
        both = measure_pair_with(settings, output, COMPARED_IMAGES, pairs.pair) if measured else None
        outcomes = settle(
            list(compare_all(found.changes, running, settings, alone, both, reraise=output.debug)),
            running,
            settings,
            known,
            output.debug,
        )
        given = {Need.POLICY, Need.COMPARISON, *([Need.MEASUREMENT] if measured else [])}
        code = conclude(outcomes, found.problems, running, running.ready(given), settings, output, found.remarks)
    raise typer.Exit(code)
