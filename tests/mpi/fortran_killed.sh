#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# fortran_killed.sh RANKS DEATHS PROGRAM [SEED]: binding.F90, whose lives end at random steps; the last goes to the end, with the undisturbed result.
set -u
ranks=$1 deaths=$2 program=$3 seed=${4-$(($(date +%s) % 30000))}
echo "seed $seed"
export SEAMARK_DIR=checkpoints SEAMARK_EVERY="2 steps"

# life STEP: ends at that step
life() {
	timeout -k 5 60 "$MPIEXEC" -n "$ranks" "$program" "$1" >"out.$1" 2>&1 </dev/null
	status=$?
	if [ "$status" -ne "$2" ] || grep FAILED "out.$1"; then
		echo "FAILED: a life that ends at step $1 has status $status, not $2"
		cat "out.$1"
		exit 1
	fi
}

at=6
while [ "$deaths" -gt 0 ]; do
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	at=$((at + 5 + seed / 65536 % 6))
	life "$at" 9
	deaths=$((deaths - 1))
done
life 99 0
grep -q '^all [0-9]* messages came' out.99 && grep -q 'restored from checkpoint' out.99 || {
	cat out.*
	exit 1
}
grep -h 'restored from' out.*
