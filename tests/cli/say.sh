# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# What cases begin with. run ARGUMENTS...: the command, as a person sees it, and its exit status when it is not 0.
run() {
	printf '$ seamark'
	for word; do
		case $word in
		*[!A-Za-z0-9./=_-]*|'') printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	echo
	"$SEAMARK" "$@"
	status=$?
	[ "$status" -eq 0 ] || echo "exit status $status"
}
