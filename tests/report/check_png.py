"""Is there something in a picture? usage: check_png.py FILE COLOURS

Reads a PNG as Chromium writes it (8 bits, RGB or RGBA, not interlaced) and
demands that many different colours, none of which covers everything.
"""
import collections
import struct
import sys
import zlib

with open(sys.argv[1], "rb") as file:
    data = file.read()
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
raw, row, seen = zlib.decompress(packed), bytearray(width * step), \
    collections.Counter()
for y in range(height):
    start = y * (width * step + 1)
    kind, line = raw[start], bytearray(raw[start + 1:start + 1 + width * step])
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
    for x in range(0, len(line), 4 * step):
        seen[bytes(line[x:x + 3])] += 1
most = seen.most_common(1)[0][1] / sum(seen.values())
print(f"{len(seen)} colours, the most common {most:.3f} of it")
sys.exit(0 if len(seen) >= int(sys.argv[2]) and most < 0.999 else 1)
