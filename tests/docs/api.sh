#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# api.sh SOURCE: docs/api.md is what docs/man/api.py makes of the headers, and has every function that they make public.
set -eu
python3 "$1/docs/man/api.py" "$1" api.md
diff "$1/docs/api.md" api.md >&2 || { echo "docs/api.md is not of these headers any more: python3 docs/man/api.py . writes it anew" >&2; exit 1; }
count=0
# shellcheck disable=SC2013 # names
for name in $(sed -n 's/^SEAMARK_PUBLIC [^(]*[ *]\(seamark_[a-z_]*\)(.*/\1/p' "$1/lib/seamark.h" "$1/lib/seamark_files.h"); do
	grep -qx "#### $name" api.md || { echo "docs/api.md has nothing of $name" >&2; exit 1; }
	count=$((count + 1))
done
echo "$count functions"
[ "$count" -ge 50 ]
