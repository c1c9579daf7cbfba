#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# bank --script and --example: what the snapshot has recorded, and that the story is told in causal order.
set -u
bank="$TEST_BUILD/apps/bank"

fail() {
	echo "FAILED: $*"
	cat out err 2>/dev/null
	exit 1
}

# story ARGUMENTS...: plays it in a folder of its own. The checkpoint's number is not told twice the same.
story() {
	rm -rf checkpoints
	SEAMARK_DIR=checkpoints SEAMARK_LOG=quiet "$bank" "$@" >raw 2>err </dev/null || fail "bank $* ends with $?"
	sed 's/^checkpoint [0-9]*:/checkpoint N:/' raw >out
}

# before FIRST SECOND: both lines are told, in this order.
before() {
	first=$(grep -nxF "$1" out | cut -d : -f 1)
	second=$(grep -nxF "$2" out | cut -d : -f 1)
	[ -n "$first" ] || fail "not told: $1"
	[ -n "$second" ] || fail "not told: $2"
	[ "$first" -lt "$second" ] || fail "told in the wrong order: '$1' and '$2'"
}

# result: the global result is what standard input says.
result() {
	cat >expected
	sed -n '/^checkpoint/,$p' out >told
	diff expected told || fail "another global result"
}

# Three processes, two messages, one number to a line.
printf '%s\n' 3 500 300 700 2 1 2 50 2 3 -30 1 >three

story --script three
before 'P1 sends 50 to P2' 'P2 receives 50 from P1: state 350'
before 'P2 receives 50 from P1: state 350' 'P2 sends -30 to P3'
before 'P2 sends -30 to P3' 'P3 receives -30 from P2: state 670'
before 'P3 receives -30 from P2: state 670' 'P1 starts the snapshot'
for record in 'P1 records state 500' 'P2 records state 350' 'P3 records state 670'; do
	before 'P1 starts the snapshot' "$record"
	before "$record" 'checkpoint N:'
done
result <<'END'
checkpoint N:
  P1: state 500
  P2: state 350
  P3: state 670
  channel P1->P2: empty
  channel P1->P3: empty
  channel P2->P1: empty
  channel P2->P3: empty
  channel P3->P1: empty
  channel P3->P2: empty
states 1520 + channels 0 = 1520: right
END

story --script three --delay
before 'P1 sends 50 to P2' 'P1 starts the snapshot'
before 'P2 sends -30 to P3' 'P1 starts the snapshot'
before 'P1 starts the snapshot' 'P2 records state 300'
before 'P2 records state 300' 'P2 receives 50 from P1: state 350'
before 'P3 records state 700' 'P3 receives -30 from P2: state 670'
result <<'END'
checkpoint N:
  P1: state 500
  P2: state 300
  P3: state 700
  channel P1->P2: 50
  channel P1->P3: empty
  channel P2->P1: empty
  channel P2->P3: -30
  channel P3->P1: empty
  channel P3->P2: empty
states 1500 + channels 20 = 1520: right
END

story --example
before 'A starts the snapshot' 'A records state 500'
before 'B sends 50 to A: state 250' 'B records state 250'
before 'A records state 500' 'A receives 50 from B: state 550'
before 'A receives 50 from B: state 550' 'checkpoint N:'
result <<'END'
checkpoint N:
  A: state 500
  B: state 250
  C: state 200
  channel A->B: empty
  channel A->C: empty
  channel B->A: 50
  channel B->C: empty
  channel C->A: empty
  channel C->B: empty
states 950 + channels 50 = 1000: right
END

# Two messages of one channel keep their order; a message to oneself; another initiator; comments.
printf '%s\n' '2 # processes' '10 20' '3' '1 2 5' '1 2 -7' '2 2 1' '2' >two
story --script two --delay
grep -qx '  channel P1->P2: 5 -7' out || fail "the channel does not keep its order"
grep -qx '  channel P2->P2: 1' out || fail "the message to oneself is not in its channel"
before 'P2 starts the snapshot' 'P1 records state 10'
grep -qx 'states 30 + channels -1 = 29: right' out || fail "another sum"

# Under mpirun, from its standard input; and with another number of ranks.
rm -rf checkpoints
SEAMARK_DIR=checkpoints SEAMARK_LOG=quiet "$MPIEXEC" -n 3 "$bank" --script - <three >out 2>err ||
	fail "from standard input under mpirun"
grep -qx 'states 1520 + channels 0 = 1520: right' out || fail "from standard input: another sum"
SEAMARK_DIR=checkpoints "$MPIEXEC" -n 2 "$bank" --script three >out 2>err </dev/null && fail "three processes on two ranks"
grep -q 'mpirun -n 3' err || fail "it does not say how many ranks the scenario wants"

# At a terminal it asks.
if command -v script >/dev/null; then
	rm -rf checkpoints
	(sleep 1; cat three) | SEAMARK_DIR=checkpoints SEAMARK_LOG=quiet script -qec "'$bank' --script -" /dev/null >out 2>err ||
		fail "at a terminal"
	for prompt in 'number of processes: ' 'initial state of P2: ' 'receiver of message 2: ' 'initiator of the snapshot: '; do
		grep -q "$prompt" out || fail "it does not ask for the $prompt"
	done
	grep -q 'states 1520 + channels 0 = 1520: right' out || fail "at a terminal: another sum"
fi

# What is no scenario is refused, by name.
for wrong in '' '0' '3 1 2' '2 1 2 1 1 3 5 1' '2 1 2 1 1 2 x 1' '2 1 2 1 1 2 5 9' '2 1 2 -1' '99999999999999999999'; do
	echo "$wrong" >wrong
	"$bank" --script wrong >out 2>err </dev/null
	[ $? -eq 2 ] || fail "'$wrong' is taken for a scenario"
	grep -q '^bank: wrong' err || fail "'$wrong' is not named"
done
