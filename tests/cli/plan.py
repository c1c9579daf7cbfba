# SPDX-License-Identifier: BSD-3-Clause
"""plan.py SEAMARK SEED...: runs are played with lives, checkpoints, failures and stops at random, and their histories written; what `seamark plan` says of them is what
was played, and the formulas are as they were published."""
import datetime
import json
import math
import os
import random
import subprocess
import sys
import xml.etree.ElementTree

RUN = "ab0102030405060708090a0b0c0d0e0f"


def moment(seconds):
    whole = datetime.datetime.fromtimestamp(seconds // 1, datetime.timezone.utc)
    return whole.strftime("%Y-%m-%dT%H:%M:%S") + ".%09dZ" % round(seconds % 1 * 1e9)


def near(what, seen, wanted, by=1e-6):
    if seen is None or wanted is None:
        assert seen is wanted, "%s: %r, not %r" % (what, seen, wanted)
        return
    assert abs(seen - wanted) <= by * max(1, abs(wanted)), "%s: %r, not %r" % (what, seen, wanted)


def moved(mean, value):
    return value if mean is None else mean + (value - mean) / 8


class Played:
    """A run as it went: the clock, and how far the computing had come."""

    def __init__(self, dice):
        self.now, self.lines, self.saved = 1.7e9, [], {0: 0.0}
        self.kept, self.number, self.cost, self.durable, self.mean = [0], 0, None, None, None
        self.lives = self.failures = self.stops = self.commits = 0
        self.lost = self.paid = self.between = self.lived = 0.0
        self.shortest, self.gaps, computed = math.inf, [], 0.0
        for life in range(1, dice.randint(2, 9)):
            origin = dice.choice([0] + self.kept[-4:])
            if life > 1:
                # What the clock went on by, less what the computing did.
                gone, gap = self.now - begun, self.now - self.last
                if failed:
                    self.failures += 1
                    self.lost += gone - (self.saved[origin] - computed)
                    self.shortest = min(self.shortest, gap)
                else:
                    self.stops += 1
                    self.between += gap
                self.paid += sum(cost for number, cost in costs if number <= origin)
            begun, computed, costs = self.now, self.saved[origin], []
            failed = self.live(dice, life, origin, computed, costs)
        self.paid += sum(cost for _, cost in costs)

    def line(self, **members):
        self.lines.append(json.dumps(members))
        self.last = self.now

    def measure(self, dice, measures, first, held):
        """What is thought to be lost by a checkpoint when it is taken: nothing but how long it held, if nobody measures; else what is known from before, or what steps were seen to lose."""
        if measures and first and self.cost is not None:
            self.mean = self.cost
        steps = self.mean * dice.uniform(1.5, 3) if measures and not first and dice.random() < 0.3 else None
        thought = held if not measures or self.mean is None else steps or self.mean
        self.mean = moved(self.mean, held)
        self.cost = max(steps or 0, self.mean)
        return thought

    def live(self, dice, life, origin, computed, costs):
        """Whether it ended by a failure."""
        begun, cut, measures = self.now, None, dice.random() < 0.6
        self.lives += 1
        self.line(event="begin", life=life, time=moment(self.now), run=RUN, host="n1", process=1, owner="", ranks=4, **{"from": origin}, step=-1)
        for taken in range(dice.randint(0, 5)):
            wait, durable, held = dice.randint(10, 5000), dice.randint(1, 40) / 4, dice.randint(1, 99) / 64
            cost = self.measure(dice, measures, taken == 0, held)
            self.now += wait
            if cut is not None:
                self.gaps.append(self.now - cut)
            cut = self.now
            self.number += dice.randint(1, 3)
            self.saved[self.number] = computed + cut - begun
            self.kept.append(self.number)
            self.now += durable
            self.durable = moved(self.durable, durable)
            self.commits += 1
            costs.append((self.number, cost))
            self.line(event="commit", life=life, time=moment(self.now), number=self.number, step=-1, held_s=held, cost_s=cost, durable_s=durable, bytes=1000, stop=False)
        end = dice.choice(["killed", "killed", "killed", "stopped", "ended", "finalized"])
        if end != "killed":
            self.now += 10
            self.line(event="end", life=life, time=moment(self.now), how=end)
        self.lived += self.last - begun
        self.now += dice.randint(0, 600)
        return end == "killed"


def check_terms(plan, given):
    cost, mtbf, durable, restart = (plan[name] for name in ("cost_s", "mtbf_s", "durable_s", "restart_s"))
    part = cost / (2 * mtbf)
    near("Young's", plan["young_s"], math.sqrt(2 * cost * mtbf))
    near("Daly's", plan["daly_s"], math.sqrt(2 * cost * mtbf) * (1 + math.sqrt(part) / 3 + part / 9) - cost if part < 1 else mtbf)
    near("best", plan["best_s"], max(plan["daly_s"] + cost, durable))
    for row in plan["table"]:
        interval = row["interval_s"]
        assert interval >= durable * 0.999, row
        near("waste", row["waste"], min(cost / interval + (interval / 2 + durable + restart) / mtbf, 1))
        near("its parts", min(row["checkpoints"] + row["again"] + row["restarts"], 1), row["waste"])
    near("best row", min(row["waste"] for row in plan["table"]), [row for row in plan["table"] if abs(row["interval_s"] - plan["best_s"]) < 1e-6 * plan["best_s"]][0]["waste"], 0.02)
    for name, value in given.items():
        near(name, plan[name + "_s"], value)


def ask(*arguments):
    done = subprocess.run([sys.argv[1], "plan", *arguments, "--json"], stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else done.returncode


def play(seed):
    dice = random.Random(seed)
    run = Played(dice)
    os.makedirs("run-%d" % seed)
    with open("run-%d/history" % seed, "w", encoding="ascii") as file:
        for line in run.lines:
            file.write(line + "\n")
            if dice.random() < 0.1:
                file.write(dice.choice(["not ours\n", '{"event": "later"}\n', '{"event": "commit", "life": 99, "time": "%s"}\n' % moment(run.now)]))
    plan = ask("run-%d" % seed)
    if not run.commits:
        assert plan == 3, plan
        return
    so_far = plan["so_far"]
    for name, wanted in [("lives", run.lives), ("failures", run.failures), ("stops", run.stops), ("checkpoints", run.commits)]:
        assert so_far[name] == wanted, "%s: %r, not %r" % (name, so_far[name], wanted)
    near("lived", so_far["lived_s"], run.lived)
    near("lost by failures", so_far["lost_failures_s"], run.lost)
    near("lost by checkpoints", so_far["lost_checkpoints_s"], run.paid)
    near("between", so_far["between_s"], run.between)
    near("every", so_far["every_s"], sum(run.gaps) / len(run.gaps) if run.gaps else None)
    check_terms(plan, {"cost": run.cost, "durable": run.durable, "mtbf": (run.lived + 21600) / (run.failures + 0.25),
                       "restart": run.shortest if run.failures else 0})
    check_terms(ask("run-%d" % seed, "--mtbf", "12h", "--restart", "5min"), {"mtbf": 43200, "restart": 300, "cost": run.cost})
    check_terms(ask("run-%d" % seed, "--cost", "2.5s", "--svg", "plot.svg"), {"cost": 2.5, "durable": run.durable})
    assert xml.etree.ElementTree.parse("plot.svg").getroot().tag.endswith("svg")


for number in sys.argv[2:]:
    print("seed", number, flush=True)
    play(int(number))
# Daly 2006, figures 3, 4 and 5: dumps of 5 minutes.
for hours, minutes in [("24h", 117), ("6h", 57), ("15min", 9.1)]:
    near(hours, ask("nowhere", "--cost", "5min", "--mtbf", hours)["daly_s"] / 60, minutes, 0.01)
# A checkpoint that costs more than there is time between failures, one that costs next to nothing, and one that takes longer to be durable than the best interval.
for given in [("48h", "24h", None), ("24h", "12h", None), ("1ms", "24h", None), ("1ms", "1ms", None), ("1s", "1min", "10min"), ("10000h", "1s", "0s")]:
    options = ["--cost", given[0], "--mtbf", given[1]] + (["--durable", given[2]] if given[2] else [])
    check_terms(ask("nowhere", *options), {"restart": 0})
