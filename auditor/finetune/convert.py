"""From the training copy to a PyTorch module, with every trained parameter tied to one weight of the ONNX file.

The converter is onnx2torch (ENOT, Apache-2.0). It keeps no names of weights, so they are found by value: the copy is
converted a second time with random numbers in the place of the weights, and every parameter that holds one of these
tensors, as it is or transposed, belongs to that weight. No two tensors of random numbers are alike, whereas two biases
of a network often are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from auditor.finetune.copy import Weight, fill, training_copy
from auditor.finetune.result import FinetuneError
from auditor.onnxfile.dtypes import DataType
from auditor.onnxfile.graph import Model

if TYPE_CHECKING:
    from auditor.verify.arrays import AnyArray

TOLERANCE, HALF_TOLERANCE = 1e-3, 5e-2  # onnxruntime computes a file of half precision in half precision
INSTALL = "fine-tuning needs PyTorch and onnx2torch: pip install 'aliasaudit[finetune]'"


@dataclass(frozen=True, slots=True)
class Student:
    """A PyTorch module and its trained parameters by the name of their weight.

    ``transposed`` names those that hold the transpose of the weight. ``tolerance`` is how far the module's answer may
    be from that of the file, as a share of the largest number in it.
    """

    module: Any
    parameters: Mapping[str, Any]
    transposed: frozenset[str]
    tolerance: float

    def values(self) -> dict[str, AnyArray]:
        """A copy of the trained parameters, float32, in the layout of the file."""
        found = {}
        for name, parameter in self.parameters.items():
            values = parameter.detach().cpu()
            found[name] = (values.T if name in self.transposed else values).contiguous().numpy().copy()
        return found


def require_installed() -> None:
    """Raises FinetuneError where the optional libraries are missing."""
    if find_spec("torch") is None or find_spec("onnx2torch") is None:
        raise FinetuneError(INSTALL)


def student(model: Model, weights: Mapping[str, Weight], output: str) -> Student:
    """The model as a PyTorch module that computes ``output``, in inference form: batch norms keep their statistics.

    Raises:
        FinetuneError: the graph cannot be converted, or it has no weight to train.
    """
    import numpy as np

    random = np.random.default_rng(0)
    tags = {name: random.standard_normal(weight.values.shape, np.float32) for name, weight in weights.items()}
    places = _places(_converted(model, output, tags), tags)
    module = _converted(model, output, {})
    parameters: dict[str, Any] = {}
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    for name, (path, _) in places.items():
        parameters[name] = _trainable(module, path)
    if not parameters:
        raise FinetuneError("the model has no weight that can be trained")
    half = any(weight.tensor.dtype == DataType.FLOAT16 for weight in weights.values())
    return Student(
        module,
        parameters,
        frozenset(name for name, (_, turned) in places.items() if turned),
        HALF_TOLERANCE if half else TOLERANCE,
    )


def _converted(model: Model, output: str, replaced: Mapping[str, AnyArray]) -> Any:
    """A torch.fx module. The converter raises whatever it likes, with names of the model in it."""
    copy = training_copy(model, output)
    for tensor in copy.graph.initializer:
        if tensor.name in replaced:
            fill(tensor, replaced[tensor.name])
    try:
        from onnx2torch import convert
    except Exception as error:
        raise FinetuneError(
            f"PyTorch or onnx2torch does not start ({type(error).__name__}): install it anew"
        ) from error
    try:
        module = convert(copy)
        module.graph.eliminate_dead_code()
        module.recompile()
    except Exception as error:
        raise FinetuneError("onnx2torch cannot convert this graph", _first_line(error)) from error
    return module.eval()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__


def _places(module: Any, tags: Mapping[str, AnyArray]) -> dict[str, tuple[str, bool]]:
    """For every weight that the module holds exactly once the path of its parameter, and whether it is transposed.

    The others were worked into something else by the converter and stay as they are.
    """
    by_shape: dict[tuple[int, ...], list[str]] = {}
    for name, tag in tags.items():
        by_shape.setdefault(tag.shape, []).append(name)
    found: dict[str, list[tuple[str, bool]]] = {}
    for path, held in (*module.named_parameters(), *module.named_buffers()):
        values = held.detach().cpu().numpy()
        for turned in (False, True) if values.ndim == 2 else (False,):
            seen = values.T if turned else values
            for name in by_shape.get(seen.shape, ()):
                if (seen == tags[name]).all():
                    found.setdefault(name, []).append((path, turned))
    return {name: places[0] for name, places in found.items() if len(places) == 1}


def _trainable(module: Any, path: str) -> Any:
    """The parameter at a path; a constant there becomes one."""
    import torch

    owner, _, leaf = path.rpartition(".")
    holder = module.get_submodule(owner)
    if leaf in holder._buffers:
        buffer = holder._buffers.pop(leaf)
        holder.register_parameter(leaf, torch.nn.Parameter(buffer))
    parameter = getattr(holder, leaf)
    parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    parameter.requires_grad_(True)
    return parameter
