"""What a user can say about a verification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from auditor.verify.images.preprocess import DEFAULT_PRESET, ImageLayout, Preprocessing, preset
from auditor.verify.perturbation import Perturbation
from auditor.verify.result import ProtocolKind, Task
from auditor.verify.shifts.plan import ShiftSettings
from auditor.verify.shifts.protocols import DEFAULT_FRACTIONS, DEFAULT_ZOOMS
from auditor.verify.worker.device import Device, DeviceKind
from auditor.verify.worker.limits import RunLimits
from auditor.verify.worker.runtime import Runtime

DEFAULT_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class ReferenceReading:
    """How the reference model is read where that is not as the model under test is.

    ``preprocessing``, ``size``, ``layout`` and ``decoding`` are those of :class:`VerifySettings`, None for the same.
    ``surround`` is that of its windows.
    ``first_class`` is its class that is class 0 of the model under test. ``measured``: it is measured by itself, too.
    ``runtime`` runs it, None for that of its format.
    """

    preprocessing: Preprocessing | None = None
    size: tuple[int, int] | None = None
    layout: ImageLayout | None = None
    decoding: str | None = None
    surround: int = 0
    first_class: int = 0
    measured: bool = False
    runtime: Runtime | None = None


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """How a model is measured.

    ``radius`` is the largest shift in pixels; None is 32, and less for inputs under 224 px, so that the windows
    keep seven eighths of the picture as in the published protocol. It replaces the radius of ``shifts``.
    ``preprocessing`` is brought to the layout, type and channels of the model's input; ``preset_assumed`` says that
    nobody chose it. ``told`` says what the model's file told of it, and ``open_size`` (H, W) is what that says of sides
    that the model leaves open. ``perturbations`` are measured beside the shifts of the protocol.
    ``period`` is the shift after which every grid lies as before, None to take the model's cumulative factor.
    ``native``: shifts are whole pixels of the picture, before it is resized; with
    ``native_if_needed`` they are also where a reference sees other parts of the picture. ``size`` (H, W) is
    for models that leave it open. ``image_input`` and ``output`` name tensors where shapes do not tell; ``feeds``
    are constants for further inputs. ``decoding`` names the layout of the outputs, or is "auto". Boxes count from
    the score ``box_score`` on. ``layer_images`` is on how many images the layers are measured, 0 for not at all.
    ``self_test_images`` get their unshifted input a second time. ``confidence`` is that of all intervals.
    ``thumbnails``: pictures of the images that change most are made for a page.
    ``reference`` is a model to agree with, run on the same windows, and ``reference_reading`` how it is read.
    ``surround``: another model beside this one reads so many pixels more on each side of the same windows.
    ``jobs`` processes measure images at once, or the cluster ``ray``.
    ``allow_domains`` and ``custom_ops`` let foreign operators in. ``runtime`` is None for that of the file's format.
    """

    preprocessing: Preprocessing = field(default_factory=lambda: preset(DEFAULT_PRESET))
    preset_assumed: bool = False
    open_size: tuple[int, int] | None = None
    told: str = ""
    protocol: ProtocolKind = ProtocolKind.CROP
    perturbations: tuple[Perturbation, ...] = ()
    period: int | None = None
    native: bool = False
    native_if_needed: bool = False
    radius: int | None = None
    shifts: ShiftSettings = field(default_factory=ShiftSettings)
    embedded: float = 0.5
    fractions: tuple[tuple[float, float], ...] = DEFAULT_FRACTIONS
    zooms: tuple[float, ...] = DEFAULT_ZOOMS
    size: tuple[int, int] | None = None
    surround: int = 0
    layout: ImageLayout | None = None
    channels: int | None = None
    task: Task | None = None
    image_input: str | None = None
    output: str | None = None
    feeds: Mapping[str, float] = field(default_factory=dict)
    decoding: str | None = None
    box_score: float = DEFAULT_SCORE
    layer_images: int = 4
    self_test_images: int = 8
    thumbnails: bool = False
    confidence: float = 0.95
    device: Device = field(default_factory=lambda: Device(DeviceKind.AUTO))
    threads: int = 1
    jobs: int = 1
    ray: str | None = None
    limits: RunLimits = field(default_factory=RunLimits)
    reference: Path | None = None
    reference_reading: ReferenceReading = field(default_factory=ReferenceReading)
    allow_domains: frozenset[str] = frozenset()
    custom_ops: tuple[Path, ...] = ()
    runtime: Runtime | None = None

    @property
    def shared(self) -> bool:
        """Whether further processes measure images."""
        return self.jobs > 1 or self.ray is not None
