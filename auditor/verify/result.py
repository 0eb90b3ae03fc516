"""What a verification measured: the values that rules, reports and the merge gate read.

Everything here is plain and frozen. Shares and probabilities lie in 0..1, distances are input pixels of the model, and
``None`` stands for what was not measured, never for zero. The image is the statistical unit: ``per_image`` tuples run
over the images that were used, in the order of :attr:`DataFacts.used`, so that two verifications of the same images and
shifts can be compared pair by pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from math import isfinite
from typing import ClassVar

from msgspec import Struct

from auditor.codec import FloatOrNan
from auditor.document import Shown
from auditor.text import ModelText, count_text, plain
from auditor.verify.columns import Floats, Names
from auditor.verify.example import ClassChange, MovingBox, MovingJoints, SeenAnswer, ShownImage
from auditor.verify.interval import Interval
from auditor.verify.layers.result import LayerResult
from auditor.verify.listing import ImagesFile, Listed, Unlisted
from auditor.verify.margin import Margin
from auditor.verify.ripple import Ripple
from auditor.verify.self_test import SelfTest
from auditor.verify.split import LossSplit
from auditor.verify.time.result import TimeResult
from auditor.verify.verdict import Required

_SHOWN_MEASURES = 4


class Task(Enum):
    """What the model's output is, which decides what is measured."""

    CLASSIFICATION = "classification"
    DENSE = "dense"  # one value or class per position: segmentation, depth, restoration
    EMBEDDING = "embedding"
    DETECTION = "detection"  # boxes and scores
    KEYPOINTS = "keypoints"  # joints, landmarks
    TEXT = "text"  # a line of characters
    REGRESSION = "regression"  # numbers in a unit of their own: angles, ages, steering


class ProtocolKind(Enum):
    """How a shifted input is made from an image."""

    CROP = "crop"  # windows of one larger image
    ROLL = "roll"  # circular shift
    EMBED_BLACK = "embed-black"  # the image on a black canvas
    EMBED_INPAINT = "embed-inpaint"  # the image on a canvas filled from its own border
    SUBPIXEL = "subpixel"  # ideal circular shift by fractions of a pixel
    ZOOM = "zoom"  # scaled by one per cent
    FRAMES = "frames"  # consecutive frames of a sequence


class ShiftAt(Enum):
    """Whose pixels a shift counts."""

    MODEL = "model"  # of the model's input: the resized picture moves
    NATIVE = "native"  # of the picture as it is, before it is resized


class DataKind(Enum):
    """Where the images came from."""

    FOLDER = "folder"
    ARRAYS = "arrays"  # .npy or .npz
    CALLABLE = "callable"  # module:function
    FRAMES = "frames"  # a folder of pictures in the order of time
    VIDEO = "video"  # the frames of a video file
    BUILTIN = "builtin"  # pictures and seeded synthetic images that the package carries


class OtherRuntime(Struct, frozen=True):
    """A runtime that is not onnxruntime, and in which precision it computes, read back from the compiled model; empty
    where it does not say.
    """

    name: str
    version: str
    precision: str


class Provider(Struct, frozen=True):
    """What executed the model, read back from the runtime after the session was made.

    ``asked`` is the device setting, ``used`` the provider that holds the compute nodes (convolutions, matrix products,
    pools), or most of them. ``placement`` counts the compute nodes and ``others`` the remaining nodes per provider;
    both are empty where onnxruntime (before 1.24) does not say where its nodes are, and ``used`` is then the provider
    that the session prefers. ``onnxruntime`` is its version, empty where the model ran in another ``runtime``.
    """

    asked: str
    used: str
    placement: tuple[tuple[str, int], ...]
    others: tuple[tuple[str, int], ...]
    onnxruntime: str
    threads: int
    runtime: OtherRuntime | None = None

    @property
    def software(self) -> str:
        """The runtime and its version, and the precision where it says so."""
        if self.runtime is None:
            return f"onnxruntime {self.onnxruntime}"
        precision = f" in {self.runtime.precision}" if self.runtime.precision else ""
        return f"{self.runtime.name} {self.runtime.version}{precision}"


class Rejected(Struct, frozen=True):
    """An image that could not be used. Its name comes from the file system and is trusted no more than a model's."""

    name: ModelText
    reason: str


class DataFacts(Struct, frozen=True):
    """The images of a run. ``sha256`` is over the decoded pixels of the used ones; ``labelled`` counts labels.

    ``count`` says how many were used, where a document does not list so many; else it is None.
    """

    kind: DataKind
    used: Names
    rejected: tuple[Rejected, ...]
    labelled: int
    sha256: str
    count: int | None = None

    @property
    def images(self) -> int:
        """How many images were used."""
        return len(self.used) if self.count is None else self.count


class Perturbed(Struct, frozen=True):
    """What was measured beside the shifts: the ``name`` that a measure's protocol refers to, and what it is."""

    name: str
    meaning: str


