"""The working memory of one analysis: source axes, sites and everything else the transfer functions report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from auditor.onnxfile.graph import Node
from auditor.onnxfile.metadata import origin
from auditor.onnxfile.noderef import NodeRef
from auditor.onnxfile.scopes import qualified
from auditor.sampling.lattice.state import ANONYMOUS, PLACES
from auditor.sampling.result import (
    DataDependentSampling,
    MisalignedJoin,
    PositionEncoding,
    Site,
    SizeDependentPadding,
    SourceAxis,
    Untracked,
    Upsampling,
)
from auditor.text import ModelText

if TYPE_CHECKING:
    from auditor.sampling.lattice.state import Axis
    from auditor.sampling.spectrum.replicas import Averaged
    from auditor.sampling.walk.resampled import Resampled
    from auditor.sampling.walk.scope import Scope
    from auditor.sampling.walk.stack import Stack


class Record:
    """Filled by the trace, read once at its end. Sites are addressed by index, since a later node may withdraw one.

    ``channels`` are source axes that hold channels and are no grid, whatever slides over them.
    ``live`` is the branch of an If that always runs, by the scope and the index of the node. ``made`` finds a site by
    the scope and the name of its output. ``averaged`` computes what folds at a site where its phases are averaged, and
    ``stacks`` are those that stand on the batch axis (:mod:`auditor.sampling.walk.phases`), ``summands`` the copies
    whose sum is a tensor, by its scope and name (:mod:`auditor.sampling.walk.copies`). ``resampled`` are tensors that a
    product with a resampling matrix made, by scope and name. ``held`` are the source axes of
    the grids whose places an axis lists.
    """

    def __init__(self) -> None:
        self.sources: list[SourceAxis] = []
        self.spatial: set[int] = set()
        self.channels: set[int] = set()
        self.sites: list[Site | None] = []
        self.upsamplings: list[Upsampling] = []
        self.joins: list[MisalignedJoin] = []
        self.untracked: list[Untracked] = []
        self.data_dependent: list[DataDependentSampling] = []
        self.paddings: list[SizeDependentPadding] = []
        self.encodings: list[PositionEncoding] = []
        self.held: dict[int, frozenset[int]] = {}
        self.live: dict[tuple[str, int], str] = {}
        self.made: dict[tuple[str, str], int] = {}
        self.stacks: list[tuple[Scope, Stack]] = []
        self.averaged: dict[int, Averaged] = {}
        self.summands: dict[tuple[str, str], tuple[str, ...]] = {}
        self.resampled: dict[tuple[str, str], Resampled] = {}
        self.refs: dict[int, NodeRef] = {}
        self._hidden: dict[int, tuple[int, int]] = {}
        self._places: dict[tuple[Axis, ...], int] = {}

    def source(self, name: str, axis: int, size: int, assumed: bool) -> int:
        """Registers one axis of a network input and returns its index."""
        self.sources.append(SourceAxis(ModelText(name), axis, size, assumed))
        return len(self.sources) - 1

    def places(self, pieces: tuple[Axis, ...]) -> int:
        """The source that stands for the places of several grids side by side; the same for the same pieces."""
        found = self._places.get(pieces)
        if found is None:
            found = self._places[pieces] = PLACES - len(self._places)
            inside = {atom.source for axis in pieces for atom in axis.atoms if atom.source != ANONYMOUS}
            self.held[found] = frozenset().union(*(self.held.get(source, {source}) for source in inside))
        return found

    def ref(self, path: str, node: Node, order: int) -> NodeRef:
        """The reference that findings carry; made only for nodes that somebody talks about."""
        ref = self.refs.get(order)
        if ref is None:
            ref = NodeRef(
                name=ModelText(qualified(path, node)),
                op=ModelText(node.op),
                scope=ModelText(path),
                output=ModelText(node.outputs[0] if node.outputs else ""),
                order=order,
                origin=origin(node),
            )
            self.refs[order] = ref
        return ref

    def assumed(self, source: int) -> bool:
        """Whether the file leaves the size of this source axis open."""
        return source >= 0 and self.sources[source].assumed

    def lose(self, node: NodeRef, tensor: str, reason: str) -> int:
        """Opens an untracked region and returns its index."""
        self.untracked.append(Untracked(node, ModelText(tensor), reason, 0, 0))
        return len(self.untracked) - 1

    def hide(self, region: int, *, strided: bool) -> None:
        """Counts one more node behind an untracked region."""
        nodes, sites = self._hidden.get(region, (0, 0))
        self._hidden[region] = (nodes + 1, sites + strided)

    def regions(self) -> tuple[Untracked, ...]:
        """The untracked regions with what they hide."""
        return tuple(
            replace(
                region,
                hidden_nodes=self._hidden.get(index, (0, 0))[0],
                hidden_strided=self._hidden.get(index, (0, 0))[1],
            )
            for index, region in enumerate(self.untracked)
        )

    def remove_sites(self, indices: tuple[int, ...]) -> list[NodeRef]:
        """Withdraws sites that turned out to be parts of a larger pattern; returns their nodes."""
        removed = []
        for index in indices:
            site = self.sites[index]
            if site is not None:
                removed.append(site.node)
                self.sites[index] = None
        return removed

    def samples_twice(self) -> bool:
        """Whether sites that are alike sample a grid at different phases."""
        offsets: dict[tuple[object, ...], object] = {}
        alike = [site for site in self.sites if site is not None]
        keys = [(site.kind, site.factor, site.cumulative, site.sources) for site in alike]
        return any(offsets.setdefault(key, site.offset) != site.offset for key, site in zip(keys, alike, strict=True))

    def is_spatial(self, source: int | None) -> bool:
        return source is None or source in self.spatial
