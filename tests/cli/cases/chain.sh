# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
# increments: 1 holds all, the others what has changed; 1 and 2 are retired
"$MAKE_CHECKPOINTS" seamark 2 4 chain
find seamark -name 'manifest.*' | sort
run list
run list --json
run show
run show 1
run verify
run verify --json 4
run verify ./seamark/0000004.L01
# by itself
mkdir apart
cp -r seamark/0000004.L01 apart
run verify ./apart/0000004.L01
run show ./apart/0000004.L01 --rank 0
cp -r seamark/0000001.L01 apart
run verify ./apart/0000004.L01
cp -r seamark/0000003.L01 apart
run verify ./apart/0000004.L01
# between the chunks, which is of no concern to them; and where they lie
printf x | dd of=seamark/0000001.L01/rank-00000.smk bs=1 seek=4179 conv=notrunc 2>/dev/null
run verify
printf x | dd of=seamark/0000001.L01/rank-00000.smk bs=1 seek=4096 conv=notrunc 2>/dev/null
run verify
rm seamark/0000001.L01/rank-00001.smk
run verify
