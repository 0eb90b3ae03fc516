"""Low-pass kernels that know the stride, and how they keep the centre of a lattice.

At stride 2 a kernel of m taps is row m of Pascal's triangle (Zhang, "Making Convolutional Networks Shift-Invariant
Again", ICML 2019). Binomials of at most seven taps filter next to nothing at strides of 4 and more, so that at stride
``s`` each factor ``[1, 1]`` becomes a box of ``s`` taps: a B-spline of the same order, with zeros at every frequency
that folds to a constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditor.rewrite.result import Kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TAPS = {
    Kernel.IDENTITY: 1,
    Kernel.RECT2: 2,
    Kernel.TRI3: 3,
    Kernel.BIN4: 4,
    Kernel.BIN5: 5,
    Kernel.BIN6: 6,
    Kernel.BIN7: 7,
}


def length(kernel: Kernel, stride: int) -> int:
    """The number of taps along an axis with this stride; 1, which is no filter, where the stride is 1."""
    return (_TAPS[kernel] - 1) * (stride - 1) + 1


def taps(kernel: Kernel, stride: int) -> NDArray[np.float64]:
    """The taps along one axis; they sum to 1."""
    import numpy as np

    line = np.ones(1)
    for _ in range(_TAPS[kernel] - 1):
        line = np.convolve(line, np.full(stride, 1 / stride))
    return line


def low_pass(kernel: Kernel, strides: Sequence[int], blend: float = 1.0) -> NDArray[np.float64]:
    """The separable kernel for these strides, one axis each: ``blend`` times the low-pass plus the rest at the centre.

    Raises ValueError for a partial blend of a kernel with an even number of taps, which has no centre.
    """
    import numpy as np

    whole: NDArray[np.float64] = np.ones(())
    for step in strides:
        whole = np.multiply.outer(whole, taps(kernel, step))
    if blend != 1.0:
        if any(size % 2 == 0 for size in whole.shape):
            raise ValueError("an even kernel has no centre to blend with")
        whole = blend * whole
        whole[tuple(size // 2 for size in whole.shape)] += 1 - blend
    return whole
