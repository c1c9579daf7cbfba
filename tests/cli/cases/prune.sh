# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
"$MAKE_CHECKPOINTS" seamark 2 4 chain
run list
# what others need goes off the list, and its files stay
run prune --keep 1 --dry-run
run prune --keep 1
run list
ls seamark
run verify
# the newest that is whole stays
run prune 4
run prune 9 2>&1 | sed "s|$PWD|HERE|"
run prune --keep 1
# nothing needs what was held any more
run compact
ls seamark
# one that is on the list, and needed
rm -r seamark
"$MAKE_CHECKPOINTS" seamark 2 2 chain
run prune 1 --dry-run
run prune 1
run list
run prune
run verify
# more of them, one pinned, one by its number
rm -r seamark
"$MAKE_CHECKPOINTS" seamark 2 5
run keep 2
run prune 2
run prune --json 3
run prune --older-than 1h --keep 2
run list
# the newest has lost a file: it is not what must stay
rm seamark/0000005.L01/rank-00001.smk
run prune seamark 5 --dry-run
run prune seamark 4
# leavings of attempts and crashes
mkdir seamark/0000007.L01 seamark/0000008.L01.void
echo x >seamark/0000007.L01/rank-00000.smk
: >seamark/.status-0.tmp
: >seamark/0000004.L01/manifest.json.tmp
: >seamark/0000004.L01/mine
run prune --dry-run
run prune
run prune
ls -A seamark seamark/0000004.L01
# one that cannot be read stays, and those before it, unless it is named
echo >>seamark/0000005.L01/manifest.json
run prune --keep 1
run prune 5
# a run uses it
exec 9>seamark/lock
flock 9
echo "process 1 on host 'h', life 1" >seamark/lock
run prune --keep 1 2>&1 | sed "s|$PWD|HERE|"
run prune --keep 1 --dry-run
exec 9>&-
# wrong
run prune --keep 0
run prune --older-than long
run prune --keep 1 3
run prune --dir nowhere
mkdir empty
run prune empty
ls -A empty
