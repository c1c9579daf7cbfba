# SPDX-License-Identifier: BSD-3-Clause
"""trace_seeds.py CORPUS: inputs of fuzz_trace that no run makes: messages and meetings in a circle, counts that lead anywhere. trace_seeds.py CORPUS NAME FOLDER [FLAGS]: one input of fuzz_trace from the traces of a snapshot (the folder has rank-00000.trace and so on, at most four are taken): what follows each head, with its clock and time of day."""
import os
import struct
import sys

HEAD, SUM = 80, 8
SEND, TOLD, MARKED, CUT, ALERT, BARRIER, BARRIER_DONE, RECORDED, VERDICT, VERDICT_DONE, REBASED, OUTCOME = 1, 3, 17, 16, 13, 23, 24, 21, 29, 30, 31, 34
HUGE = 2**61 - 1


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def event(kind, peer=None, position=0, value=0, ns=1000):
    """With the one communicator if it has a peer."""
    signed = [number * 2 if number >= 0 else -number * 2 - 1 for number in (ns, position)]
    has = (3 if peer is not None else 0) | 8 | 16
    return bytes([kind, 0, has]) + varint(signed[0]) + (varint(0) + varint(peer) if peer is not None else b"") + varint(signed[1]) + varint(value)


def made_up(name, *ranks):
    whole = bytes([len(ranks) - 1])
    for number, events in enumerate(ranks):
        body = bytes([number]) + struct.pack("<Q", 10**18) + varint(0) + varint(1) + b"\5world\0" + varint(0) + varint(len(events)) + b"".join(events)
        whole += struct.pack("<H", len(body)) + body
    with open(os.path.join(sys.argv[1], name), "wb") as to:
        to.write(whole)


if len(sys.argv) == 2:
    alert, end = event(ALERT, value=1), event(OUTCOME, value=1)
    made_up("circle", [alert, event(TOLD, 1, 1), event(SEND, 1, 1), event(CUT, value=1), end], [alert, event(TOLD, 0, 1), event(SEND, 0, 1), event(CUT, value=1), end])
    made_up("told-before-sent", [alert, event(TOLD, 0, 1), event(SEND, 0, 1), event(CUT, value=1), end])
    made_up("meetings", [alert, event(BARRIER_DONE), event(BARRIER), event(VERDICT_DONE), event(VERDICT), end], [alert, event(VERDICT), event(BARRIER), event(VERDICT_DONE), event(BARRIER_DONE), end])
    bases = [part for epoch in (2, 3, 4, 5, 6, 7, 8) for part in (event(CUT, value=epoch), event(MARKED, 1, HUGE), event(REBASED, value=epoch))]
    made_up("counts", [alert, event(CUT, value=1), event(MARKED, 1, HUGE), event(SEND, 1, -HUGE)] + bases + [event(SEND, 1, HUGE), end],
            [alert, event(TOLD, 0, HUGE), event(CUT, value=1), event(RECORDED, 0, HUGE), event(TOLD, 0, -HUGE), end])
    far = 2**60 - 10**6
    made_up("times", [event(ALERT, value=1, ns=far), event(SEND, 1, 1), event(CUT, value=1), event(TOLD, 1, 1), end],
            [event(ALERT, value=1, ns=-far), event(SEND, 0, 1), event(CUT, value=1), event(TOLD, 0, 1), end])
    sys.exit(0)
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
