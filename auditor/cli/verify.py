"""``aliasaudit verify``: run models on shifted images and measure how much their answers depend on position."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from auditor.cli import options
from auditor.cli.measuring_options import (
    Device,
    ImageInput,
    Images,
    ImagesLimit,
    Labels,
    MeasuredOutput,
    PlotsFolder,
    PlotsFormat,
    Preset,
    TaskName,
    option,
)
from auditor.cli.panels import Panel
from auditor.cli.session import ProgramSession

MEASURED_RULES = ("AA4", "runtime-crashed")


def verify(
    context: typer.Context,
    models: options.Models,
    images: Images = None,
    labels: Labels = None,
    images_limit: ImagesLimit = None,
    max_megapixels: Annotated[str | None, option("max-megapixels", "N", Panel.RARE)] = None,
    preset: Preset = None,
    mean: Annotated[str | None, option("mean", "NUMBERS", Panel.IMAGES)] = None,
    std: Annotated[str | None, option("std", "NUMBERS", Panel.IMAGES)] = None,
    scale: Annotated[str | None, option("scale", "NUMBER", Panel.IMAGES)] = None,
    channels: Annotated[str | None, option("channels", "rgb|bgr|grey", Panel.IMAGES)] = None,
    layout: Annotated[str | None, option("layout", "NCHW|NHWC|NHW", Panel.IMAGES)] = None,
    size: Annotated[str | None, option("size", "HxW", Panel.IMAGES)] = None,
    protocol: Annotated[str | None, option("protocol", "PROTOCOL", Panel.SHIFTS)] = None,
    radius: Annotated[str | None, option("radius", "PX", Panel.SHIFTS)] = None,
    shifts: Annotated[str | None, option("shifts", "N", Panel.SHIFTS)] = None,
    path: Annotated[str | None, option("path", "STEPS", Panel.SHIFTS)] = None,
    exhaustive: Annotated[str | None, option("exhaustive", "PX", Panel.SHIFTS)] = None,
    seed: Annotated[str | None, option("seed", "N", Panel.SHIFTS)] = None,
    task: TaskName = None,
    image_input: ImageInput = None,
    measured_output: MeasuredOutput = None,
    feed: Annotated[list[str] | None, option("feed", "NAME=NUMBER")] = None,
    box_score: Annotated[str | None, option("box-score", "SHARE")] = None,
    reference: Annotated[str | None, option("reference", "MODEL")] = None,
    layers: Annotated[str | None, option("layers", "IMAGES")] = None,
    confidence: Annotated[str | None, option("confidence", "SHARE")] = None,
    device: Device = None,
    threads: Annotated[str | None, option("threads", "N", Panel.RARE)] = None,
    allow_domain: Annotated[list[str] | None, option("allow-domain", "DOMAIN", Panel.RARE)] = None,
    custom_ops: Annotated[list[str] | None, option("custom-ops", "LIBRARY", Panel.RARE)] = None,
    step_timeout: Annotated[str | None, option("step-timeout", "SECONDS", Panel.RARE)] = None,
    max_memory: Annotated[str | None, option("max-memory", "GIB", Panel.RARE)] = None,
    plots: PlotsFolder = None,
    plots_format: PlotsFormat = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    fail_on: options.FailOn = None,
    exit_zero: options.ExitZero = False,
    output_format: options.OutputFormat = None,
    output: options.OutputFile = None,
    report: options.Reports = None,
    markdown_limit: options.MarkdownLimit = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    color: options.Color = "auto",
    no_progress: options.NoProgress = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Run ONNX models on shifted images and measure how much their answers depend on position.

    Models run in onnxruntime in a process of their own, with limits. Every number comes with its interval, the images,
    the shifts, the preprocessing and the device that it was measured with. Only the rules on what was measured run
    unless --select names others; `check --verify` runs all of them.

    Exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage, settings or internal error, 3 the measurement was
    not made (no usable image, the device is not there, the model crashed), 130 interrupted.
    """
    from auditor.cli.auditing import Output, run
    from auditor.cli.inputs import gathered
    from auditor.cli.measuring import Plots, measure_with
    from auditor.cli.reports import markdown_bytes, report_files
    from auditor.policy.settings import DEFAULT, Selector
    from auditor.policy.verdict import ExitCode

    settings = options.settings_from(
        config,
        isolated,
        False,
        {
            "select": options.words(select),
            "ignore": options.words(ignore),
            "fail-on": fail_on,
            "output-format": output_format,
            "verify": options.given(
                {
                    "images": images,
                    "labels": labels,
                    "images-limit": images_limit,
                    "max-megapixels": max_megapixels,
                    "preset": preset,
                    "mean": mean,
                    "std": std,
                    "scale": scale,
                    "channels": channels,
                    "layout": layout,
                    "size": size,
                    "protocol": protocol,
                    "radius": radius,
                    "shifts": shifts,
                    "path": path,
                    "exhaustive": exhaustive,
                    "seed": seed,
                    "task": task,
                    "image-input": image_input,
                    "measured-output": measured_output,
                    "feed": feed,
                    "box-score": box_score,
                    "reference": reference,
                    "layers": layers,
                    "confidence": confidence,
                    "device": device,
                    "threads": threads,
                    "allow-domain": allow_domain,
                    "custom-ops": custom_ops,
                    "step-timeout": step_timeout,
                    "max-memory": max_memory,
                }
            ),
        },
    )
    if settings.select is None:
        settings = replace(settings, select=tuple(Selector(text, DEFAULT) for text in MEASURED_RULES))
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
    )
    with gathered(models, settings.limits.max_file_bytes) as (files, problems):
        drawn = Plots(Path(plots), plots_format or "png") if plots else None
        code = run(files, problems, settings, show, measure_with(settings, show, drawn))
    raise typer.Exit(ExitCode.ERROR if drawn is not None and drawn.failed else code)
