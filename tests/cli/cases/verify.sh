# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
"$MAKE_CHECKPOINTS" seamark 3 2
run verify
run verify 1
run verify --json 2
# damage of each kind: changed, cut short, missing, of another attempt, manifest
printf x | dd of=seamark/0000001.L01/rank-00000.smk bs=1 seek=4179 conv=notrunc 2>/dev/null
truncate -s 4096 seamark/0000001.L01/rank-00001.smk
rm seamark/0000001.L01/rank-00002.smk
run verify
run verify 2
run verify --json 1
cp seamark/0000002.L01/rank-00001.smk seamark/0000001.L01/rank-00001.smk
run verify 1
printf x >seamark/0000001.L01/manifest.json
run verify
run verify 3
run verify ./seamark/0000002.L01
mkdir empty
run verify --dir empty
# What says whose the checkpoints are is looked at with all of them.
"$MAKE_CHECKPOINTS" other 2 1
run verify --dir other
printf x | dd of=other/run.json bs=1 seek=20 conv=notrunc 2>/dev/null
run verify --dir other
run verify --dir other 1
