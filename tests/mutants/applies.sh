#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# applies.sh SOURCE: each mutant's patch fits the library as it is. One that does not is told here, and not when the mutants are tried.
cd "$1" || exit 1
bad=0
for mutant in tests/mutants/*.patch tests/mutants/store/*.patch; do
	patch -p1 --fuzz=0 --force --dry-run --silent <"$mutant" >/dev/null || { echo "'$mutant' does not fit: make it anew (docs/mutants.md)"; bad=1; }
done
exit $bad
