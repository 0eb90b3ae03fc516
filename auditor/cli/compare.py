"""``aliasaudit compare``: the merge gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli import measuring_options, options
from auditor.cli.panels import Panel, first_sentence, option
from auditor.cli.session import ProgramSession
from auditor.policy.thresholds import COMPARED_IMAGES, THRESHOLDS

if TYPE_CHECKING:
    from typer.models import OptionInfo


def _threshold(name: str, metavar: str) -> OptionInfo:
    return option(Panel.THRESHOLDS, f"--{name}", metavar=metavar, text=first_sentence(THRESHOLDS[name]))


def compare(
    context: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BASE NEW]", help="Current model and replacement, or models for --base-ref."),
    ] = None,
    base_ref: Annotated[
        str | None,
        option(Panel.INPUT, "--base-ref", metavar="REF", text="Compare with the files at this git revision."),
    ] = None,
    model: Annotated[
        list[str] | None,
        option(Panel.INPUT, "--model", metavar="FILE", text="With --base-ref: a model or a folder; repeatable."),
    ] = None,
    verify: Annotated[
        bool, option(Panel.MEASURING, "--verify", text="Also run both models on shifted images.")
    ] = False,
    minimum: Annotated[str | None, _threshold("min", "NUMBER")] = None,
    max_absolute_drop: Annotated[str | None, _threshold("max-absolute-drop", "N")] = None,
    max_relative_drop: Annotated[str | None, _threshold("max-relative-drop", "N")] = None,
    max_jitter_rise: Annotated[str | None, _threshold("max-jitter-rise", "N")] = None,
    largest_change: Annotated[str | None, _threshold("largest-change", "NUMBER")] = None,
    confidence: Annotated[str | None, _threshold("confidence", "SHARE")] = None,
    min_images: Annotated[str | None, _threshold("min-images", "N")] = None,
    inconclusive: Annotated[str | None, _threshold("inconclusive", "RESULT")] = None,
    require_verify: Annotated[
        bool, option(Panel.THRESHOLDS, "--require-verify", text=THRESHOLDS["require-verify"])
    ] = False,
    images: measuring_options.Images = None,
    labels: measuring_options.Labels = None,
    images_limit: Annotated[
        str | None,
        option(
            Panel.IMAGES,
            "--images-limit",
            metavar="N",
            text=f"Use at most N images, evenly spaced. [default: {COMPARED_IMAGES}]",
        ),
    ] = None,
    preset: measuring_options.Preset = None,
    image_input: measuring_options.ImageInput = None,
    task: measuring_options.TaskName = None,
    measured_output: measuring_options.MeasuredOutput = None,
    device: measuring_options.Device = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    extend_select: options.ExtendSelect = None,
    rules: options.RuleFolders = None,
    allow_rule_dirs: options.AllowRuleDirs = False,
    fail_on: options.FailOn = None,
    exit_zero: options.ExitZero = False,
    min_severity: options.MinSeverity = None,
    output_format: options.OutputFormat = None,
    output: options.OutputFile = None,
    report: options.Reports = None,
    markdown_limit: options.MarkdownLimit = None,
    input_shape: options.InputShape = None,
    baseline: options.Baseline = None,
    no_waivers: options.NoWaivers = False,
    show_waived: options.ShowWaived = False,
    today: options.Today = None,
    strict: options.Strict = False,
    config: options.Config = None,
    isolated: options.Isolated = False,
    color: options.Color = "auto",
    no_progress: options.NoProgress = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Compare a model with the one that it is to replace: what got worse stops a merge.

    Findings are those that the base does not have, or not as heavy, at the same place of the network; a place is
    recognised after retraining, renaming and another export. With --verify both models run on the same images and
    shifts, and the paired difference passes, fails, or is undecided and says how many images would decide. Undecided is
    no failure unless --inconclusive fail requires a verdict.

    With --base-ref a model that the revision does not have is audited, and all of its findings count; one that has only
    been renamed is compared with itself; one that is gone is mentioned.

    Exit codes: 0 no worse, 1 findings at or above --fail-on, 2 usage, settings or internal error, 3 the comparison is
    incomplete (a model could not be had or read, a required measurement was not made), 130 interrupted.
    """
    from auditor.audit.run import load_rules
    from auditor.audit.settle import settle
    from auditor.cli.auditing import Output, conclude, fit_input_shapes, read_baseline
    from auditor.cli.changes import gathered_changes
    from auditor.cli.measuring import measure_with
    from auditor.cli.output import refuse_overwriting
    from auditor.cli.reports import markdown_bytes, refuse_models, report_files
    from auditor.comparison.run import compare_all
    from auditor.facts.rule import Need

    settings = options.settings_from(
        config,
        isolated,
        allow_rule_dirs,
        {
            "select": options.words(select),
            "ignore": options.words(ignore),
            "extend-select": options.words(extend_select),
            "rule-dirs": list(rules) if rules else None,
            "fail-on": fail_on,
            "min-severity": min_severity,
            "output-format": output_format,
            "input-shapes": options.shapes(input_shape),
            **options.policy(baseline, no_waivers, strict),
            "compare": options.given(
                {
                    "min": minimum,
                    "max-absolute-drop": max_absolute_drop,
                    "max-relative-drop": max_relative_drop,
                    "max-jitter-rise": max_jitter_rise,
                    "largest-change": largest_change,
                    "confidence": confidence,
                    "min-images": min_images,
                    "inconclusive": inconclusive,
                    "require-verify": require_verify or None,
                }
            ),
            "verify": options.given(
                {
                    "images": images,
                    "labels": labels,
                    "images-limit": images_limit,
                    "preset": preset,
                    "image-input": image_input,
                    "task": task,
                    "measured-output": measured_output,
                    "device": device,
                }
            ),
        },
        today,
    )
    show = Output(
        color=color,
        output=Path(output) if output else None,
        exit_zero=exit_zero,
        progress=not no_progress,
        quiet=quiet,
        verbose=verbose,
        debug=context.ensure_object(ProgramSession).debug,
        reports=report_files(report),
        markdown_bytes=markdown_bytes(markdown_limit),
        accepted=show_waived,
    )
    with gathered_changes(files or [], base_ref, model or [], settings, weights=verify) as found:
        audited = [file for change in found.changes for file in (change.base, change.new) if file is not None]
        models = [file.path for file in audited]
        if show.output is not None:
            refuse_overwriting(show.output, models)
        refuse_models(show.reports, models)
        running, known = load_rules(settings), read_baseline(settings)
        fit_input_shapes(audited, settings, quiet)
        measure = measure_with(settings, show, images=COMPARED_IMAGES) if verify else None
        outcomes = settle(
            list(compare_all(found.changes, running, settings, measure, reraise=show.debug)),
            running,
            settings,
            known,
            show.debug,
        )
        given = {Need.POLICY, Need.COMPARISON, *([Need.MEASUREMENT] if verify else [])}
        code = conclude(outcomes, found.problems, running, running.ready(given), settings, show, found.remarks)
    raise typer.Exit(code)
