# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
# begin LIFE TIME FROM STEP, commit LIFE TIME NUMBER STEP [stop], end LIFE TIME HOW: lines of a history.
mkdir run
begin() {
	printf '{"event": "begin", "life": %s, "time": "2026-01-31T%s.000000000Z", "run": "ab0102030405060708090a0b0c0d0e0f", "host": "n1", "process": 4711, "owner": "", "ranks": 4, "from": %s, "step": %s}\n' "$@"
}
commit() {
	printf '{"event": "commit", "life": %s, "time": "2026-01-31T%s.000000000Z", "number": %s, "step": %s, "held_s": 0.25, "cost_s": 0.5, "durable_s": 20, "bytes": 1048576, "stop": %s}\n' "$1" "$2" "$3" "$4" "${5-false}"
}
end() {
	printf '{"event": "end", "life": %s, "time": "2026-01-31T%s.000000000Z", "how": "%s"}\n' "$@"
}
run plan run
run plan run --cost 5min --mtbf 24h
run plan nowhere --cost 5min --mtbf 6h --restart 10min --json
{
	begin 1 00:00:00 0 -1
	commit 1 01:00:20 1 100
	commit 1 02:00:20 2 200
	begin 2 03:00:00 2 200
	commit 2 04:00:20 3 300 true
	end 2 04:01:00 stopped
	begin 3 05:00:00 3 300
	commit 3 06:00:20 4 400
} >run/history
run plan run
SEAMARK_DIR=run
export SEAMARK_DIR
run plan --mtbf 1h --cost 30s --durable 2h
run plan --json
run plan --mtbf 30d
run plan --mtbf 0
run plan --cost soon
run plan --svg plan.svg --json --mtbf 12h >printed.json
grep -c '<path class="again"' plan.svg
run plan --svg nowhere/plan.svg
# A pipe is written to, and stays one.
mkfifo pipe
cat pipe >from-pipe.svg &
run plan --svg pipe --json --mtbf 12h >printed.json
wait
cmp plan.svg from-pipe.svg && [ -p pipe ] && echo "the same through a pipe"
run plan a b
