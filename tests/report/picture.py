"""What is to be seen in a picture: a PNG as Chromium writes it (8 bits, RGB or
RGBA, not interlaced).
"""
import struct
import zlib


def rows_of(data):
    """Yield each row as bytes, and the size of a pixel."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(
                ">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        at += 12 + size
    assert depth == 8 and colour in (2, 6) and interlace == 0, "another PNG"
    step = 3 if colour == 2 else 4
    raw, row = zlib.decompress(packed), bytearray(width * step)
    for y in range(height):
        start = y * (width * step + 1)
        kind, line = raw[start], bytearray(
            raw[start + 1:start + 1 + width * step])
        for i in range(len(line)):
            left = line[i - step] if i >= step else 0
            up = row[i]
            corner = row[i - step] if i >= step else 0
            if kind == 1:
                line[i] = (line[i] + left) & 255
            elif kind == 2:
                line[i] = (line[i] + up) & 255
            elif kind == 3:
                line[i] = (line[i] + (left + up) // 2) & 255
            elif kind == 4:
                p = left + up - corner
                a, b, c = abs(p - left), abs(p - up), abs(p - corner)
                line[i] = (line[i] + (left if a <= b and a <= c else
                                      up if b <= c else corner)) & 255
        row = line
        yield line, step


def look(data):
    """How many pixels have a colour, not a grey; how many colours there are; and
    how light it is in the mean, of 255."""
    coloured, light, count, seen = 0, 0, 0, set()
    for line, step in rows_of(data):
        for x in range(0, len(line), step):
            red, green, blue = line[x:x + 3]
            light += red + green + blue
            count += 3
            if max(red, green, blue) - min(red, green, blue) > 40:
                coloured += 1
                seen.add((red, green, blue))
    return coloured, len(seen), light / count
