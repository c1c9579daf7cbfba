#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# `seamark doctor --mpi`: with the user's launcher it says what holds of the MPI library, for people and as JSON; what does not hold, or was not told, makes it end
# with 1.
set -u
seamark="$TEST_BUILD/apps/seamark"

fail() {
	echo "FAILED: $*"
	cat out err
	exit 1
}

# doctor STATUS ARGUMENTS...
doctor() {
	wanted=$1
	shift
	"$seamark" doctor --mpi "$@" >out 2>err
	status=$?
	[ "$status" -eq "$wanted" ] || fail "doctor --mpi $*: status $status instead of $wanted"
}

doctor 0
[ "$(grep -c '^[a-z-]*  *holds ' out)" -eq 9 ] || fail "not nine things hold"
grep -q ', 2 ranks$' out || fail "the usual launcher does not start two ranks"
doctor 0 --json -- "$MPIEXEC" -n 1
[ "$(grep -c '"holds": true' out)" -eq 4 ] || fail "not four things hold on one rank"
[ "$(grep -c '"holds": null' out)" -eq 5 ] || fail "not five things need more ranks"
grep -q '"problems": 0' out || fail "there are problems"

# A library of which nothing holds: the checks are turned round.
cat >turned <<'END'
#!/bin/sh
exec "$MPIEXEC" -n 2 "$@" --control --turns 20
END
chmod +x turned
doctor 1 -- ./turned
[ "$(grep -c '^[a-z-]*  *does not hold ' out)" -eq 9 ] || fail "not nine things fail"
[ "$(grep -c '^    without it: ' out)" -eq 9 ] || fail "it does not say what they are for"
grep -q '^9 problems$' out || fail "not nine problems"
doctor 1 --json -- ./turned
[ "$(grep -c '"holds": false' out)" -eq 9 ] || fail "not nine things fail in JSON"

# Nothing was told.
doctor 1 -- true
doctor 1 -- ./nowhere
grep -q "cannot start './nowhere'" err || fail "it does not say what cannot be started"
echo 'exit 0' >early
doctor 1 --json -- sh ./early
grep -q '"trouble"' out || fail "JSON does not say that nothing was told"
