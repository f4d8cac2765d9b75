"""PNG as browsers write it (8 bits, RGB or RGBA): as the grey levels a camera sees; and painted."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

CHANNELS = {2: 3, 6: 4}  # by colour type


def grey(png: bytes) -> memoryview:
    """The picture's green as rows of bytes: enough to tell black from white."""
    chunks = list(_chunks(png))
    width, height, depth, colour, *_, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, interlaced) == (8, 0)
    step = CHANNELS[colour]
    packed = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    stride = width * step + 1
    above, levels = bytearray(width * step), bytearray()
    for start in range(0, height * stride, stride):
        above = _unfiltered(packed[start], packed[start + 1 : start + stride], above, step)
        levels += above[1::step]
    return memoryview(bytes(levels)).cast("B", (height, width))


def paint(width: int, height: int, colour: bytes = b"\x1d\x4e\xd8") -> bytes:
    """A picture of one colour, RGB or RGBA."""
    [kind] = [kind for kind, channels in CHANNELS.items() if channels == len(colour)]
    rows = (b"\0" + colour * width) * height
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        yield kind, png[place + 8 : place + 8 + length]
        place += length + 12


def _unfiltered(kind: int, row: bytes, above: bytearray, step: int) -> bytearray:
    """One row, by the filters of the PNG specification, 9.2."""
    result = bytearray(row)
    for i in range(len(row)):
        left = result[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        up = above[i]
        guess = (0, left, up, (left + up) // 2, _paeth(left, up, corner))[kind]
        result[i] = (row[i] + guess) & 255
    return result


def _paeth(left: int, up: int, corner: int) -> int:
    near = left + up - corner
    return min((left, up, corner), key=lambda each: abs(near - each))
