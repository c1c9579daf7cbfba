# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
mkdir seamark
run watch --once
cat >seamark/status <<'STATUS'
{"format": 1, "run": "ab010000000000000000000000000000", "life": 7, "host": "n1", "process": 4711, "ranks": 4,
 "state": "running", "begun": "2023-11-14T22:13:14.000000000Z", "time": "2023-11-14T22:13:20.000000000Z", "again_s": 30,
 "step": 221, "safepoints": 222, "steps_per_s": 12.5, "safepoints_per_s": 12.5, "from": 3, "from_step": 30, "commits": 2, "voids": 1, "stopping": false, "space": 1099511627776, "every_s": 0, "every_steps": 50, "due_step": 250,
 "committed": {"number": 5, "step": 200, "asked": "2023-11-14T22:13:17.000000000Z", "time": "2023-11-14T22:13:17.500000000Z", "held_s": 0.000250000, "messages": 12, "message_bytes": 345, "bytes": 1048576, "referred_bytes": 0, "attempts": 1},
 "void": {"number": 8, "time": "2023-11-14T22:13:18.000000000Z", "reason": "a rank had passed the ordered step", "detail": "rank 2", "again": true},
 "snapshot": {"number": 9, "phase": "window", "since": "2023-11-14T22:13:19.000000000Z", "stop": false, "void": false, "order_step": 222, "answered": 4, "cut": 2, "late": [1, 3], "recorded_bytes": 77, "image_bytes": 10, "image_of": 20},
 "requests": [], "xxh3": "4c8d72fde43d2a7e"}
STATUS
run watch --once
run watch --once --json
# whoever has the lock is there
exec 9>seamark/lock
flock 9
run watch --once
exec 9>&-
run watch
# one that is garbled
echo >>seamark/status
run watch --once
run snapshot --timeout 1s
# nothing can be known of it
echo '{"format": 2}' >seamark/run.json
run snapshot
run watch
rm seamark/run.json
run snapshot --timeout soon
run snapshot --job --pid 1
run snapshot --pid none
run snapshot nowhere
run snapshot --look --stop
run snapshot -o looks
# jobs, of arrays and steps; what is no job
run snapshot --pid 17_3
run snapshot --job 17_
run watch --job 17.x
run snapshot 17_3x
