"""The grid lock: a window of the picture that its own content places modulo a period, to a fraction of a pixel.

``key`` measures where the content lies modulo the period, ``choice`` turns that into an offset, ``cut`` takes the
window there, and ``back`` adds the offset to outputs that say where something is.
"""
