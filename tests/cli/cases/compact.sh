# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
"$MAKE_CHECKPOINTS" seamark 2 4 chain
run compact 3
run compact 3
run list
ls seamark seamark/0000003.L01
run verify
run compact --json
run list --json
ls seamark seamark/0000004.L01
run verify
run compact ./seamark/0000004.L01
run compact 9
# damage: nothing changes
rm -r seamark
"$MAKE_CHECKPOINTS" seamark 2 4 chain
printf x | dd of=seamark/0000001.L01/rank-00001.smk bs=1 seek=4096 conv=notrunc 2>/dev/null
run compact
ls seamark seamark/0000004.L01
printf x >seamark/0000004.L01/manifest.json
run compact 4
# the folder is locked
exec 9>seamark/lock
flock 9
echo "process 1 on host 'h', life 1" >seamark/lock
run compact 3 2>&1 | sed "s|$PWD|HERE|"
