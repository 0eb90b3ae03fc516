"""Plain values for what an ONNX file says: models, graphs, nodes, tensors.

Everything here is immutable and holds no weights: a :class:`Tensor` knows its shape, its element type and *where* its
payload lies. Names are raw strings from the file; they become :class:`auditor.text.ModelText` before anything shows
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeAlias


class ModelFormat(Enum):
    """What kind of file a model is. Of files that are not ONNX nothing is read: their runtime runs them."""

    ONNX = "ONNX"
    OPENVINO_IR = "OpenVINO IR"
    TFLITE = "TensorFlow Lite"


class PayloadKind(Enum):
    """Where the bytes of a tensor are."""

    INLINE = "inline"  # `data` holds little-endian elements in C order
    IN_FILE = "in-file"  # `offset` and `length` point into the model file itself
    EXTERNAL = "external"  # in another file, which the static audit never opens
    MISSING = "missing"  # nothing usable: no data, an unsupported encoding, or strings


@dataclass(frozen=True, slots=True)
class Payload:
    """The place of a tensor's bytes. ``location``, ``offset``, ``length`` of an EXTERNAL one are unchecked.

    ``varints`` says that the bytes of an IN_FILE one are a packed protobuf field, not little-endian elements.
    """

    kind: PayloadKind
    data: bytes = b""
    offset: int = 0
    length: int = 0
    location: str = ""
    varints: bool = False


@dataclass(frozen=True, slots=True)
class Tensor:
    """An initializer or a tensor attribute: ``dims`` in elements, ``dtype`` a ``TensorProto.DataType`` number."""

    name: str
    dims: tuple[int, ...]
    dtype: int
    payload: Payload

    @property
    def elements(self) -> int:
        """The number of elements, in unbounded Python integers; 0 when a dimension is negative."""
        count = 1
        for size in self.dims:
            count *= max(size, 0)
        return count


@dataclass(frozen=True, slots=True)
class Reference:
    """An attribute inside a local function that takes its value from the call (``ref_attr_name``)."""

    name: str


@dataclass(frozen=True, slots=True)
class Unsupported:
    """An attribute of a kind that the analysis has no use for (sparse tensors, type protos)."""

    kind: str


@dataclass(frozen=True, slots=True)
class ValueInfo:
    """A typed value. ``dims`` is None without a shape; a dimension is a size, a symbol, or None where it is open."""

    name: str
    dtype: int
    dims: tuple[int | str | None, ...] | None


@dataclass(frozen=True, slots=True)
class Node:
    """One operator call as it stands in the file. ``index`` is its position in its graph or function body."""

    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    index: int
    overload: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """A main graph or the body of If, Loop or Scan. Initializers listed among the inputs (IR 3) stay in both."""

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    initializers: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Function:
    """A model-local function. ``defaults`` are the attributes it declares with a value."""

    domain: str
    name: str
    overload: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    defaults: Mapping[str, Attribute]
    nodes: tuple[Node, ...]
    opsets: Mapping[str, int]


Attribute: TypeAlias = (
    int
    | float
    | str
    | tuple[int, ...]
    | tuple[float, ...]
    | tuple[str, ...]
    | Tensor
    | Graph
    | tuple[Graph, ...]
    | Reference
    | Unsupported
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model file without its weights. ``opsets`` maps domain (``""``: ai.onnx) to version; ``source`` is the file."""

    source: Path
    file_bytes: int
    ir_version: int
    opsets: Mapping[str, int]
    producer: str
    graph: Graph
    functions: Mapping[tuple[str, str, str], Function]
    metadata: Mapping[str, str]
    format: ModelFormat = ModelFormat.ONNX
