"""Models with one or two faults of the kinds that fuzzers and broken exporters make."""

from __future__ import annotations

import random
from collections.abc import Iterator

import onnx
from onnx import NodeProto, helper

_NAMES = """
Conv MaxPool AveragePool Add Mul Concat Reshape Transpose Slice Pad Resize Gemm MatMul Softmax ReduceMean
Split Gather Expand Squeeze Unsqueeze Flatten GlobalAveragePool BatchNormalization Relu Identity Shape Cast
TopK Where Einsum Tile CumSum GridSample LayerNormalization Attention DepthToSpace LSTM If NonZero
ConstantOfShape Upsample
"""


def mutants(model: onnx.ModelProto, seed: int, count: int) -> Iterator[onnx.ModelProto]:
    """So many mutants of a model, the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        mutant = onnx.ModelProto()
        mutant.CopyFrom(model)
        for _ in range(chance.randint(1, 2)):
            if mutant.graph.node:
                _mutate(mutant, chance.choice(list(mutant.graph.node)), chance)
        yield mutant


def _mutate(model: onnx.ModelProto, node: NodeProto, chance: random.Random) -> None:
    tensors = [name for part in model.graph.node for name in (*part.input, *part.output)] or [""]
    kind = chance.randrange(12)
    if kind == 0 and node.input:
        del node.input[chance.randrange(len(node.input)) :]
    elif kind == 1 and node.output:
        del node.output[chance.randrange(len(node.output)) :]
    elif kind == 2 and node.attribute:
        del node.attribute[chance.randrange(len(node.attribute))]
    elif kind == 3:
        node.op_type = chance.choice(_NAMES.split())
    elif kind == 4 and node.input:
        node.input[chance.randrange(len(node.input))] = chance.choice([*tensors, "", "nowhere"])
    elif kind == 5 and node.attribute:
        attribute = chance.choice(list(node.attribute))
        values = [chance.choice([-1, 0, 1, 2, 3, 1 << 40]) for _ in range(chance.randint(0, 5))]
        attribute.CopyFrom(helper.make_attribute(attribute.name, values, attr_type=onnx.AttributeProto.INTS))
    elif kind == 6 and node.attribute:
        attribute = chance.choice(list(node.attribute))
        attribute.CopyFrom(helper.make_attribute(attribute.name, chance.choice([-7, 0, 1, "edge", 0.5])))
    elif kind == 7:
        node.input.append(chance.choice(tensors))
    elif kind == 8 and model.graph.initializer:
        tensor = chance.choice(list(model.graph.initializer))
        tensor.dims[:] = [chance.choice([0, 1, 2, 3, 8]) for _ in range(chance.randint(0, 5))]
    elif kind == 9 and model.graph.input:
        shape = model.graph.input[0].type.tensor_type.shape
        del shape.dim[chance.randint(0, len(shape.dim)) :]
    elif kind == 10:
        node.domain = chance.choice(["com.microsoft", "ai.onnx.ml", "nobody"])
    elif model.opset_import:
        model.opset_import[0].version = chance.choice([1, 5, 7, 9, 11, 13, 18, 21])
