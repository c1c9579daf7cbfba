# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
"$MAKE_CHECKPOINTS" seamark 3 2
run messages
run messages 1 --to 1
run messages --from 0 --tag 7
run messages --communicator world
run messages --communicator nothing
run messages --by channel
run messages --by rank
run messages --by tag
run messages --by communicator --to 2
run messages --to 0 --payload hex
run messages --to 0 --payload text
run messages --to 0 --payload float64
run messages --to 0 --payload uint16 --json
run messages --by channel --json
run messages --by colour
run messages --payload float63
run messages --by tag --payload hex
run messages --posted
run messages --posted --from 0 --to 1
run messages --posted --tag 6 --json
run messages --posted --by tag
run messages --to 3
run messages --tag -1
run messages 7
rm seamark/0000002.L01/rank-00001.smk
run messages 2
