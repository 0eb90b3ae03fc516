"""The repair of ``aliasaudit fix`` as a pass of Microsoft Olive, so that a workflow repairs what it then optimises.

    from auditor.plugins.olive import package_config
    from olive.workflows import run

    passes = {"anti_aliasing": {"type": "AntiAliasing", "strategy": "blur"}}
    run({..., "passes": passes}, package_config=package_config())

Olive finds a pass of another package by its package configuration (``olive run --package-config``, written against
Olive 0.13). It passes models on as files, and so does this: weights of an ONNX model are copied, never decoded.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

from olive.model import ONNXModelHandler
from olive.model.utils import resolve_onnx_path
from olive.package_config import OlivePackageConfig
from olive.passes import Pass
from olive.passes.pass_config import PassConfigParam

from auditor.onnxfile import read_model
from auditor.repair.loading import require_loads
from auditor.rewrite.options import Rewriting, rewrite_options
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Options, RewriteError, Step, Strategy
from auditor.sampling import analyse

_TAKEN = (
    "sites",
    "kernel",
    "padding",
    "where",
    "blend",
    "lowering",
    "merges",
    "margin",
    "phases",
    "lock",
    "room",
    "period",
    "camera",
    "places",
)
_MODULE = "auditor.plugins.olive.AntiAliasing"


class AntiAliasing(Pass):
    """Rewrites an ONNX model by one strategy of ``aliasaudit fix``.

    ``strategy`` has to be chosen, because every rewrite changes what the network computes. A model in which the
    strategy has nothing to do is passed on as it is.
    """

    @classmethod
    def _default_config(cls, accelerator_spec: Any) -> dict[str, PassConfigParam]:  # noqa: ARG003 - as Olive calls it
        plain = rewrite_options(Rewriting())
        types = get_type_hints(Options) | {"sites": list[str], "merges": list[str], "margin": int}
        return {
            "strategy": PassConfigParam(type_=Strategy, required=True, description=Rewriting.options["strategy"].help)
        } | {
            name: PassConfigParam(
                type_=types[name],
                default_value=getattr(plain, name, []),
                description=Rewriting.options[name].help,
            )
            for name in _TAKEN
        }

    def _run_for_config(self, model: ONNXModelHandler, config: Any, output_model_path: str) -> ONNXModelHandler:
        source = read_model(Path(model.model_path))
        target = Path(resolve_onnx_path(output_model_path))
        admit = partial(require_loads, source)
        given = _rewriting(config)
        step = Step(Strategy(given.strategy), rewrite_options(given), given.sites)
        done = rewrite(source, analyse(source), step, target, admit=admit)
        if done.path is None:
            if done.skipped:
                reasons = sorted({skipped.refusal.reason for skipped in done.skipped})
                raise RewriteError(f"nothing could be rewritten: {'; '.join(reasons)}")
            return model
        if any(entry != target for entry in target.parent.iterdir()):  # external weights lie beside the model
            return ONNXModelHandler(model_path=str(target.parent), onnx_file_name=target.name)
        return ONNXModelHandler(model_path=str(target))


def _rewriting(config: Any) -> Rewriting:
    try:
        return Rewriting.from_keywords({name: getattr(config, name) for name in ("strategy", *_TAKEN)})
    except ValueError as error:
        raise RewriteError(str(error)) from error


def package_config() -> dict[str, Any]:
    """The package configuration of the installed Olive with this pass in it; ``json.dumps`` makes a file of it."""
    config: dict[str, Any] = json.loads(Path(OlivePackageConfig.get_default_config_path()).read_text(encoding="utf-8"))
    config["passes"][AntiAliasing.__name__] = {
        "module_path": _MODULE,
        "supported_providers": ["*"],
        "supported_accelerators": ["*"],
        "supported_precisions": ["*"],
    }
    return config
