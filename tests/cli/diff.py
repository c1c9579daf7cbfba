# SPDX-License-Identifier: BSD-3-Clause
"""diff.py SEAMARK MAKE_ARRAYS SEED...: whether `seamark diff` finds the elements that make_arrays changed, all of them and no others."""
import json
import subprocess
import sys

seamark, make_arrays, seeds = sys.argv[1], sys.argv[2], sys.argv[3:]


def diff(folder, *options):
    done = subprocess.run([seamark, "diff", "--dir", folder, "--json", *options, "1", "2"], stdout=subprocess.PIPE)
    return done.returncode, json.loads(done.stdout)


wrong = 0
for seed in seeds:
    ranks, folder = str(1 + int(seed) % 4), "run-" + seed
    changed = {}
    for line in subprocess.run([make_arrays, folder, ranks, seed], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines():
        rank, count, first, apart, name = line.split(" ", 4)
        changed[int(rank), name] = int(count), int(first), apart
    status, told = diff(folder)
    found = {(each["rank"], each["region"]): each for each in told["differences"]}
    problems = [] if status == (1 if changed else 0) and told["equal"] == (not changed) else ["exit status %d" % status]
    problems += ["'%s' of rank %d" % (key[1], key[0]) for key in changed.keys() ^ found.keys()]
    for key in changed.keys() & found.keys():
        count, first, apart = changed[key]
        each = found[key]
        # JSON has nine digits.
        if (each["differ"], each["first"]["element"]) != (count, first) or (apart != "-" and abs(each["absolute"] / float(apart) - 1) > 1e-7):
            problems.append("%s: %s, not %s" % (key, each, changed[key]))
        if each["first"]["a"] == each["first"]["b"] and "complex" not in each["type"]:
            problems.append("%s: %s twice" % (key, each["first"]["a"]))
    # Every change of a float64 is at most 1.
    status, told = diff(folder, "--absolute", "1")
    problems += ["'%s' in spite of the tolerance" % each["region"] for each in told["differences"] if each["type"] == "float64" and not each["not_numbers"]]
    for problem in problems:
        print("seed %s: %s" % (seed, problem))
    wrong += len(problems)
sys.exit(wrong > 0)
