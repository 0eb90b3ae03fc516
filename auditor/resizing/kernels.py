"""The kernels that are compared, and the line of code that shrinks with a low-pass in each library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec

from auditor.choices import suggestion
from auditor.pipeline.resizing import kernels
from auditor.pipeline.response import low_pass
from auditor.resizing.result import CodeLine

REFERENCE = "cv2-area"
"""The mean over the area that an output pixel covers: the least that a low-pass can do, and one argument in OpenCV."""

DEFAULT = (REFERENCE, "pil-bilinear", "pil-bicubic", "cv2-linear", "cv2-cubic", "cv2-nearest")
_WITHOUT_PILLOW = {"pil-bilinear": "torch-bilinear-aa", "pil-bicubic": "torch-bicubic-aa"}
# What each library's low-pass is called where the comparison has none of its kernels.
_USUAL = {
    "OpenCV": "cv2-area",
    "Pillow": "pil-bicubic",
    "torchvision": "torch-bilinear-aa",
    "TensorFlow": "tf-bilinear-aa",
}
_LIBRARIES = {
    "cv2": "OpenCV",
    "cv4": "OpenCV",
    "pil": "Pillow",
    "triangle": "Pillow",
    "pil11": "Pillow",
    "torch": "torchvision",
    "tv2": "torchvision",
    "tf": "TensorFlow",
    "tf1": "TensorFlow",
    "keras": "TensorFlow",
}


def chosen_kernels(named: Sequence[str], deployed: str) -> tuple[str, ...]:
    """The kernels to compare, each once: those named, else the usual ones; the deployed one and a reference with them.

    Raises:
        ValueError: there is no such kernel.
    """
    known = kernels()
    for kernel in (*named, *filter(None, [deployed])):
        if kernel not in known:
            hint = suggestion(kernel, known)
            listed = hint or f": one of {', '.join(known)}"
            raise ValueError(f"there is no resize kernel {kernel!r}{listed}")
    usual = DEFAULT if find_spec("PIL") is not None else tuple(_WITHOUT_PILLOW.get(name, name) for name in DEFAULT)
    wanted = [*(named or usual), *filter(None, [deployed])]
    if not any(map(low_pass, wanted)):
        wanted.append(REFERENCE)
    return tuple(dict.fromkeys(wanted))


def reference_of(names: Iterable[str]) -> str:
    """The kernel to hold the others against: OpenCV's area where it is among them, else the first that filters."""
    filtering = [name for name in names if low_pass(name)]
    return REFERENCE if REFERENCE in filtering else filtering[0]


def library_of(kernel: str) -> str:
    """The library with a line of code for a kernel's users; OpenCV's where theirs has none."""
    return _LIBRARIES.get(kernel.partition("-")[0], "OpenCV")


def code_lines(size: tuple[int, int] | None, agreement: Mapping[str, float], deployed: str) -> tuple[CodeLine, ...]:
    """One line for each library, that of the deployed kernel first.

    ``size`` is (height, width), None where it differs from picture to picture. ``agreement`` is that of the kernels
    that were compared: of a library's own the one that agrees best is taken.
    """
    own = library_of(deployed) if deployed else "OpenCV"
    lines = []
    for library, usual in _USUAL.items():
        compared = [name for name in agreement if library_of(name) == library and name in _CODE and low_pass(name)]
        kernel = max(compared, key=lambda name: agreement[name], default=usual)
        lines.append(CodeLine(library, kernel, _written(kernel, size), library == own and bool(deployed)))
    return tuple(sorted(lines, key=lambda line: line.library != own))


_CV2 = "cv2.resize(img, ({w}, {h}), interpolation=cv2.INTER_AREA)"
_PILLOW = "img.resize(({w}, {h}), Image.Resampling.{mode})"
_TORCHVISION = "v2.functional.resize(img, [{h}, {w}], interpolation=InterpolationMode.{mode}, antialias=True)"
_TENSORFLOW = 'tf.image.resize(img, ({h}, {w}), method="{mode}", antialias=True)'
_CODE: Mapping[str, tuple[str, str]] = {
    "cv2-area": (_CV2, ""),
    "cv4-area": (_CV2, ""),
    **{f"{pil}-{mode}": (_PILLOW, mode.upper()) for pil in ("pil", "pil11") for mode in
       ("box", "bilinear", "hamming", "bicubic", "lanczos")},
    "torch-bilinear-aa": (_TORCHVISION, "BILINEAR"),
    "torch-bicubic-aa": (_TORCHVISION, "BICUBIC"),
    "tv2-bilinear": (_TORCHVISION, "BILINEAR"),
    "tv2-bicubic": (_TORCHVISION, "BICUBIC"),
    "tf-bilinear-aa": (_TENSORFLOW, "bilinear"),
    "tf-bicubic-aa": (_TENSORFLOW, "bicubic"),
    "keras-bilinear-aa": (_TENSORFLOW, "bilinear"),
    "keras-bicubic-aa": (_TENSORFLOW, "bicubic"),
    "tf-lanczos3-aa": (_TENSORFLOW, "lanczos3"),
    "tf-lanczos5-aa": (_TENSORFLOW, "lanczos5"),
    "tf-mitchellcubic-aa": (_TENSORFLOW, "mitchellcubic"),
}  # fmt: skip


def _written(kernel: str, size: tuple[int, int] | None) -> str:
    template, mode = _CODE[kernel]
    height, width = ("height", "width") if size is None else map(str, size)
    return template.format(h=height, w=width, mode=mode)
