"""The model file as pieces: the fields of its main graph with their places in the file, so that they can be copied.

A rewrite changes a few nodes. Everything else, whatever it holds (metadata, documentation, training information,
quantisation annotations, weights of any size, fields that this program does not know), is copied byte by byte from the
source and so cannot be lost. Field numbers: onnx.proto, IR version 14.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from typing import TypeAlias

from auditor.onnxfile import FileProblem, ModelFileError
from auditor.onnxfile.graph import Model
from auditor.onnxfile.limits import DEFAULT_LIMITS, Limits
from auditor.onnxfile.wire import BudgetError, Fields, FileBytes, WireError, header

GRAPH = 7
NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO = 1, 5, 11, 12, 13
MODEL_METADATA = 14
VALUE_NAME, TENSOR_NAME = 1, 8

COPY = 1 << 20  # bytes copied at a time


@dataclass(frozen=True, slots=True)
class Span:
    """A run of bytes of the source file, ``[start, stop)``."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start


Piece: TypeAlias = bytes | Span


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: its number, all its bytes, and the span of its content (of no use for a number)."""

    number: int
    whole: Span
    body: Span


@dataclass(frozen=True, slots=True)
class Pieces:
    """The fields of the model but its graph, and the fields of the main graph, in file order.

    A file in which the graph occurs several times (protobuf merges them) is one graph here.
    """

    model: tuple[Field, ...]
    graph: tuple[Field, ...]


def split(model: Model, limits: Limits = DEFAULT_LIMITS) -> Pieces:
    """The pieces of the file that ``model`` was read from. Raises ModelFileError when it has changed since."""
    with _open(model) as file:
        data = FileBytes(file, model.file_bytes, limits.max_skeleton_bytes)
        fields = Fields(limits.max_fields)
        try:
            top = list(_fields(fields, data, Span(0, model.file_bytes)))
            graph = [part for field in top if field.number == GRAPH for part in _fields(fields, data, field.body)]
        except (WireError, BudgetError) as error:
            raise _changed() from error
    return Pieces(tuple(field for field in top if field.number != GRAPH), tuple(graph))


def _fields(fields: Fields, data: FileBytes, span: Span) -> Iterator[Field]:
    start = span.start
    for tag, a, b in fields.of(data, span.start, span.stop):
        # A number has no span: its value comes in the place of the start of its content.
        body = Span(start if tag & 7 == 0 else a, b)
        yield Field(tag >> 3, Span(start, b), body)
        start = b


class Reader:
    """Reads pieces of the source file. Use it as a context manager."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._file: FileIO | None = None

    def __enter__(self) -> Reader:
        self._file = _open(self._model)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go before the context ends. Closing twice is allowed."""
        if self._file is not None:
            self._file.close()

    def read(self, piece: Piece) -> bytes:
        """The bytes of one piece."""
        return b"".join(self.chunks(piece))

    def whole(self) -> FileBytes:
        """The whole file, to be decoded in place."""
        assert self._file is not None
        return FileBytes(self._file, self._model.file_bytes, DEFAULT_LIMITS.max_skeleton_bytes)

    def text(self, message: Span, number: int) -> str:
        """The last string field of this number in a message, without reading the others; empty where it has none."""
        found = b""
        for field in _fields(Fields(DEFAULT_LIMITS.max_fields), self.whole(), message):
            if field.number == number:
                found = self.read(field.body)
        return found.decode("utf-8", "surrogateescape")

    def chunks(self, piece: Piece) -> Iterator[bytes]:
        """The bytes of a piece, at most :data:`COPY` at a time. Raises ModelFileError when the file became shorter."""
        if isinstance(piece, bytes):
            yield piece
            return
        assert self._file is not None
        at = piece.start
        while at < piece.stop:
            self._file.seek(at)
            data = self._file.read(min(COPY, piece.stop - at))
            if not data:
                raise _changed()
            at += len(data)
            yield data


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """The same bytes in as few pieces as can be: neighbours in the file are copied together."""
    result: list[Piece] = []
    for piece in pieces:
        last = result[-1] if result else None
        if isinstance(piece, Span) and isinstance(last, Span) and last.stop == piece.start:
            result[-1] = Span(last.start, piece.stop)
        elif isinstance(piece, bytes) and isinstance(last, bytes):
            result[-1] = last + piece
        else:
            result.append(piece)
    return result


def size(pieces: Iterable[Piece]) -> int:
    """How many bytes the pieces have."""
    return sum(piece.size if isinstance(piece, Span) else len(piece) for piece in pieces)


def assemble(pieces: Pieces, graph: Iterable[Piece], after: bytes = b"") -> list[Piece]:
    """A model with the fields of ``pieces.model``, one graph made of ``graph``, and further model fields behind."""
    body = joined(graph)
    front: list[Piece] = [field.whole for field in pieces.model]
    return joined([*front, header(GRAPH, size(body)), *body, after])


def write(reader: Reader, pieces: Iterable[Piece], sink: Callable[[bytes], object]) -> None:
    """Send the bytes of all pieces to ``sink``, at most :data:`COPY` from the source at a time."""
    for piece in pieces:
        for chunk in reader.chunks(piece):
            sink(chunk)


def resized(value: bytes, sizes: Mapping[int, int]) -> bytes:
    """A ValueInfoProto with other sizes on the axes whose size it fixes."""
    from onnx import ValueInfoProto

    proto = ValueInfoProto.FromString(value)
    dims = proto.type.tensor_type.shape.dim
    for axis, size in sizes.items():
        if dims[axis].HasField("dim_value"):
            dims[axis].dim_value = size
    return bytes(proto.SerializeToString())


def _open(model: Model) -> FileIO:
    try:
        file = FileIO(model.source)
        if file.seek(0, 2) != model.file_bytes:
            file.close()
            raise _changed()
    except OSError as error:
        raise ModelFileError(FileProblem.UNREADABLE, "cannot be read any more; check its permissions") from error
    return file


def _changed() -> ModelFileError:
    return ModelFileError(FileProblem.UNREADABLE, "changed while it was read; run the command again")
