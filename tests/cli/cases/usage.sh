# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
run
run -h
run --version
run sail
run list -h
run show -h
run verify -h
run messages -h
run diff -h
run export -h
run keep -h
run compact -h
run plan -h
run report -h
run doctor -h
run slurm-script -h
run settings -h
run lsit
run verfiy 1
run -x
run list --jsno
run export --fromat=raw
run show --x
run list -j
run run -h
run run --time soon -- true
run run --leave-on KILL -- true
run run --requeue-exit 256 -- true
run run --ranks 4 -- true
run run --hosts h1:0 -- true
run run --hosts h1,h2 --ranks 4 -- true
run list 1
run list --colour
run list --dir
run keep
run verify 1 2
run keep 1 --dir nowhere
"$MAKE_CHECKPOINTS" seamark 2 1
run keep 7
run keep 1
ls seamark/0000001.L01
run keep --off 1
run keep --off 1 --json
ls seamark/0000001.L01
