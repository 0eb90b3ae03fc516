"""Where the images of a verification come from: a folder, a labelled CSV, an array file, or a Python function.

A source is read lazily and may be read again; it yields a :class:`Picture` or, for what cannot be used, a
:class:`~auditor.verify.result.Rejected` with the reason. Nothing is dropped in silence. Pictures are not resized here.

* folder: every regular file below it in the order of its path, read by its content; linked folders are not followed.
  Sub-folders are classes: a folder named by a number is that class index, else folders count in the order of their
  names (as torchvision's ImageFolder).
* CSV (``labels``): rows ``file,label`` with or without a header; ``file`` is a path below the folder or a unique name.
* ``.npy``: (N, H, W, C), (N, C, H, W) or (N, H, W). ``.npz``: ``images`` or the only array; ``labels`` (N,) if present;
  every other array of length N is a further input of the model by its name. Only a ``.npz`` is read whole.
* ``module:function`` or ``file.py:function``: called without arguments, gives an iterable of arrays, of (array, label),
  or of mappings with ``image``, perhaps ``label``, and further inputs by name.

EXIF orientation is applied where the reader of the pipeline applies it (OpenCV), and else not, as in the usual
evaluation loaders.
"""

from __future__ import annotations

import csv
import hashlib
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from auditor.files import refuse_named_pipe
from auditor.text import ModelText
from auditor.verify.arrays import AnyArray
from auditor.verify.errors import DataError
from auditor.verify.images.folder import class_folders, walk
from auditor.verify.images.picture_file import MAX_MEGAPIXELS, FileReader, PictureError, decode, refuse_size
from auditor.verify.result import DataKind, Rejected
from auditor.verify.worker.memory import default_limit

_CHANNELS = (1, 3, 4)


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded image: ``pixels`` (h, w), or (h, w, C) of C = 1, 3 (RGB) or 4, uint8 or float on the 0..255 scale.

    ``transparent`` says that the fourth channel is opacity: a model of fewer channels gets the picture on black.

    ``group`` is the folder that holds it (a sequence of frames, a class). ``extra`` are further inputs of the model.
    ``notes`` say what libraries read otherwise in a file like this one.
    """

    name: ModelText
    pixels: AnyArray
    label: int | None = None
    group: ModelText = field(default_factory=lambda: ModelText(""))
    extra: Mapping[str, AnyArray] = field(default_factory=dict)
    transparent: bool = False
    notes: tuple[str, ...] = ()

    def digest_into(self, digest: hashlib._Hash) -> None:
        """Add shape, type and pixels to a running hash that identifies the set of images."""
        digest.update(f"{self.pixels.shape} {self.pixels.dtype.str};".encode())
        digest.update(np.ascontiguousarray(self.pixels).data)


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Images in a fixed order. ``count`` is None where only reading tells; ``notes`` say what was assumed.

    ``at`` reads the image at one place of that order, None where only reading on from the first one leads there.
    ``missing`` places come in front of the counted ones, and are known to be unusable. ``again`` opens the same source
    in another process, None where that is not possible. ``names`` identifies the list of the images, not their pixels.
    """

    kind: DataKind
    count: int | None
    notes: tuple[str, ...]
    read: Callable[[], Iterator[Picture | Rejected]]
    at: Callable[[int], Picture | Rejected] | None = None
    missing: int = 0
    again: Callable[[], ImageSource] | None = None
    names: str = ""

    @classmethod
    def listed(
        cls,
        kind: DataKind,
        count: int,
        notes: tuple[str, ...],
        at: Callable[[int], Picture | Rejected],
        first: int = 0,
        names: Iterable[str] = (),
    ) -> ImageSource:
        """``count`` images behind the ``first`` ones, which are known to be unusable, each of them read by itself."""
        digest = hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()
        return cls(kind, count, notes, lambda: (at(i) for i in range(first + count)), at, first, names=digest)

    @property
    def all_places(self) -> range | None:
        """All places, each of which can be read by itself; None where that is not so, or frames belong together."""
        if self.at is None or self.count is None or self.is_clip:
            return None
        return range(self.missing + self.count)

    @property
    def is_clip(self) -> bool:
        """Whether the images are all the frames of one clip, in the order of time."""
        return self.kind in (DataKind.FRAMES, DataKind.VIDEO)

    def __iter__(self) -> Iterator[Picture | Rejected]:
        return self.read()

    def places(self, wanted: Collection[int]) -> Iterator[tuple[int, Picture | Rejected]]:
        """The images at these places with the place, in order; others are not decoded where the source allows it."""
        if self.at is not None:
            ordered = wanted if isinstance(wanted, range) else sorted(wanted)
            return ((index, self.at(index)) for index in ordered)
        ahead = islice(self, max(wanted, default=-1) + 1)
        return ((index, image) for index, image in enumerate(ahead) if index in wanted)