class Shifts(Struct, frozen=True):
    """The shifts of a run: identical for every model that is given the same protocol, radius, count and seed.

    ``source`` is the size (H, W) of the image that windows are cut from and ``window`` the size that the model reads.
    ``per_image`` counts the shifted inputs of one image without the reference; ``exhaustive`` says that they are all
    shifts of the radius. ``distinct`` counts the inputs that had to be run per image, equal ones counted once. ``at``
    says whose pixels the radius, the distances and every measure in pixels count. ``factor`` is how many pixels of the
    picture are one of the model, the median over the images and both axes; None where that is not known.
    ``perturbations`` were measured beside the shifts, on further inputs.
    """

    protocol: ProtocolKind
    source: tuple[int, int]
    window: tuple[int, int]
    radius: int
    per_image: int
    distinct: int
    exhaustive: bool
    seed: int
    at: ShiftAt = ShiftAt.MODEL
    factor: float | None = None
    perturbations: tuple[Perturbed, ...] = ()

    @property
    def reach(self) -> str:
        """How far shifts go, in whose pixels, and how far that is in the other ones."""
        native = self.at is ShiftAt.NATIVE
        ours, theirs = ("picture", "model") if native else ("model", "picture")
        line = f"shifts to {self.radius} px of the {ours}"
        if self.factor is None:
            return line
        there = self.radius / self.factor if native else self.radius * self.factor
        return f"{line} ({there:.3g} px of the {theirs})"

    @property
    def counted(self) -> str:
        """Whose pixels the measures count, where they are not the model's; else empty."""
        return "every px below is one of the picture, before it is resized" if self.at is ShiftAt.NATIVE else ""


class Measure(Struct, frozen=True):
    """One number with its interval and the values per image that it is the mean of.

    ``name`` is the stable key ("consistency", "top1-change", "jaggedness", "mac", "worst-case", "accuracy", "fidelity",
    "massc", "equivariance-error", "cosine", "centre-jitter", "score-deviation", "flicker", ...). ``unit`` is "share",
    "probability", "px", "variance" (a share of one) or "ratio". ``interval`` is None where there are too few
    images for one. What is not finite in ``per_image`` marks an image for which the measure is not defined; ``images``
    counts the others. ``protocol`` is the perturbation that it is about, such as "noise:2"; empty for shifts.
    ``unlisted`` counts them where a document does not list so many; else it is None.
    """

    computed: ClassVar[tuple[str, ...]] = ("images",)

    name: str
    value: FloatOrNan
    interval: Interval | None
    unit: str
    higher_is_better: bool
    per_image: Floats
    protocol: str = ""
    unlisted: Unlisted | None = None

    @property
    def title(self) -> str:
        """The name, and the perturbation that it is about."""
        return titled(self.name, self.protocol)

    @property
    def images(self) -> int:
        """How many images the value rests on."""
        return sum(map(isfinite, self.per_image)) if self.unlisted is None else self.unlisted.known

    @property
    def all_images(self) -> int:
        """How many images there are, those included on which it could not be measured."""
        return len(self.per_image) if self.unlisted is None else self.unlisted.images


def titled(name: str, protocol: str) -> str:
    """The name of a measure, and the perturbation that it is about."""
    return f"{name}, {protocol}" if protocol else name


class CurvePoint(Struct, frozen=True):
    """A measure at one shift distance in pixels (largest of the two axes), over ``pairs`` pairs of inputs."""

    distance: FloatOrNan
    value: FloatOrNan
    interval: Interval | None
    pairs: int


class Curve(Struct, frozen=True):
    """A measure as a function of the shift distance. ``measure`` is the :attr:`Measure.name` it belongs to."""

    measure: str
    points: tuple[CurvePoint, ...]


class Track(Struct, frozen=True):
    """One answer along the path of shifts: the score of a box, the place of a joint, a number, an edit distance.

    ``values`` has one for each step. ``periodic`` is the share of their variance that repeats with ``period``, the
    cumulative subsampling factor in pixels; None where it cannot be told: too short a path, an unknown factor, or
    nothing moves.
    """

    name: str
    unit: str
    values: tuple[FloatOrNan, ...]
    period: int | None
    periodic: float | None

    @property
    def range(self) -> float:
        """From the least to the largest value."""
        return max(self.values) - min(self.values)

    @property
    def marks(self) -> tuple[int, ...]:
        """The steps at which the grid is where it was at the first."""
        return tuple(range(self.period, len(self.values), self.period)) if self.period else ()


