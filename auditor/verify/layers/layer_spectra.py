"""The measured alias energy of a site: real activations at stride 1, and the share of their power that folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from auditor.onnxfile.graph import Model, Node
from auditor.onnxfile.weights import read_tensor
from auditor.sampling.result import Site, SiteKind
from auditor.verify.layers.choose import Layer
from auditor.verify.layers.maps import Spectrum
from auditor.verify.layers.presampling import average_pool, convolve, max_pool
from auditor.verify.layers.spectrum import alias_share, radial_power
from auditor.verify.worker.arena import Array

_MAX_KERNEL_BYTES = 64 << 20
# Filters of one layer have like spectra; the mean over a sample of them has settled by then.
_FILTERS = 32
_BINS = 32


@dataclass(slots=True)
class SiteSpectra:
    """One site while images are added. ``tensor`` is what it reads, ``filtered`` runs its filter at stride 1."""

    tensor: str
    factor: tuple[float, float]
    filtered: Callable[[Array], Array]
    shares: list[float] = field(default_factory=list)
    _before: list[Spectrum] = field(default_factory=list)
    _after: list[Spectrum] = field(default_factory=list)

    @staticmethod
    def of(model: Model, site: Site, layer: Layer) -> SiteSpectra | None:
        """The spectra of a site, None where its filter is not one that can be run here (another layout, no weights)."""
        node = next((one for one in model.graph.nodes if site.output.raw in one.outputs), None)
        if node is None or layer.axes != (2, 3) or min(site.factor, default=0) < 1 or len(site.factor) != 2:
            return None
        filtered = _filter(model, site, node)
        factor = float(site.factor[0]), float(site.factor[1])
        return None if filtered is None else SiteSpectra(site.input.raw, factor, filtered)

    @property
    def share(self) -> float | None:
        """The mean share over the images, 0 to 1."""
        return float(np.mean(self.shares)) if self.shares else None

    @property
    def before(self) -> Spectrum | None:
        """The mean spectrum in front of the subsampling."""
        return _mean(self._before)

    @property
    def after(self) -> Spectrum | None:
        """The mean spectrum behind it."""
        return _mean(self._after)

    def add(self, read: Array, made: Array | None = None) -> None:
        """One image: what the site reads (C, h, w) and what it makes (C', h', w'); NaN and infinity are skipped.

        Without the latter there are shares only, and no spectra.
        """
        if read.ndim != 3 or not np.isfinite(read).all() or (made is not None and not np.isfinite(made).all()):
            return
        try:
            activations = self.filtered(read[None])
            # Of the fluctuation about the mean, as the prediction is: activations behind a ReLU are mostly mean.
            self.shares.append(alias_share(activations, self.factor).varying)
            if made is not None:
                self._before.append(radial_power(activations, _BINS))
                self._after.append(radial_power(made[None], _BINS))
        except ValueError:
            return  # a map smaller than the kernel has no position where the whole kernel fits


def _filter(model: Model, site: Site, node: Node) -> Callable[[Array], Array] | None:
    if site.kind in (SiteKind.SLICE, SiteKind.GATHER, SiteKind.RESIZE_NEAREST):
        return lambda read: read
    if site.kind is SiteKind.MAX_POOL:
        return lambda read: max_pool(read, site.kernel, site.dilation)
    if site.kind is SiteKind.AVERAGE_POOL:
        return lambda read: average_pool(read, site.kernel, site.dilation)
    if site.kind in (SiteKind.CONV, SiteKind.PATCH_EMBEDDING) and node.op == "Conv":
        tensor = model.graph.initializers.get(node.inputs[1])
        kernel = read_tensor(model, tensor, _MAX_KERNEL_BYTES) if tensor is not None else None
        if kernel is None or kernel.dtype.kind != "f":
            return None
        return _convolution(kernel, site)
    return None


def _convolution(kernel: Array, site: Site) -> Callable[[Array], Array]:
    """A sample of the filters; with groups all of them, since a sample would have to keep whole groups."""
    step = 1 if site.groups > 1 else -(-len(kernel) // _FILTERS)
    return lambda read: convolve(read, kernel[::step], site.dilation, site.groups)


def _mean(spectra: list[Spectrum]) -> Spectrum | None:
    same = [one for one in spectra if one.frequencies == spectra[0].frequencies]
    if not same:
        return None
    power = np.mean([one.power for one in same], axis=0)
    return Spectrum(same[0].frequencies, tuple(power.tolist()))
