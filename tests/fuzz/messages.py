"""Faults in bytes, and in the length-delimited messages that protobuf files are made of: seed in, bytes out."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

# Lengths, counts and numbers that readers get wrong: the edges of the types, and just beyond.
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)
_LARGEST = 1 << 16  # bytes that one fault adds at most


def faulty_bytes(data: bytes, chance: Random) -> bytes:
    """One to four faults that know nothing of the format."""
    mutant = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(mutant) + 1)
        kind = chance.randrange(8)
        if kind == 0 and mutant:
            mutant[place % len(mutant)] ^= 1 << chance.randrange(8)
        elif kind == 1 and mutant:
            mutant[place % len(mutant)] = chance.randrange(256)
        elif kind == 2:
            del mutant[place:]
        elif kind == 3:
            del mutant[place : place + chance.randint(1, 64)]
        elif kind == 4:
            mutant[place:place] = chance.randbytes(chance.randint(1, 64))
        elif kind == 5:
            other = chance.randrange(len(mutant) + 1)
            mutant[place:place] = mutant[other : other + chance.randint(1, 512)]
        elif kind == 6:
            number = chance.choice(EDGES).to_bytes(8, chance.choice(("little", "big")))
            width = chance.choice((1, 2, 4, 8))
            mutant[place : place + width] = number[:width]
        else:
            mutant += bytes([chance.randrange(256)]) * chance.randint(1, _LARGEST)
    return bytes(mutant)


@dataclass(frozen=True, slots=True)
class Field:
    """A length-delimited field: where its key, its content and its end are; ``parents`` are the fields around it."""

    key: int
    start: int
    end: int
    number: int
    parents: tuple[int, ...]


def fields(data: bytes, depth: int = 6) -> list[Field]:
    """The length-delimited fields of a message; content that can be read as a message is read as one, too."""
    found: list[Field] = []
    _collect(data, 0, len(data), (), depth, found)
    return found


def spliced(data: bytes, chance: Random) -> bytes:
    """A message whose fields were exchanged, repeated, left out, or put into one another.

    The lengths around the fault are right, so that readers come past them and meet it.
    """
    found = fields(data)
    if not found:
        return faulty_bytes(data, chance)
    place, other = chance.randrange(len(found)), chance.choice(found)
    target = found[place]
    content = data[target.start : target.end]
    kind = chance.randrange(6)
    if kind == 0:
        new = _field(target.number, data[other.start : other.end])
    elif kind == 1:
        new = _field(target.number, content) * chance.choice((0, 2, 3, 50))
    elif kind == 2:
        new = _field(target.number, content + data[other.key : other.end])
    elif kind == 3:
        new = _field(chance.randint(1, 24), content)
    elif kind == 4:
        new = _field(target.number, faulty_bytes(content, chance))
    else:
        nested = content
        for _ in range(chance.choice((2, 20, 200))):
            nested = _field(target.number, nested)
        new = nested
    return _replaced(data, found, target, new)


def _collect(data: bytes, start: int, end: int, parents: tuple[int, ...], depth: int, found: list[Field]) -> bool:
    """Append the fields of ``data[start:end]``; whether it is a message."""
    before = len(found)
    place = start
    while place < end:
        key_at = place
        key, place = _varint(data, place, end)
        wire = key & 7
        if key < 8 or wire not in (0, 1, 2, 5):
            break
        if wire == 2:
            length, place = _varint(data, place, end)
            if length < 0 or place + length > end:
                break
            index = len(found)
            found.append(Field(key_at, place, place + length, key >> 3, parents))
            if depth and length:
                _collect(data, place, place + length, (*parents, index), depth - 1, found)
            place += length
        else:
            place = _varint(data, place, end)[1] if wire == 0 else place + (8 if wire == 1 else 4)
            if place > end:
                break
    else:
        return True
    del found[before:]
    return False


def _varint(data: bytes, place: int, end: int) -> tuple[int, int]:
    """The number and the place behind it; -1 and a place beyond the end where there is none."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= end:
            return -1, end + 1
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    return -1, end + 1


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, content: bytes) -> bytes:
    return _number(number << 3 | 2) + _number(len(content)) + content


def _replaced(data: bytes, found: list[Field], target: Field, new: bytes) -> bytes:
    """The message with ``new`` in the place of a field, and with the lengths of all fields around it put right."""
    start, end = target.key, target.end
    for index in reversed(target.parents):
        around = found[index]
        new = _field(around.number, data[around.start : start] + new + data[end : around.end])
        start, end = around.key, around.end
    return data[:start] + new + data[end:]
