"""The algebra of axis atoms: how Reshape splits and merges them."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.sampling.lattice.state import ANONYMOUS, ONE, Atom, Axis, anonymous


def fuse(atoms: Sequence[Atom]) -> tuple[Atom, ...]:
    """Merge neighbours that form one run: ``(h, S*b, n), (h, S, b) -> (h, S, n*b)``; unit atoms carry no
    information.
    """
    fused: list[Atom] = []
    for atom in atoms:
        if atom.extent == 1:
            continue
        if fused:
            last = fused[-1]
            runs_on = last.source == atom.source and (
                atom.source == ANONYMOUS or last.stride == atom.stride * atom.extent
            )
            if runs_on:
                fused[-1] = Atom(atom.source, atom.stride, last.extent * atom.extent)
                continue
        fused.append(atom)
    return tuple(fused)


def reshape(axes: Sequence[Axis], shape: Sequence[int]) -> tuple[Axis, ...] | None:
    """The axes after a row-major reshape to ``shape``; None when an atom would have to be cut unevenly.

    Works group by group: the shortest runs of input and output axes of equal size. An axis with foreign entries
    (a class token in front) survives only when it is kept whole.
    """
    result: list[Axis] = []
    source, target = 0, 0
    while source < len(axes) or target < len(shape):
        taken_from, taken_to = source, target
        left = axes[source].size if source < len(axes) else 1
        right = shape[target] if target < len(shape) else 1
        source, target = source + 1, target + 1
        while left != right:
            if left < right:
                if source >= len(axes):
                    return None
                left *= axes[source].size
                source += 1
            else:
                if target >= len(shape):
                    return None
                right *= shape[target]
                target += 1
        group = _regroup(axes[taken_from:source], shape[taken_to:target])
        if group is None:
            return None
        result += group
    return tuple(result)


def _regroup(axes: Sequence[Axis], shape: Sequence[int]) -> list[Axis] | None:
    real = [axis for axis in axes if axis.size != 1]
    if len(real) == 1 and sum(size != 1 for size in shape) == 1:
        return [real[0] if size != 1 else anonymous(1) for size in shape]
    if any(axis.before or axis.after for axis in real):
        return None
    atoms = list(fuse([atom for axis in real for atom in axis.atoms]))
    if not any(atom.source != ANONYMOUS for atom in atoms):
        return [anonymous(size) for size in shape]
    result: list[Axis] = []
    for size in shape:
        taken: list[Atom] = []
        remaining = size
        while remaining > 1:
            if not atoms:
                return None
            atom = atoms.pop(0)
            if remaining % atom.extent == 0:
                taken.append(atom)
                remaining //= atom.extent
            elif atom.extent % remaining == 0:
                inner = atom.extent // remaining
                taken.append(Atom(atom.source, atom.stride * inner if atom.source != ANONYMOUS else ONE, remaining))
                atoms.insert(0, Atom(atom.source, atom.stride, inner))
                remaining = 1
            else:
                return None
        result.append(Axis(fuse(taken)))
    return result
