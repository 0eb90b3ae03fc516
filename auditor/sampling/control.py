"""Control flow: If, Loop and Scan. ``run(name, states)`` traces one body with the states of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from auditor.sampling.lattice.state import UNKNOWN, OpaqueError, State, anonymous, constant
from auditor.sampling.ops.index import chosen_by_data
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.join import join_windows, lost_together

Run: TypeAlias = Callable[[str, Sequence[State]], list[State]]


def if_outputs(call: Call, run: Run) -> list[State]:
    """If-21: both branches are audited, or the one that runs where constants and shapes decide the condition."""
    live = live_branch(call)
    if live is not None:
        return run(live, [])
    then, other = run("then", []), run("else", [])
    return [_either(call, a, b) for a, b in zip(then, other, strict=False)]


def live_branch(call: Call) -> str | None:
    """The branch that an If always takes, where its condition follows from constants and shapes."""
    condition = call.value(0)
    if condition is None or condition.size != 1:
        return None
    return "then" if bool(condition.reshape(-1)[0]) else "else"


def _either(call: Call, first: State, second: State) -> State:
    if first == second:
        return first
    moving = [state for state in (first, second) if not state.constant]
    if len(moving) == 1 and (first.axes is None or second.axes is None or first.shape != second.shape):
        return moving[0]
    if first.axes is None or second.axes is None:
        return lost_together([first, second])
    if first.shape != second.shape:
        raise OpaqueError("the branches of an If give different shapes")
    known = first if first.sources() else second
    windows = join_windows(call, [first, second], ["then", "else"])
    return replace(known, windows=windows, constant=first.constant and second.constant, response=None)


def loop_outputs(call: Call, run: Run) -> list[State]:
    """Loop-21: the body is traced once. A value whose grid changes from turn to turn depends on the number of turns."""
    initial = [call.state(index) for index in range(2, len(call.node.inputs))]
    results = run("body", [constant([]), constant([]), *initial])
    carried, stacked = results[1 : 1 + len(initial)], results[1 + len(initial) :]
    outputs = []
    for before, after in zip(initial, carried, strict=False):
        if before.axes is not None and after.axes is not None and _grid(before) != _grid(after) and before.sources():
            reason = "the grid changes in every turn of a Loop, so its factor depends on the number of turns"
            after = chosen_by_data(call, after, reason)
        outputs.append(after)
    return outputs + [_stacked(state) for state in stacked]


def _grid(state: State) -> object:
    return [axis for axis in state.axes or () if axis.has_source]


def _stacked(state: State) -> State:
    """Results of all turns on a new first axis, whose size is not known before the loop ran."""
    return replace(state, axes=None, response=None)


def scan_outputs(call: Call, run: Run) -> list[State]:
    """Scan-21: scan inputs lose the scanned axis inside of the body, scan outputs gain it."""
    if call.scope.opset < 9:
        raise OpaqueError("Scan of opset 8 scans batches of sequences")
    count = call.integer("num_scan_inputs", 0)
    first = len(call.node.inputs) - count
    if not 0 < count <= len(call.node.inputs):
        raise OpaqueError("Scan does not say how many inputs it scans")
    axes = call.integers("scan_input_axes") or (0,) * count
    if len(axes) != count:
        raise OpaqueError("scan_input_axes does not fit the inputs")
    inside = [call.state(index) for index in range(first)]
    scanned = anonymous(1)
    for place in range(count):
        state = call.state(first + place)
        if state.axes is None:
            inside.append(UNKNOWN)
            continue
        rank = len(state.axes)
        if not -rank <= axes[place] < rank:
            raise OpaqueError("a scanned axis is out of range")
        where = axes[place] % rank
        scanned = state.axes[where] if place == 0 else scanned
        inside.append(replace(state, axes=(*state.axes[:where], *state.axes[where + 1 :]), response=None))
    results = run("body", inside)
    places = call.integers("scan_output_axes") or ()
    stacked = []
    for place, state in enumerate(results[first:]):
        where = places[place] if place < len(places) else 0
        if state.axes is None:
            stacked.append(state)
            continue
        rank = len(state.axes) + 1
        if not -rank <= where < rank:
            raise OpaqueError("an axis of a Scan's output is out of range")
        where %= rank
        stacked.append(replace(state, axes=(*state.axes[:where], scanned, *state.axes[where:]), response=None))
    return results[:first] + stacked
