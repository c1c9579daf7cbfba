#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# heat: right on any number of ranks, with the same bits; goes on after it was asked to stop; refuses what is not its own.
set -u
heat="$TEST_BUILD/apps/heat"
arguments="--size 120 --steps 400 --every 0"
program=$heat
# shellcheck source-path=SCRIPTDIR source=apps.sh
. "$(dirname "$0")/apps.sh"

# shellcheck disable=SC2086 # options without spaces
for ranks in 1 2 3 4 6; do
	export SEAMARK_DIR="checkpoints.$ranks"
	SEAMARK_EVERY="100 steps" run "$ranks" $arguments --dump "field.$ranks" --output picture.pgm
	[ "$status" -eq 0 ] || fail "$ranks ranks: status $status"
	grep -q 'the field is right' out || fail "$ranks ranks do not say that the field is right"
	grep '^heat: checksum' out >"checksum.$ranks"
	cmp -s field.1 "field.$ranks" || fail "the field of $ranks ranks differs"
	cmp -s checksum.1 "checksum.$ranks" || fail "the checksum of $ranks ranks differs"
	ls "$SEAMARK_DIR"/*.L*/manifest.json >/dev/null 2>&1 || fail "$ranks ranks have left no checkpoint"
done
# What a checkpoint has of the plate is what a run to its step computes, put together by the command.
for world in 1 2 3 4 6; do
	"$TEST_BUILD/apps/seamark" export --format raw --dir "checkpoints.$world" --region temperature -o "exported.$world" || fail "no plate of $world ranks"
	step=$("$TEST_BUILD/apps/seamark" show --dir "checkpoints.$world" | sed -n 's/^  step *//p')
	SEAMARK_OFF=1 run 2 --size 120 --steps "$step" --every 0 --dump "plate.$step"
	cmp -s "plate.$step" "exported.$world" || fail "the plate in the checkpoint of $world ranks differs"
done
[ "$(wc -c <field.1)" -eq $((120 * 120 * 8)) ] || fail "the raw field has another size"
[ "$(head -c 2 picture.pgm)" = P5 ] || fail "the picture is no PGM"

# Asked to stop by a file, it leaves with success; started again it goes on, and ends with the same bits.
export SEAMARK_DIR=stopped
(
	when_committed stopped
	touch stopped/stop
) &
# shellcheck disable=SC2086
SEAMARK_EVERY="20 steps" run 4 $arguments --pause-ms 20 --dump field.stopped
[ "$status" -eq 0 ] || fail "asked to stop it ends with $status"
grep -q 'stopped before step' out || fail "it does not stop when it is asked to"
wait
# shellcheck disable=SC2086
run 4 $arguments --dump field.again
[ "$status" -eq 0 ] || fail "going on after the stop ends with $status"
grep -q 'from step [1-9]' out || fail "it does not go on after the stop"
cmp -s field.1 field.again || fail "the field differs after the stop"

# A checkpoint of another problem is not continued, by a message and not by a wrong result.
SEAMARK_DIR=checkpoints.4
run 4 --size 100 --steps 400
[ "$status" -eq 2 ] || fail "another size: status $status"
run 4 --size 120 --steps 400 --ratio 0.1
[ "$status" -eq 2 ] || fail "another ratio: status $status"
run 2 --size 120 --steps 400
[ "$status" -eq 2 ] || fail "another number of ranks: status $status"
run 4 --size 1 --steps 1
[ "$status" -eq 2 ] || fail "more ranks than points: status $status"
run 1 --size 0
[ "$status" -eq 2 ] || fail "no points: status $status"