def open_images(
    where: str,
    labels: Path | None = None,
    limit: int | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
    reader: FileReader = FileReader.OWN,
) -> ImageSource:
    """The images at ``where``: a folder, a ``.npy`` or ``.npz`` file, or ``module:function``.

    ``limit`` takes that many, evenly spread over the order (the first ones of a function's), so that class folders are
    all represented. ``reader`` is whose way of reading files is followed. Images of more than ``max_megapixels``
    million pixels are rejected. Raises DataError if there is nothing of the kind, and ValueError for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError("the number of images must be at least 1")
    path = Path(where)
    if path.is_dir():
        return _folder(path, labels, limit, max_megapixels, reader)
    if labels is not None:
        raise DataError("a CSV of labels belongs to a folder of images; array files and functions bring their labels")
    if path.suffix.lower() in (".npy", ".npz"):
        if not path.is_file():
            raise DataError("there is no such array file", where)
        return _arrays(path, limit, max_megapixels)
    module, colon, function = where.rpartition(":")
    if colon and function.isidentifier() and module:
        return _callable(module, function, limit, max_megapixels)
    reason = "this is none of them" if path.exists() else "there is no such folder"
    raise DataError(f"images are given as a folder, a .npy or .npz file, or module:function; {reason}", where)


def spread(count: int, limit: int | None) -> list[int]:
    """At most ``limit`` indices of 0..count-1, evenly spread, in order."""
    if limit is None or limit >= count:
        return list(range(count))
    return [index * count // limit for index in range(limit)]


# ---- folders


def _folder(
    root: Path, labels: Path | None, limit: int | None, max_megapixels: float, reader: FileReader
) -> ImageSource:
    files, beside, linked = walk(root)
    if not files:
        hint = ", only linked folders, which are not followed" if linked else ""
        raise DataError(f"the folder holds no image files{hint}", str(root))
    notes = [f"skipped {beside} non-image {'file' if beside == 1 else 'files'}"] if beside else []
    notes += [f"{linked} linked folders are not followed"] if linked else []
    missing: list[Rejected] = []
    if labels is not None:
        known, missing = _read_labels(labels, files)
    else:
        known, assumed = class_folders(files)
        notes += assumed
    chosen = [files[index] for index in spread(len(files), limit)]

    def at(index: int) -> Picture | Rejected:
        if index < len(missing):
            return missing[index]
        file = chosen[index - len(missing)]
        return load(root, file, known.get(file), max_megapixels, reader)

    names = (f"{known.get(file)} {file.as_posix()}" for file in chosen)
    return ImageSource.listed(DataKind.FOLDER, len(chosen), tuple(notes), at, len(missing), names)


def _read_labels(source: Path, files: list[Path]) -> tuple[dict[Path, int], list[Rejected]]:
    by_path = {path.as_posix(): path for path in files}
    by_name: dict[str, list[Path]] = {}
    for path in files:
        by_name.setdefault(path.name, []).append(path)
    known: dict[Path, int] = {}
    missing: list[Rejected] = []
    try:
        refuse_named_pipe(source)
        with source.open(newline="", encoding="utf-8-sig") as stream:
            lines = csv.reader(stream)
            rows = [(lines.line_num, row) for row in lines if row]
    except FileNotFoundError as error:
        raise DataError("the CSV of labels does not exist; check the path", str(source)) from error
    except OSError as error:
        raise DataError(f"the CSV of labels cannot be read: {error.strerror}", str(source)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"the CSV of labels cannot be read ({type(error).__name__})", str(source)) from error
    for position, (number, row) in enumerate(rows):
        name, label = row[0].strip(), row[1].strip() if len(row) > 1 else ""
        same = by_name.get(name, [])
        file = by_path.get(name) or (same[0] if len(same) == 1 else None)
        if not label.isdecimal():
            if position == 0 and len(row) > 1 and len(rows) > 1 and file is None:
                continue  # a header
            raise DataError(
                f"line {number} of the CSV of labels is not 'file,class index' (a whole number from 0)",
                f"{source}: {','.join(row)}",
            )
        if file is None:
            reason = "several files have this name: give the path" if same else "named in the labels, not in the folder"
            missing.append(Rejected(ModelText(name), reason))
        elif known.setdefault(file, int(label)) != int(label):
            raise DataError(f"line {number} of the CSV of labels gives a file a second class", f"{source}: {name}")
    if not known and not missing:
        raise DataError("the CSV of labels has no row 'file,class index'", str(source))
    return known, missing


def load(root: Path, file: Path, label: int | None, max_megapixels: float, reader: FileReader) -> Picture | Rejected:
    """One file of a folder, or why it is no picture. Raises DataError where Pillow is missing."""
    name = ModelText(file.as_posix())
    try:
        pixels, notes = decode(root / file, max_megapixels, reader)
    except DataError:
        raise
    except PictureError as error:
        return Rejected(name, str(error))
    except Exception as error:  # noqa: BLE001 - a decoder may fail in any way; one bad file must not end the run
        return Rejected(name, f"cannot be decoded ({type(error).__name__})")
    four = pixels.ndim == 3 and pixels.shape[2] == 4
    return Picture(name, pixels, label, ModelText(file.parent.as_posix()), transparent=four, notes=notes)


# ---- array files


def _arrays(path: Path, limit: int | None, max_megapixels: float) -> ImageSource:
    try:
        arrays = _unpacked(path) if zipfile.is_zipfile(path) else {"images": _mapped(path)}
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"the array file cannot be read ({type(error).__name__})", str(path)) from error
    key = "images" if "images" in arrays else next(iter(arrays)) if len(arrays) == 1 else None
    if key is None:
        raise DataError("an .npz with several arrays needs one that is named 'images'", str(path))
    images = arrays.pop(key)
    count = len(images) if images.ndim else 0
    if count == 0 or images.ndim not in (3, 4):
        raise DataError(f"images of shape {images.shape} are not (N, H, W, C), (N, C, H, W) or (N, H, W)", str(path))
    labels = arrays.pop("labels", None)
    if labels is not None and (labels.shape != (count,) or labels.dtype.kind not in "ui"):
        raise DataError(f"labels of shape {labels.shape} are not {count} class indices", str(path))
    extra = {name: array for name, array in arrays.items() if array.ndim and len(array) == count}
    unused = len(arrays) - len(extra)
    notes = [f"{unused} arrays of another length than the images are not used"] if unused else []
    if images.dtype.kind == "f" and float(np.max(images[0])) <= 1.0:
        notes.append("the first float image lies within 0..1, pixels are taken on the 0..255 scale: use the preset raw")
    chosen = spread(count, limit)

    def at(place: int) -> Picture | Rejected:
        index = chosen[place]
        label = None if labels is None else int(labels[index])
        others = {name: np.asarray(array[index]) for name, array in extra.items()}
        return _from_array(f"{path.name}[{index}]", images[index], label, others, max_megapixels)

    names = [path.name, f"{images.shape} {images.dtype.str}"]
    return ImageSource.listed(DataKind.ARRAYS, len(chosen), tuple(notes), at, names=names)


def _mapped(path: Path) -> AnyArray:
    array: AnyArray = np.lib.format.open_memmap(path, mode="r")
    return array


def _unpacked(path: Path) -> dict[str, AnyArray]:
    """The arrays of an ``.npz``. Raises DataError where they are larger than the memory, before they are unpacked."""
    limit = default_limit()
    with path.open("rb") as stream:
        with zipfile.ZipFile(stream) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if limit is None or size <= limit:
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as loaded:
                return {name: loaded[name] for name in loaded.files}
    raise DataError(
        f"the array file unpacks to {size / 2**30:.1f} GiB, more than the memory of this machine allows: "
        "save the images as .npy, which is read in pieces",
        str(path),
    )


def _from_array(
    name: str, array: Any, label: int | None, extra: Mapping[str, AnyArray], max_megapixels: float
) -> Picture | Rejected:
    pixels = np.asarray(array)
    called = ModelText(name)
    if pixels.dtype.kind not in "uif":
        return Rejected(called, f"values of type {pixels.dtype.kind!r} are no pixels")
    if pixels.ndim == 3 and pixels.shape[2] not in _CHANNELS and pixels.shape[0] in _CHANNELS:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in _CHANNELS) or pixels.size == 0:
        return Rejected(called, f"an array of shape {pixels.shape} is no image of 1, 3 or 4 channels")
    try:
        refuse_size(pixels.shape[0], pixels.shape[1], max_megapixels)
    except PictureError as error:
        return Rejected(called, str(error))
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        return Rejected(called, "holds values that are not finite")
    return Picture(called, pixels, label, extra=extra)


# ---- functions


def _callable(module: str, function: str, limit: int | None, max_megapixels: float) -> ImageSource:
    produce = _import(module, function)
    called = f"{module}:{function}"

    def read() -> Iterator[Picture | Rejected]:
        try:
            for index, item in enumerate(produce()):
                if index == limit:
                    return
                yield _from_item(f"{called}[{index}]", item, max_megapixels)
        except DataError:
            raise
        except (Exception, SystemExit) as error:
            raise DataError(
                f"the function that gives the images failed ({type(error).__name__})", str(error)
            ) from error

    return ImageSource(DataKind.CALLABLE, None, (), read)


def _import(module: str, function: str) -> Callable[[], Iterable[Any]]:
    import importlib
    import importlib.util

    try:
        if module.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(module).stem, module)
            if spec is None or spec.loader is None:
                raise DataError("the module of the images cannot be imported", module)
            loaded = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(loaded)
        else:
            loaded = importlib.import_module(module)
    except DataError:
        raise
    except (Exception, SystemExit) as error:
        raise DataError(f"the module of the images cannot be imported ({type(error).__name__})", str(error)) from error
    found = getattr(loaded, function, None)
    if not callable(found):
        raise DataError("the module has no function of this name that gives images", f"{module}:{function}")
    produce: Callable[[], Iterable[Any]] = found
    return produce


def _from_item(name: str, item: Any, max_megapixels: float) -> Picture | Rejected:
    label: Any = None
    extra: dict[str, AnyArray] = {}
    if isinstance(item, Mapping):
        if "image" not in item:
            return Rejected(ModelText(name), "the mapping has no 'image'")
        label = item.get("label")
        extra = {str(key): np.asarray(value) for key, value in item.items() if key not in ("image", "label")}
        item = item["image"]
    elif isinstance(item, tuple):
        if len(item) != 2:
            return Rejected(ModelText(name), f"a tuple of {len(item)} is not (image, label)")
        item, label = item
    if label is not None and not isinstance(label, int | np.integer):
        return Rejected(ModelText(name), "the label is not a class index")
    return _from_array(name, item, None if label is None else int(label), extra, max_megapixels)
