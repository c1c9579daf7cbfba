# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
# names that would drive a terminal, or are no UTF-8
"$MAKE_CHECKPOINTS" seamark 2 1 strange
run show --rank 0
run show --rank 0 --json
run verify
