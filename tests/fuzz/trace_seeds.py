# SPDX-License-Identifier: BSD-3-Clause
"""trace_seeds.py CORPUS NAME FOLDER [FLAGS]: one input of fuzz_trace from the traces of a snapshot (the folder has rank-00000.trace and so on, at most four are taken): what follows each head, with its clock and time of day."""
import os
import struct
import sys

HEAD, SUM = 80, 8
corpus, name, folder = sys.argv[1:4]
flags = int(sys.argv[4]) if len(sys.argv) > 4 else 0
files = sorted(file for file in os.listdir(folder) if file.startswith("rank-"))[:4]
whole = bytes([len(files) - 1 | flags])
for file in files:
    with open(os.path.join(folder, file), "rb") as opened:
        data = opened.read()
    body = data[:-SUM] if flags & 16 and file == files[0] else data[64:65] + data[72:80] + data[HEAD:-SUM]
    whole += struct.pack("<H", len(body)) + body
os.makedirs(corpus, exist_ok=True)
with open(os.path.join(corpus, name), "wb") as to:
    to.write(whole)
