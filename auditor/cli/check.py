"""``aliasaudit check``: the static audit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from auditor.cli import measuring_options, options, repair_options
from auditor.cli.panels import Panel, option
from auditor.cli.session import ProgramSession


def check(
    context: typer.Context,
    models: options.Models,
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
    statistics: options.Statistics = False,
    baseline: options.Baseline = None,
    no_waivers: options.NoWaivers = False,
    show_waived: options.ShowWaived = False,
    today: options.Today = None,
    strict: options.Strict = False,
    verify: measuring_options.Verify = False,
    measure_alias: measuring_options.MeasureAlias = False,
    images: measuring_options.Images = None,
    labels: measuring_options.Labels = None,
    images_limit: measuring_options.ImagesLimit = None,
    preset: measuring_options.Preset = None,
    image_input: measuring_options.ImageInput = None,
    task: measuring_options.TaskName = None,
    measured_output: measuring_options.MeasuredOutput = None,
    device: measuring_options.Device = None,
    fix: Annotated[
        bool,
        option(Panel.REWRITE, "--fix", text="Also rewrite the model, and audit the result."),
    ] = False,
    fix_output: Annotated[
        str | None,
        option(Panel.REWRITE, "--fix-output", metavar="FILE", text="With --fix: the rewritten model."),
    ] = None,
    strategy: repair_options.Strategy = None,
    unsafe_fixes: repair_options.UnsafeFixes = False,
    inline: repair_options.Inline = False,
    site: repair_options.Sites = None,
    kernel: repair_options.Kernel = None,
    where: repair_options.Where = None,
    padding: repair_options.Padding = None,
    blend: repair_options.Blend = None,
    phases: repair_options.Phases = None,
    lowering: repair_options.Lowering = None,
    margin: repair_options.Margin = None,
    calibrate: repair_options.Calibrate = None,
    calibrate_images: repair_options.CalibrateImages = None,
    refit: repair_options.Refit = None,
    require_gain: repair_options.RequireGain = False,
    max_cost: repair_options.MaxCost = None,
    max_drop: repair_options.MaxDrop = None,
    state: repair_options.State = None,
    plot: repair_options.Plot = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    color: options.Color = "auto",
    no_progress: options.NoProgress = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
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

    Findings that a waiver of the settings or the baseline accepts do not count.

    Exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage, settings or internal error, 3 the audit is
    incomplete (a model could not be read, nothing to audit), 130 interrupted.
    """
    if not (verify or fix or measure_alias):
        # The threads that NumPy starts on import wait busily, for more CPU time than the audit of a model takes.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from auditor.cli.auditing import Output, run
    from auditor.cli.errors import UsageError
    from auditor.cli.inputs import gathered
    from auditor.cli.reports import markdown_bytes, report_files

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
        statistics=statistics,
        debug=context.ensure_object(ProgramSession).debug,
        reports=report_files(report),
        markdown_bytes=markdown_bytes(markdown_limit),
        accepted=show_waived,
    )
    typed = repair_options.RepairFlags(
        strategy=strategy,
        sites=tuple(site or ()),
        kernel=kernel,
        where=where,
        padding=padding,
        blend=blend,
        phases=phases,
        lowering=lowering,
        margin=margin,
        calibrate=calibrate,
        calibrate_images=calibrate_images,
        refit=refit,
        require_gain=require_gain,
        max_cost=max_cost,
        max_drop=max_drop,
        state=state,
        plot=plot,
        unsafe_fixes=unsafe_fixes,
    )
    measure = None
    if verify or (fix and typed.measures):
        from auditor.cli.measuring import measure_with

        measure = measure_with(settings, show)
    alias = None
    if measure_alias:
        if fix:
            raise UsageError("--measure-alias goes without --fix: check the rewritten model with it")
        from auditor.cli.measuring import measure_alias_with

        alias = measure_alias_with(settings, show)
    with gathered(models, settings.limits.max_file_bytes) as (files, problems):
        code = None
        if fix or inline or fix_output is not None or typed != repair_options.RepairFlags():
            from auditor.cli.repairing import repair_from, run_repaired

            repair = repair_from(fix, fix_output, typed, inline, settings)
            code = run_repaired(files, problems, settings, show, repair, measure)
        if code is None:  # nothing to repair, or nothing that could be
            code = run(files, problems, settings, show, measure, alias)
    raise typer.Exit(code)
