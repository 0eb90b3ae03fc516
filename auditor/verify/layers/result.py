"""What was measured at one place inside of a model."""

from __future__ import annotations

from msgspec import Struct

from auditor.codec import FloatOrNan
from auditor.onnxfile.noderef import NodeRef
from auditor.text import ModelText
from auditor.verify.layers.maps import EquivarianceMap, Spectrum


class LayerResult(Struct, frozen=True):
    """One sampling site or one spatial output, in graph order.

    ``cosine`` and ``error`` are means over the shifts that are no multiple of the ``cumulative`` factor, and ``added``
    is the error above that of the previous layer on the path (the loss this site costs). ``alias_measured`` is the
    share of the power of the real pre-sampling activations (about their mean) above the new Nyquist frequency.
    ``factor`` is the site's own subsampling factor (y, x): ``after`` lies on a grid that is coarser by it.
    """

    tensor: ModelText
    node: NodeRef | None
    site: int | None  # index into Analysis.sites
    cumulative: tuple[float | None, float | None]
    cosine: FloatOrNan
    error: FloatOrNan
    added: FloatOrNan
    map: EquivarianceMap
    alias_measured: float | None
    alias_predicted: float | None
    before: Spectrum | None
    after: Spectrum | None
    factor: tuple[FloatOrNan, FloatOrNan] | None = None
