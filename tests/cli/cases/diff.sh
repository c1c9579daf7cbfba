# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
"$MAKE_CHECKPOINTS" seamark 3 2
run diff 1 2
"$MAKE_CHECKPOINTS" chain 2 3 chain
run diff --dir chain 2 3
run diff --dir chain 2 3 --rank 0
run diff --dir chain 2 3 --json
run diff --dir chain 2 3 --rank 1 --region nothing
run diff --dir chain --other seamark 2
run diff 1
run diff 1 9
run diff 1 2 --rank 3
run diff 1 2 --absolute x
run diff seamark/0000001.L01 2 --region field
rm seamark/0000002.L01/rank-00001.smk
run diff 1 2
