"""Input averaging: the network on the picture and on copies shifted by one pixel, with the mean of its outputs.

The shifted picture lacks its first row or column, and repeats the last one. It is phase averaging in front of the
whole network: the strongest cure for jitter of one pixel, at the cost of whole passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.cost import Cost
from auditor.rewrite.graph.marks import OWN, PHASES, WINDOW
from auditor.rewrite.graph.parts import PREFIX
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type, numpy_type
from auditor.rewrite.phases.averaging import average_tail, check_heads, enter_tail, offsets
from auditor.rewrite.phases.branch import OF_SIZES, add_branches, branch_tail
from auditor.rewrite.phases.realign import shift_on
from auditor.rewrite.phases.region import WindowRegion, check_merge, region_behind
from auditor.rewrite.phases.tail import Tail, merged_tail, tail_behind
from auditor.rewrite.phases.tail_operators import TailError
from auditor.rewrite.result import Lowering, Options, Padding, Step, Strategy
from auditor.rewrite.strategy import AtInput, Candidate, Survey, product

_LABEL = "input"
_OF_INPUT = f"{PREFIX}{_LABEL}/"
_NO_DILATION = "the picture is moved, and no stride is taken away: give --lowering batch or branch"


class InputAverage:
    """The strategy ``input-average``, which works on the whole model, in the first lowering that applies."""

    def refusal(self, editor: GraphEditor, options: Options) -> str | None:
        """Why it does not apply, in one line; None where it does."""
        reasons: dict[str, str] = {}
        for words, branch in _ways(options):
            try:
                _check(editor, options, branch=branch)
            except TailError as error:
                reasons.setdefault(str(error), words)
            else:
                return None
        return "; ".join(f"{words}{reason}" for reason, words in reasons.items()) or _NO_DILATION

    def cost(self, editor: GraphEditor, options: Options) -> Cost:
        """What it adds: whole passes."""
        tensor, axes = picture_input(editor)
        count = len(offsets((2,) * len(axes), options.phases))
        branch = _branches(editor, options)
        tail = _tail(editor, tensor, options, branch=branch)
        heavy = tail.work.total
        return Cost(None if heavy is None else (count - 1) * heavy, (1 if branch else count) * tail.elements)

    def rewrite(self, editor: GraphEditor, options: Options) -> None:
        """Edit the graph."""
        tensor, axes = picture_input(editor)
        chosen = offsets((2,) * len(axes), options.phases)
        editor.note = f"input-average {options.phases.value} {len(chosen)}"
        branch = _branches(editor, options)
        tail = _tail(editor, tensor, options, branch=branch)
        readers = editor.consumers(tensor)
        first = next(part for part in editor.parts() if part in readers)
        shifts = [shift_on(editor, tensor, axes, move) for move in chosen]
        block = Block(editor, f"{PREFIX}{_LABEL}")
        shifted = _shifted(block, tensor, axes, chosen)
        if branch:
            copies = add_branches(editor, tail, [{tensor: name} for name in shifted], shifts, _LABEL)
            average_tail(editor, tail, shifts, _LABEL, tail.parts, copies)
            block.insert(first, after=False)
            return
        inside = enter_tail(editor, tail, shifts, _LABEL)
        average_tail(editor, tail, shifts, _LABEL, inside)
        joined = block.concat([tensor, *shifted], "phases")
        block.insert(first, after=False)
        for reader in readers:
            if reader in inside:
                editor.replace_input(reader, tensor, joined)


def _shifted(block: Block, tensor: str, axes: Sequence[int], moves: Sequence[Sequence[int]]) -> list[str]:
    """The copies of the picture that are moved, all but the first."""
    rank = len(block.editor.shape(tensor) or ())
    padded = block.pad(tensor, [0] * rank, [int(axis in axes) for axis in range(rank)], Padding.EDGE)
    made = []
    for move in moves[1:]:
        # Up to the last sample of the padded axis where it moves, up to the one before where it does not.
        stops = [2**31 - 1 if step else -1 for step in move]
        made.append(block.slice(padded, list(move), stops, list(axes), "shifted"))
    return made


def _ways(options: Options) -> tuple[tuple[str, bool], ...]:
    """Whether copies are branches, in the order of what is tried, with the words in front of why they are not."""
    ways = {
        Lowering.AUTO: (("", False), ("as a branch: ", True)),
        Lowering.BATCH: (("", False),),
        Lowering.BRANCH: (("", True),),
    }
    return ways.get(options.lowering, ())


def _branches(editor: GraphEditor, options: Options) -> bool:
    """Whether the lowering that applies is that of branches."""
    *others, (_, last) = _ways(options)
    for _, branch in others:
        try:
            _check(editor, options, branch=branch)
        except TailError:
            continue
        return branch
    return last


def _check(editor: GraphEditor, options: Options, *, branch: bool) -> None:
    """Raises TailError where a lowering does not apply."""
    tensor, axes = picture_input(editor)
    if any(
        part.own and (part.name.endswith(PHASES) or part.name.startswith(_OF_INPUT))
        for part in editor.consumers(tensor)
    ):
        raise TailError(OWN)
    if any(part.own and part.name.endswith(WINDOW) for part in editor.parts()):
        raise TailError("a grid lock places the window of each picture: average its input first, and lock it then")
    if numpy_type(element_type(editor, tensor)) is None:
        raise TailError("the input is no floating-point tensor")
    if editor.is_captured(tensor) or editor.is_output(tensor):
        raise TailError("a sub-graph or an output takes the input itself")
    shifts = [shift_on(editor, tensor, axes, move) for move in offsets((2,) * len(axes), options.phases)]
    tail = _tail(editor, tensor, options, branch=branch)
    if options.merges:
        check_merge(editor, _region(editor, tensor, options), tail.ends, shifts)
    if tail.outputs or not options.merges:
        check_heads(editor, tail, shifts)


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


def _region(editor: GraphEditor, tensor: str, options: Options) -> WindowRegion:
    """What stands between the picture and the merge. Its sizes may be read further behind, for no copy changes them."""
    region = region_behind(editor, [tensor], options.merge)
    if tensor not in region.live:
        return region
    own = set(region.parts)
    if any(part not in own and part.op not in OF_SIZES for part in editor.consumers(tensor)):
        raise TailError("the picture itself is read behind the merge, and would not be shifted")
    return replace(region, live=tuple(name for name in region.live if name != tensor))


def _tail(editor: GraphEditor, tensor: str, options: Options, *, branch: bool) -> Tail:
    if branch:
        tail = branch_tail(editor, [tensor], _region(editor, tensor, options))
    elif options.merges:
        tail = merged_tail(editor, [tensor], _region(editor, tensor, options))
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
    reads=("phases", "lowering", "merges"),
    notice=(
        "input averaging keeps every weight but changes the function: the outputs are the means over pictures shifted "
        "by one pixel. It costs whole passes; measure the result with `aliasaudit verify`"
    ),
    candidates=_candidates,
)
