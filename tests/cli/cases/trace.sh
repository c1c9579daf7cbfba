# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
"$MAKE_TRACES" seamark
run trace --list
run trace --list --json
run trace
run trace 1
run trace 1 --ranks 0,2
run trace 1 --ranks 2 --all
run trace 1 --shiviz -
run trace 1 --perfetto perfetto
python3 -c 'import json; print(len(json.load(open("perfetto"))["traceEvents"]), "events for Perfetto")'
run trace 1 --perfetto nowhere/perfetto
run trace 9
run trace --ranks 3
run trace --ranks 2-1
run trace zero
run trace --dir nowhere
printf 'x' >>seamark/trace/0000001.L01/rank-00001.trace
rm seamark/trace/0000001.L01/rank-00002.trace
run trace 1
cp seamark/trace/0000002.L01/rank-00000.trace seamark/trace/0000002.L01/rank-00002.trace
run trace 2
"$MAKE_CHECKPOINTS" whole 3 2
"$MAKE_TRACES" whole 1
run messages --dir whole 1
run messages --dir whole 2
