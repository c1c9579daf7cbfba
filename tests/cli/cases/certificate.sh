# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
for kind in lost orphan twice received abandoned; do
	echo "# $kind"
	"$MAKE_CHECKPOINTS" "$kind" 2 1 "$kind"
	run verify --dir "$kind"
done
run verify --dir lost --json
