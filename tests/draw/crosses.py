# SPDX-License-Identifier: BSD-3-Clause
"""crosses.py SVG BY [JSON]: the picture is sound, and the messages that cross its cut are those that `seamark messages --json` has of the checkpoint, channel by channel where all of them are drawn with lines of their own."""
import collections
import json
import sys

import sound
from shows import number_in

picture = sound.Picture(open(sys.argv[1], encoding="utf-8").read())
wrong = picture.check(sys.argv[2])
if len(sys.argv) > 3:
    recorded = json.load(open(sys.argv[3], encoding="utf-8"))["in_flight"]
    if picture.late != len(recorded) or picture.orphans:
        wrong.append("%d in flight and %d orphans, and the checkpoint has %d messages" % (picture.late, picture.orphans, len(recorded)))
    drawn = collections.Counter()
    for kind, start, end, count, _, _ in picture.arrows:
        if kind == "late":
            drawn[start, end] += count
    folded = number_in(picture.notes, "of these cross")
    if sum(drawn.values()) + folded != len(recorded):
        wrong.append("%d drawn, %d folded" % (sum(drawn.values()), folded))
    has = collections.Counter((message["from"], message["to"]) for message in recorded)
    if not folded and max([arrow[3] for arrow in picture.arrows if arrow[0] == "late"] or [1]) == 1 and drawn != has:
        wrong.append("channels: drawn %s, recorded %s" % (dict(drawn), dict(has)))
for problem in wrong:
    print("%s: %s" % (sys.argv[1], problem))
sys.exit(len(wrong) > 0)
