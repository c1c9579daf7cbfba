# SPDX-License-Identifier: BSD-3-Clause
"""A history for folders that tests make: three lives, of which the first was killed and the second asked to leave, with steps. What is known of it is said here."""
import json
import re

HOST = "n</script><script>hacked=1</script><img src='x'>&"
LIVES, FAILURES, STOPS, COMMITS = 3, 1, 1, 4
LOST_S = 3600.0  # from the cut at 02:00:00 to the begin at 03:00:00


def write(folder, ranks=4):
    with open(folder + "/run.json", encoding="utf-8") as file:
        run = re.search('"run": "([0-9a-f]{32})"', file.read()).group(1)

    def at(clock):
        return "2026-01-31T%s.000000000Z" % clock

    def begin(life, clock, origin, step):
        return {"event": "begin", "life": life, "time": at(clock), "run": run, "host": HOST, "process": 4711, "owner": "", "ranks": ranks, "from": origin, "step": step}

    def commit(life, clock, number, step, stop=False):
        return {"event": "commit", "life": life, "time": at(clock), "number": number, "step": step, "held_s": 0.25 * number, "cost_s": 0.5, "durable_s": 20, "bytes": 1048576,
                "stop": stop, **({"messages": 5 + number, "message_bytes": 500 + number} if number != 2 else {})}

    lines = [begin(1, "00:00:00", 0, -1), commit(1, "01:00:20", 1, 100), commit(1, "02:00:20", 2, 200), begin(2, "03:00:00", 2, 200), commit(2, "04:00:20", 3, 300, True),
             {"event": "end", "life": 2, "time": at("04:01:00"), "how": "stopped"}, begin(3, "05:00:00", 3, 300), commit(3, "06:00:20", 4, 400)]
    with open(folder + "/history", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
