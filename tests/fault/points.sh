#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# points.sh [--self | LIB]: a new phase of a snapshot cannot be without a crash point. Each call in lib/store that changes what is on the disk has one
# behind it in its function, before the next such call and not far away, and so has each action of the protocol that the session carries out, in its case. --self shows that each rule can fail.
set -eu

# Prints "file:line: why" for what has none. files*.c, compact.c and prune.c are for people's commands and not part of the library that runs in programs.
check() {
	(cd "$1" && find store -name '*.c' ! -name 'files*.c' ! -name compact.c ! -name prune.c | sort | while read -r file; do
		awk -v file="$file" -v reach=12 '
			function complain(at, what) { print file ":" at ": no crash point behind " what }
			function found(call) {
				if (/^[[:space:]]*(\/?\*|\/\/)/ || /^[a-z].*\)$/) return
				if (open_at) complain(open_at, what)
				open_at = NR
				what = call
			}
			/crash_point/ { open_at = 0 }
			open_at && (NR > open_at + reach || /^}/) { complain(open_at, what); open_at = 0 }
			match($0, /[^a-z_](p?write|(io_)?fsync|fdatasync|rename(at)?|unlink(at)?|rmdir|mkdir(at)?|f?truncate|fallocate|io_uring_submit|link|symlink)\(/) {
				found(substr($0, RSTART + 1, RLENGTH - 2))
			}
			/O_CREAT/ { found("open") }' "$file"
	done
	awk '
		function over() { if (name != "" && !had) print "session/drive.c:" at ": no crash point in the case of " name; name = "" }
		/^static void carry_out\(/ { inside = 1 }
		inside && /^\tcase SNAPSHOT_/ { over(); name = $2; at = NR; had = 0 }
		/crash_point/ { had = 1 }
		inside && /^}/ { over(); inside = 0 }' session/drive.c)
}

# spoiled FILE SED: that edit of a good tree must be complained about.
spoiled() {
	rm -rf "$tree/lib" && mkdir "$tree/lib" && cp -r "$lib/store" "$lib/session" "$tree/lib"
	sed -i "$2" "$tree/lib/$1"
	cmp -s "$lib/$1" "$tree/lib/$1" && { echo "points: '$2' changes nothing in $1"; exit 1; }
	[ -n "$(check "$tree/lib")" ] || { echo "points: nobody complains about '$2' in $1"; exit 1; }
}

if [ "${1-}" = --self ]; then
	lib=$(cd "$(dirname "$0")/../../lib" && pwd)
	tree=$(mktemp -d)
	trap 'rm -rf "$tree"' EXIT
	for point in publish-synced publish-renamed publish-failed folder-synced folder-made file-written; do
		spoiled store/io.c "/crash_point.*\"$point\"/d"
	done
	for point in image-file-made image-space-reserved image-to-sync image-synced image-folder-removed; do
		spoiled store/image_write.c "/\"$point\"/d"
	done
	for point in piece-under-way piece-written; do
		spoiled store/ring.c "/\"$point\"/d"
	done
	spoiled store/catalogue.c '/"manifest-retired"/d'
	spoiled store/lock.c '/"lock-signed"/d'
	spoiled store/history.c '/"history-open"/d'
	spoiled store/status.c '/"status-made"/d'
	spoiled store/status.c '/"status-renamed"/d'
	spoiled store/request.c '/"request-renamed"/d'
	spoiled store/commit.c '/"attempt-dropped"/d'
	spoiled session/drive.c '/"message-kept"/d'
	spoiled session/drive.c '/"barrier-/d'
	echo "points: each rule can fail"
	exit 0
fi
found=$(check "${1:-$(dirname "$0")/../../lib}")
[ -z "$found" ] || { echo "$found"; exit 1; }
