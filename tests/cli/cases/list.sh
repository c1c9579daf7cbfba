# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
"$MAKE_CHECKPOINTS" seamark 3 2
"$MAKE_CHECKPOINTS" seamark 3 1
run list
run keep 2
run list
run list --json
run keep --off 2
printf x >seamark/0000001.L01/manifest.json
run list
SEAMARK_DIR=elsewhere
export SEAMARK_DIR
run list
run list --dir seamark
mkdir elsewhere
run list
run list --json
