# SPDX-License-Identifier: BSD-3-Clause
"""shows.py SIM PICTURE FIRST..LAST: worlds of the simulator, drawn in every way. Which messages cross the cut is found here a second time, from the same lines; every one of them must be in the picture, or be counted in
what it says is not drawn. Everything else is drawn, stands in a bundle, or is counted too. The seed and options that fail are printed."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sound import Picture  # noqa: E402

PROGRAMS = ("bank", "posted", "halo", "server", "replies", "gather", "jumble", "sync", "pipeline", "ring")
# More ranks than there are lines.
LARGE = ((3, "halo", 256), (8, "halo", 130))
LINES = 64
RANKS = (2, 3, 4, 4, 7, 12, 24, 31, 64)


def crossing(text):
    """Late messages and orphans of the first attempt; the ranks that they are between; how many cuts are void."""
    cut, sent, told, touched, voids = {}, {}, {}, set(), 0
    for number, line in enumerate(text.splitlines()):
        words = line.split()
        if len(words) < 7 or words[0] != "1" or not words[2].isdigit():
            continue
        rank, kind, epoch, stream, position = int(words[2]), words[3], words[4], words[5], words[6]
        if kind in ("cut", "void-cut") and epoch == "1":
            cut.setdefault(rank, number)
            voids += kind == "void-cut"
        elif kind == "send":
            sent[stream, position] = number
        elif kind == "told":
            told[stream, position] = number
    late = orphans = 0
    for key, at in sent.items():
        source, target = re.match(r"(\d+)>(\d+):", key[0]).groups()
        if key not in told:
            continue
        before = at < cut.get(int(source), sys.maxsize)
        told_before = told[key] < cut.get(int(target), sys.maxsize)
        late += before and not told_before
        orphans += told_before and not before
        if before != told_before:
            touched |= {int(source), int(target)}
    return late, orphans, touched, voids


def number_in(notes, words):
    found = [re.search(r"(\d+) " + words, note) for note in notes]
    return sum(int(match.group(1)) for match in found if match)


def main():
    sim, picture, seeds = sys.argv[1:4]
    first, last = (int(word) for word in seeds.split(".."))
    drawn = seen = 0
    worlds = [(seed, PROGRAMS[seed % len(PROGRAMS)], RANKS[seed % len(RANKS)]) for seed in range(first, last + 1)]
    for seed, program, ranks in worlds + list(LARGE):
        by = ("time", "order", "cut")[seed // 3 % 3]
        options = ["--seed", str(seed), "--calm", "--program", program, "--ranks", str(ranks), "--length", "4", "--lives", "1", "--snapshots", "2", "--trace"]
        if seed % 2:
            options += ["--overtaking", "50"]
        text = subprocess.run([sim] + options, stdout=subprocess.PIPE, check=False).stdout.decode()
        if " announce" not in text:
            continue
        how = ["--by", by]
        if seed % 5 == 1:
            how += ["--ranks", "0-2"]
        if seed % 5 == 2:
            how += ["--most", "20", "--every"]
        if seed % 5 == 3:
            how += ["--orders"]
        run = subprocess.run([picture] + how + ["-"], input=text.encode(), stdout=subprocess.PIPE, check=False)
        wrong = ["status %d" % run.returncode] if run.returncode else []
        if not wrong:
            shown = Picture(run.stdout.decode())
            wrong = shown.check(by)
            late, orphans, touched, voids = crossing(text)
            folded, folded_late = number_in(shown.notes, "messages between folded ranks"), number_in(shown.notes, "of these cross")
            left_out, late_drawn = number_in(shown.notes, "more messages within"), shown.count("late", "orphan")
            if (shown.late, shown.orphans) != (late, orphans):
                wrong.append("late %d, orphans %d, and the picture says %d, %d" % (late, orphans, shown.late, shown.orphans))
            if late_drawn + folded_late != late + orphans:
                wrong.append("%d of %d that cross the cut are drawn, %d said to be folded" % (late_drawn, late + orphans, folded_late))
            # Whoever has something that crosses has a line, before those who have not; but for few void cuts, which come first.
            if ranks > LINES and "--ranks" not in how and len(touched) + (voids if voids <= LINES else 0) < LINES and folded_late:
                wrong.append("%d that cross are folded, and %d ranks have any" % (folded_late, len(touched)))
            if shown.count("before", "after", "late", "orphan") + folded + left_out != shown.messages:
                wrong.append("%d messages, %d drawn, %d folded, %d left out" % (shown.messages, shown.count("before", "after", "late", "orphan"), folded, left_out))
            if by != "cut" and shown.count("marker") + number_in(shown.notes, "more markers") != shown.markers:
                wrong.append("markers do not add up")
            drawn += 1
            seen += late
        for problem in wrong[:5]:
            print("%s %s | %s %s -\n  %s" % (sim, " ".join(options), picture, " ".join(how), problem))
        if wrong:
            return 1
    print("%d pictures, %d messages in flight" % (drawn, seen))
    return 0 if drawn and seen else 1


if __name__ == "__main__":
    sys.exit(main())
