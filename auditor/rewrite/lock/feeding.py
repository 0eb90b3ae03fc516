"""What pictures a locked model takes, in words for those who feed it."""

from __future__ import annotations

from auditor.rewrite.lock.picture import LockedPicture


def feeding(picture: LockedPicture) -> str:
    """How to feed the model; empty where it takes what it took before."""
    if picture.padded:
        return ""
    if any(picture.open):
        return (
            f"feed pictures that are {picture.room} pixels larger on each side than before, at the scale that they "
            f"had: the network reads a window that is {picture.room} pixels smaller than the picture"
        )
    read, fed = (_size(sizes) for sizes in (picture.sizes, picture.view))
    return (
        f"feed {fed} pixels instead of {read}, at the same scale: resize pictures as before, and crop {fed} where "
        f"{read} was cropped; where they were resized to the size of the input, resize them to so much more"
    )


def _size(sizes: tuple[int, int]) -> str:
    return f"{sizes[0]}x{sizes[1]}"
