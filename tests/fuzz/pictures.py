"""Mutants of pictures: sizes and chunks of the header, bombs, metadata, files cut short, and names that lie."""

from __future__ import annotations

import io
import struct
import zlib
from random import Random

from PIL import Image

from tests.fuzz.messages import EDGES, faulty_bytes

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"eXIf", b"zTXt", b"acTL", b"fdAT", b"gAMA")
_BOMB = 1 << 22  # bytes of zeros


def picture(seed: int, size: int = 24, form: str = "PNG") -> bytes:
    """A picture of noise."""
    pixels = Random(seed).randbytes(size * size * 3)
    out = io.BytesIO()
    Image.frombytes("RGB", (size, size), pixels).save(out, form)
    return out.getvalue()


def mutated_picture(data: bytes, chance: Random) -> bytes:
    """A mutant of a PNG, or of the same picture in another format."""
    kind = chance.randrange(8)
    if kind == 0:
        return faulty_bytes(data, chance)
    if kind == 1:
        return data[: chance.randrange(len(data))]
    if kind == 2:
        return faulty_bytes(_converted(data, chance), chance)
    if kind == 3:
        return _bomb(chance)
    if kind == 4:
        return _with_metadata(data, chance)
    if kind == 5:
        return _converted(data, chance)  # its name says .png
    chunks = _chunks(data)
    if not chunks:
        return faulty_bytes(data, chance)
    if kind == 6:
        _, header = chunks[0]
        size = struct.pack(">II", chance.choice(EDGES) & 0xFFFFFFFF, chance.choice(EDGES) & 0xFFFFFFFF)
        chunks[0] = (b"IHDR", (size if chance.random() < 0.6 else header[:8]) + chance.randbytes(5))
    else:
        place = chance.randrange(len(chunks))
        name, content = chunks[place]
        chunks[place] = (chance.choice((name, *_CHUNKS)), faulty_bytes(content, chance))
        if chance.random() < 0.3:
            chunks.insert(place, chance.choice(chunks))
    return _png(chunks)


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    if not data.startswith(_SIGNATURE):
        return []
    found, place = [], len(_SIGNATURE)
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        found.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG with these chunks; their check sums are right, so that readers believe them."""
    out = bytearray(_SIGNATURE)
    for name, content in chunks:
        out += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return bytes(out)


def _bomb(chance: Random) -> bytes:
    """Little that unpacks to much: as pixels, as text beside them, or as a profile of colours."""
    zeros = zlib.compress(bytes(_BOMB), 9)
    side = chance.choice((2000, 7000, 9000, 20000, 65535))
    small = side if chance.random() < 0.5 else 4
    header = struct.pack(">II", side, small) + b"\x08\x00\0\0\0"
    extra = {b"zTXt": b"Comment\0\0" + zeros, b"iCCP": b"icc\0\0" + zeros, b"eXIf": bytes(100)}
    name = chance.choice(list(extra))
    chunks = [(b"IHDR", header), (name, extra[name]), (b"IDAT", zeros), (b"IEND", b"")]
    return _png(chunks)


def _converted(data: bytes, chance: Random) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as opened:
        opened.convert("RGB").save(out, chance.choice(FORMATS))
    return out.getvalue()


def _with_metadata(data: bytes, chance: Random) -> bytes:
    """A JPEG with EXIF data: a turned picture, a tag that points to itself, a count beyond the file."""
    count, kind = chance.choice(EDGES) & 0xFFFFFFFF, chance.randrange(20)
    entries = [
        struct.pack("<HHII", 0x0112, 3, 1, chance.randrange(12)),
        struct.pack("<HHII", chance.randrange(0x10000), kind, count, chance.choice((8, 26, 0, 0xFFFFFFFF))),
        struct.pack("<HHII", 0x8769, 4, 1, 8),
    ]
    body = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 8)
    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as opened:
        opened.convert("RGB").save(out, "JPEG")
    jpeg = out.getvalue()
    marked = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]
    return marked if chance.random() < 0.5 else faulty_bytes(marked, chance)