class ImageResult(Struct, frozen=True):
    """One image: its answer without a shift and how far shifts moved it. Of the arrays the smallest useful excerpt.

    ``reference`` is the top-1 class of the unshifted input and ``score`` its probability (None outside classification).
    ``path`` are the scores of that class along the diagonal shift path and ``flips`` the share of shifts with another
    class. ``worst`` is the shift (dy, dx) whose score is lowest. ``tracks`` are the answers of other tasks along the
    path. ``class_change`` are two inputs with different classes, ``moving_box`` is the box whose score
    moves most, and ``moving_joints`` are the joints that move farthest. ``answers`` are those of all inputs that differ
    in their shift alone, of classification only.
    """

    # A page compares two models by them; in a document they would outweigh the rest.
    unwritten: ClassVar[frozenset[str]] = frozenset({"answers"})

    name: ModelText
    label: int | None
    reference: int | None
    score: float | None
    flips: FloatOrNan
    path: tuple[FloatOrNan, ...]
    worst: tuple[FloatOrNan, FloatOrNan] | None
    worst_score: float | None
    tracks: tuple[Track, ...] = ()
    class_change: ClassChange | None = None
    moving_box: MovingBox | None = None
    moving_joints: MovingJoints | None = None
    answers: tuple[SeenAnswer, ...] = ()


class OutputResult(Struct, frozen=True):
    """Everything measured on one graph output.

    ``images`` has every image, or of many those that ``listed`` names. ``columns`` then hold what it would say of each.
    """

    unwritten: ClassVar[frozenset[str]] = frozenset({"columns"})

    output: ModelText
    task: Task
    measures: tuple[Measure, ...]
    curves: tuple[Curve, ...]
    images: tuple[ImageResult, ...]
    predictions: tuple[tuple[int, int], ...]  # (class, number of images), most frequent first; classification only
    classes: int | None = None  # that the model can tell apart; classification only
    margin: Margin | None = None  # of classification and detection
    splits: tuple[LossSplit, ...] = ()  # of what shifts change: the grid's part, and border and content
    listed: Listed | None = None
    ripple: Ripple | None = None  # of a map finer than the coarsest grid
    columns: Mapping[str, Floats] = {}

    @property
    def unsteady(self) -> int:
        """How many images get another answer at one of their shifts."""
        return sum(image.flips > 0 for image in self.images) if self.listed is None else self.listed.unsteady

    @property
    def labels(self) -> Mapping[int, int]:
        """How many images have each label."""
        if self.listed is not None:
            return dict(self.listed.labels)
        return Counter(image.label for image in self.images if image.label is not None)

    @property
    def most_moved(self) -> ImageResult | None:
        """The image whose answers move most along the path; None where nothing was followed."""
        followed = [image for image in self.images if image.tracks]
        return max(followed, key=lambda image: max(track.range for track in image.tracks), default=None)

    def measure(self, name: str, protocol: str = "") -> Measure | None:
        """The measure of this name under shifts, or under a perturbation; None where it was not made."""
        return next((one for one in self.measures if (one.name, one.protocol) == (name, protocol)), None)


class Verification(Shown, Struct, frozen=True):
    """One model measured. ``incomplete`` is empty, or says in our own words why images or parts are missing.

    ``shared_batch`` counts how many inputs ran per call. ``runs`` counts inputs that were executed and ``naive_runs``
    what a loop without reuse of equal inputs would have executed. ``seconds`` is the wall time spent measuring.
    ``external`` lists (location, sha256) of external weight files. ``preset_assumed`` is the preset taken because
    nobody chose one, else empty. ``time`` is over the frames of a clip. ``shown`` are thumbnails of the images that
    changed most. ``required`` is what was asked, and whether it holds. ``images_file`` has what no report lists.
    """

    # Two runs of the same thing write equal documents.
    unwritten: ClassVar[frozenset[str]] = frozenset({"seconds", "shown"})
    computed: ClassVar[tuple[str, ...]] = ("complete",)

    provider: Provider
    data: DataFacts
    shifts: Shifts
    outputs: tuple[OutputResult, ...]
    layers: tuple[LayerResult, ...]
    self_test: SelfTest | None
    incomplete: str
    preprocessing: str
    shared_batch: int
    runs: int
    naive_runs: int
    seconds: float = 0.0
    external: tuple[tuple[ModelText, str], ...] = ()
    notes: tuple[str, ...] = ()
    preset_assumed: str = ""
    time: TimeResult | None = None
    shown: tuple[ShownImage, ...] = ()
    required: Required | None = None
    images_file: ImagesFile | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.incomplete

    def __repr__(self) -> str:
        measures = [f"{plain(one.name, 40)} {one.value:.4g}" for output in self.outputs for one in output.measures]
        more = [f"and {len(measures) - _SHOWN_MEASURES} more"] * (len(measures) > _SHOWN_MEASURES)
        facts = [*measures[:_SHOWN_MEASURES], *more, *["incomplete"] * bool(self.incomplete)]
        return f"<Verification on {count_text(self.data.images, 'image')}: {', '.join(facts) or 'no measures'}>"

    @property
    def preprocessing_words(self) -> str:
        """The preprocessing for people, and that nobody chose it."""
        if self.preset_assumed:
            return f"preprocessing assumed: {self.preset_assumed} ({self.preprocessing}); choose it with --preset"
        return f"preprocessing {self.preprocessing}"

    def measure(self, name: str, protocol: str = "") -> Measure | None:
        """The measure of this name on the first output that has it, or None where it was not made."""
        found = (output.measure(name, protocol) for output in self.outputs)
        return next((one for one in found if one is not None), None)
