#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# run.sh CASE COMMAND GENERATOR TRACES: runs a case in the working folder and compares what it prints with CASE's .expected. With BLESS=1 what it
# prints becomes what is expected.
case=$1
expected=${case%.sh}.expected
SEAMARK=$2
MAKE_CHECKPOINTS=$3
MAKE_TRACES=$4
TZ=UTC
LC_ALL=C
export SEAMARK MAKE_CHECKPOINTS MAKE_TRACES TZ LC_ALL
unset SEAMARK_DIR

# The identity of a run is drawn at random.
cat "$(dirname "$0")/say.sh" "$case" >case.sh
sh case.sh 2>&1 | sed -E 's/[0-9a-f]{32}/RUN/' >printed

if [ "${BLESS-0}" = 1 ]; then
	cp printed "$expected"
elif ! diff -u "$expected" printed; then
	echo "cli: '$case' prints something else than '$expected' (- expected, + printed)"
	exit 1
fi
