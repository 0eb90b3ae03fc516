"""Input averaging: the network on the picture and on copies shifted by one pixel, with the mean of its outputs.

The shifted picture lacks its first row or column, and repeats the last one. It is phase averaging in front of the
whole network: the strongest cure for jitter of one pixel, at the cost of whole passes.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.cost import Cost
from auditor.rewrite.graph.marks import OWN, PHASES, WINDOW
from auditor.rewrite.graph.parts import PREFIX
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type, numpy_type
from auditor.rewrite.phases.averaging import average_tail, check_heads, enter_tail, offsets
from auditor.rewrite.phases.realign import shift_on
from auditor.rewrite.phases.region import check_merge, region_behind
from auditor.rewrite.phases.tail import Tail, merged_tail, tail_behind
from auditor.rewrite.phases.tail_operators import TailError
from auditor.rewrite.result import Options, Padding, Step, Strategy
from auditor.rewrite.strategy import AtInput, Candidate, Survey, product

_LABEL = "input"


class InputAverage:
    """The strategy ``input-average``, which works on the whole model."""

    def refusal(self, editor: GraphEditor, options: Options) -> str | None:
        """Why it does not apply, in one line; None where it does."""
        try:
            tensor, axes = picture_input(editor)
            if any(part.own and part.name.endswith(PHASES) for part in editor.consumers(tensor)):
                raise TailError(OWN)
            if any(part.own and part.name.endswith(WINDOW) for part in editor.parts()):
                raise TailError(
                    "a grid lock places the window of each picture: average its input first, and lock it then"
                )
            if numpy_type(element_type(editor, tensor)) is None:
                raise TailError("the input is no floating-point tensor")
            if editor.is_captured(tensor) or editor.is_output(tensor):
                raise TailError("a sub-graph or an output takes the input itself")
            shifts = [shift_on(editor, tensor, axes, move) for move in offsets((2,) * len(axes), options.phases)]
            tail = _tail(editor, tensor, options)
            if options.merges:
                check_merge(editor, region_behind(editor, [tensor], options.merge), tail.ends, shifts)
            if tail.outputs or not options.merges:
                check_heads(editor, tail, shifts)
        except TailError as error:
            return str(error)
        return None

    def cost(self, editor: GraphEditor, options: Options) -> Cost:
        """What it adds: whole passes."""
        tensor, axes = picture_input(editor)
        count = len(offsets((2,) * len(axes), options.phases))
        tail = _tail(editor, tensor, options)
        heavy = tail.work.total
        return Cost(None if heavy is None else (count - 1) * heavy, count * tail.elements)

    def rewrite(self, editor: GraphEditor, options: Options) -> None:
        """Edit the graph."""
        tensor, axes = picture_input(editor)
        chosen = offsets((2,) * len(axes), options.phases)
        editor.note = f"input-average {options.phases.value} {len(chosen)}"
        readers = editor.consumers(tensor)
        shifts = [shift_on(editor, tensor, axes, move) for move in chosen]
        tail = _tail(editor, tensor, options)
        inside = enter_tail(editor, tail, shifts, _LABEL)
        average_tail(editor, tail, shifts, _LABEL, inside)
        shape = editor.shape(tensor) or ()
        block = Block(editor, f"{PREFIX}{_LABEL}")
        begin = [0] * len(shape)
        end = [int(axis in axes) for axis in range(len(shape))]
        padded = block.pad(tensor, begin, end, Padding.EDGE)
        shifted = [tensor]
        for move in chosen[1:]:
            # Up to the last sample of the padded axis where it moves, up to the one before where it does not.
            stops = [2**31 - 1 if step else -1 for step in move]
            shifted.append(block.slice(padded, list(move), stops, list(axes), "shifted"))
        joined = block.concat(shifted, "phases")
        first = next(part for part in editor.parts() if part in readers)
        block.insert(first, after=False)
        for reader in readers:
            if reader in inside:
                editor.replace_input(reader, tensor, joined)


def picture_input(editor: GraphEditor) -> tuple[str, tuple[int, ...]]:
    """The one input that is a picture, with its spatial axes. Raises TailError."""
    found: dict[str, list[int]] = {}
    for index in sorted(editor.analysis.spatial):
        source = editor.analysis.sources[index]
        found.setdefault(source.input.raw, []).append(source.axis)
    if len(found) != 1:
        raise TailError("the model has no input that is a picture" if not found else "the model has several pictures")
    ((name, axes),) = found.items()
    if 0 in axes or len(editor.shape(name) or ()) < 3:
        raise TailError("the input has no batch axis and channels beside its grid")
    return name, tuple(axes)


def _tail(editor: GraphEditor, tensor: str, options: Options) -> Tail:
    if options.merges:
        region = region_behind(editor, [tensor], options.merge)
        if tensor in region.live:
            raise TailError("the picture itself is read behind the merge, and would not be shifted")
        tail = merged_tail(editor, [tensor], region)
    else:
        tail = tail_behind(editor, [tensor])
    if any(map(editor.is_dynamic, tail.entering)):
        raise TailError("another input meets the picture in the network")
    return tail


def _candidates(survey: Survey) -> Iterator[Candidate]:
    shifted, last = Step(Strategy.INPUT_AVERAGE), Step(Strategy.PHASE_AVERAGE)
    cost = survey.cost(shifted)
    yield Candidate("input-average", (shifted,), cost, place=1)
    name = "input-average and phase-average at the last site"
    yield Candidate(name, (last, shifted), product(survey.cost(last), cost), place=2)


STRATEGY = AtInput(
    rank=4,
    applied=InputAverage(),
    reads=("phases", "merges"),
    notice=(
        "input averaging keeps every weight but changes the function: the outputs are the means over pictures shifted "
        "by one pixel. It costs whole passes; measure the result with `aliasaudit verify`"
    ),
    candidates=_candidates,
)
