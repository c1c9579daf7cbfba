# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
"$MAKE_CHECKPOINTS" seamark 2 2
run show
run show 1 --rank 1
run show 1 --rank 0 --json
run show ./seamark/0000001.L01
run show 9
run show nine
run show 1 --rank 2
run show 1 --rank -1
rm seamark/0000001.L01/rank-00001.smk
run show 1
printf x >seamark/0000001.L01/manifest.json
run show 1
