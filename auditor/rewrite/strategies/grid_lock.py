"""Grid lock: the network's grid follows the picture.

Strided layers answer differently to each shift of a picture that is no multiple of their stride. Here the picture
itself says where the network's window lies modulo the period of that grid, to a fraction of a pixel: what moves the
picture moves the window, and the network sees what it saw before. Phase and energy: :mod:`auditor.rewrite.lock.key`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from auditor.onnxfile.dtypes import DataType
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.cost import Cost
from auditor.rewrite.graph.marks import OWN, WINDOW
from auditor.rewrite.graph.parts import PREFIX
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.lock.back import add_back
from auditor.rewrite.lock.choice import Chosen, chosen
from auditor.rewrite.lock.cut import cut
from auditor.rewrite.lock.feeding import feeding
from auditor.rewrite.lock.key import width
from auditor.rewrite.lock.maps import MapBack, maps_back, move_back
from auditor.rewrite.lock.outputs import last_operator
from auditor.rewrite.lock.picture import LockedPicture, locked_picture
from auditor.rewrite.lock.places import AUTO, NONE, PlacedOutput, placed, recognised
from auditor.rewrite.lock.tables import SMOOTHING, TAPS
from auditor.rewrite.phases.averaging import WITHOUT_GRID
from auditor.rewrite.phases.pooled import holds_map
from auditor.rewrite.phases.tail_operators import TailError
from auditor.rewrite.result import Camera, Options, Padding, Step, Strategy
from auditor.rewrite.strategy import AtInput, Candidate, Survey
from auditor.sampling.result import Head, HeadKind

FIXED = (
    "before a fixed camera the grid would follow what moves, and shake all that stands still: average instead "
    "(--strategy phase-average, or window-average for boxes and maps)"
)
_UNKNOWN = (
    "an output may say where something is, in a layout that the file does not tell: name it with --places, none where "
    "it says no places"
)
_SHARES = frozenset({"Softmax", "LogSoftmax"})
_LATE = 90  # behind candidates of other strategies that cost the same


class GridLock:
    """The strategy ``grid-lock``, which works on the whole model."""

    def refusal(self, editor: GraphEditor, options: Options) -> str | None:
        """Why it does not apply, in one line; None where it does."""
        if options.camera is Camera.FIXED:
            return FIXED
        if any(part.own and WINDOW in part.name for part in editor.parts()):
            return OWN
        try:
            _plan(editor, options)
        except TailError as error:
            return str(error)
        return None

    def cost(self, editor: GraphEditor, options: Options) -> Cost:
        """What it adds: the key, and the window between pixels."""
        picture = _plan(editor, options).picture
        pixels = prod(picture.view)
        key = pixels * (2 * SMOOTHING**2 + width(picture.period))
        between = 2 * TAPS * picture.channels * pixels if picture.steps > 1 else 0
        return Cost((picture.batch or 1) * (key + between), (picture.batch or 1) * picture.channels * pixels)

    def rewrite(self, editor: GraphEditor, options: Options) -> None:
        """Edit the graph."""
        plan = _plan(editor, options)
        picture = plan.picture
        editor.note = f"grid-lock {picture.period} {options.lock.value}"
        editor.recorded.update(
            {"window": picture.sizes, "fed": picture.fed, "period": picture.period, "feeding": feeding(picture)}
        )
        readers = editor.consumers(picture.tensor)
        block = Block(editor, f"{PREFIX}lock")
        window, choice = _window(block, picture)
        first = next(part for part in editor.parts() if part in readers)
        block.insert(first, after=False)
        for reader in readers:
            editor.replace_input(reader, picture.tensor, window)
        if not picture.padded:
            editor.resize_input(picture.tensor, dict(zip(picture.axes, picture.view, strict=True)))
        add_back(editor, picture, choice, plan.outputs)
        move_back(editor, picture, choice, plan.maps)


@dataclass(frozen=True, slots=True)
class _Locked:
    """The picture with its lock, the outputs that say places, and those that are maps."""

    picture: LockedPicture
    outputs: tuple[PlacedOutput, ...]
    maps: tuple[MapBack, ...]


def _plan(editor: GraphEditor, options: Options) -> _Locked:
    """What is done. Raises TailError."""
    heads = editor.analysis.heads
    tell = any(head.kind not in WITHOUT_GRID for head in heads)
    named = options.places if options.places != AUTO else None
    picture = locked_picture(editor, options, places=named != NONE if named is not None else tell)
    reached = editor.downstream([picture.tensor])
    heads = tuple(head for head in heads if head.output.raw in reached)
    if not heads:
        raise TailError("no output of the model depends on the picture in a way that is known")
    maps = maps_back(editor, picture, heads)
    moved = {one.output for one in maps}
    if named is None and all(head.output.raw in moved or _says_no_places(editor, head) for head in heads):
        named = NONE
    layout = named or recognised(editor, picture)
    if layout is None:
        raise TailError(_UNKNOWN)
    return _Locked(picture, placed(editor, picture, layout), maps)


def _says_no_places(editor: GraphEditor, head: Head) -> bool:
    """Whether it is certain that an output does not say where in the picture something is.

    A layer that reads a flattened map may give classes as well as the places of joints; shares of one are classes.
    """
    if head.kind is HeadKind.POOLED:
        return not holds_map(editor, head.output.raw) or _are_shares(editor, head.output.raw)
    return head.kind is HeadKind.CLASS_TOKEN or (
        head.kind is HeadKind.POSITION_DEPENDENT and _are_shares(editor, head.output.raw)
    )


def _are_shares(editor: GraphEditor, output: str) -> bool:
    return last_operator(editor, output) in _SHARES


def _window(block: Block, picture: LockedPicture) -> tuple[str, tuple[Chosen, Chosen]]:
    """The nodes of the lock; what they make has the place, the type and the layout of the picture."""
    source = picture.tensor
    last = picture.channel == 3
    if last:
        (source,) = block.node("Transpose", [source], "channels", perm=[0, 3, 1, 2])
    single = source
    if picture.dtype != DataType.FLOAT:
        # Energies do not fit into half precision, nor slopes into bytes.
        (single,) = block.node("Cast", [source], "cast", to=int(DataType.FLOAT))
    choice = chosen(block, picture, single)
    between = picture.steps > 1 or (picture.padded and picture.dtype == DataType.FLOAT16)
    view = single if between else source
    if picture.padded:
        border = [0, 0, picture.border, picture.border]
        view = block.pad(view, border, border, Padding.EDGE)
    tensor = cut(block, picture, view, choice)
    if between and picture.dtype != DataType.FLOAT:
        tensor = _returned(block, picture, tensor)
    if last:
        (tensor,) = block.node("Transpose", [tensor], "channels_last", perm=[0, 2, 3, 1])
    return tensor, choice


def _returned(block: Block, picture: LockedPicture, tensor: str) -> str:
    """Numbers between pixels in the type of the picture: bytes are rounded, and stay within their range."""
    if picture.dtype == DataType.UINT8:
        (tensor,) = block.node("Round", [tensor], "rounded")
        tensor = block.clip(tensor, 0, 255, "bounded")
    return block.node("Cast", [tensor], "returned", to=picture.dtype)[0]


def _candidates(survey: Survey) -> Iterator[Candidate]:
    """The lock as the user lets it be; a search puts it in front of the best averaging itself."""
    if survey.lock is not None:
        step = Step(Strategy.GRID_LOCK, survey.lock)
        yield Candidate(step.strategy.value, (step,), survey.cost(step), place=_LATE)


STRATEGY = AtInput(
    rank=5,
    applied=GridLock(),
    candidates=_candidates,
    reads=("lock", "room", "period", "align", "margin", "places", "camera"),
    notice=(
        "a grid lock keeps every weight but changes the function: the network sees the window that the content places, "
        "so that its grid follows the picture. It is for cameras that move: before a still background, a thing that "
        "moves would move the grid. `fix --verify` tests it on your pictures before it is kept; measure it with "
        "`aliasaudit verify`"
    ),
)
