# SPDX-License-Identifier: BSD-3-Clause
"""seeds.py CHECKPOINT CORPUS: the first files of a corpus, from a checkpoint that make_checkpoints made (folder 0000001.L01 of 2 ranks)."""
import os
import struct
import sys

PAGE = 4096
checkpoint, corpus = sys.argv[1:]


def put(harness, name, data):
    os.makedirs(os.path.join(corpus, harness), exist_ok=True)
    with open(os.path.join(corpus, harness, name), "wb") as file:
        file.write(data)


def pages(image):
    """As fuzz_image.c reads them."""
    result = b""
    for at in range(0, len(image), PAGE):
        page = image[at:at + PAGE].rstrip(b"\0")
        if at == 0:  # the checksum at its end is made anew
            page = image[:PAGE - 8].rstrip(b"\0")
        result += struct.pack("<H", len(page)) + page
    return result


with open(os.path.join(checkpoint, "manifest.json"), "rb") as file:
    manifest = file.read()
put("manifest", "whole", manifest)
put("manifest", "referring", manifest.replace(b'"parents": []', b'"parents": [\n    {\n      "number": 0,\n      "life": 1\n    }\n  ]'))
with open(os.path.join(checkpoint, "rank-00000.smk"), "rb") as file:
    image = bytearray(file.read())
offset, size = struct.unpack_from("<QQ", image, 136)
content, = struct.unpack_from("<Q", image, 160)
index = image[offset:offset + size]
chunks, table = struct.unpack_from("<QQ", index, 8)
struct.pack_into("<Q", image, 48, 2)
for i in range(chunks):
    struct.pack_into("<Q", image, offset + 32 + table + i * 96 + 56, 2)
for flags in 0, 1, 2, 4, 8:
    put("image", "whole-%d" % flags, bytes([flags]) + pages(image))
record = offset + 32 + table + (chunks - 2) * 96
at, length = struct.unpack_from("<Q", image, record + 80)[0], struct.unpack_from("<Q", image, record + 24)[0]
put("index", "record", b"\1" + image[at:at + length])
# The first region's 64 bytes by each codec, as they lie in the file: none; LZ4 (a letter, a match of 58, five letters); Zstandard (a frame of one block of one letter).
entry = offset + 32 + table
place, = struct.unpack_from("<Q", image, entry + 80)
zstd = b"\x28\xb5\x2f\xfd\x20\x40" + struct.pack("<I", 64 << 3 | 1 << 1 | 1)[:3] + b"A"
for codec, stored in (1, b""), (2, b"\x1fA\1\0\x27\x50AAAAA"), (3, zstd):
    coded = bytearray(image)
    struct.pack_into("<I", coded, entry + 4, codec)
    struct.pack_into("<Q", coded, entry + 24, len(stored))
    coded[place:place + 64] = stored + bytes(64 - len(stored))
    if not stored:
        struct.pack_into("<Q", coded, entry + 80, 0)
    put("image", "codec-%d" % codec, b"\0" + pages(coded))
# Two ranks in the file, with the same image.
both = bytearray(image)
struct.pack_into("<I", both, 96, 2)
both[192:256] = both[128:192]
struct.pack_into("<I", both, 192, 1)
put("image", "two-ranks", b"\0" + pages(both))
# The first regions lie in the parent, which has the same.
for i in range(chunks - 2):
    struct.pack_into("<Q", image, offset + 32 + table + i * 96 + 56, 1)
put("image", "referring", b"\0" + pages(image))
# Of checkpoint 70, life 2, step 5, as fuzz_index.c has it.
index = bytearray(index)
for i in range(chunks):
    entry = 32 + table + i * 96
    struct.pack_into("<Q", index, entry + 56, 70)
    struct.pack_into("<I", index, entry + 64, 2)
put("index", "index", b"\0" + struct.pack("<Q", content) + index)
for i in range(chunks - 2):
    struct.pack_into("<Q", index, 32 + table + i * 96 + 56, 60)
put("index", "index-referring", b"\0" + struct.pack("<Q", content) + index)
