#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# packages.sh PACKAGE...: installs those Debian packages that are missing; asks the network for nothing if none is.
set -eu

if ! command -v dpkg-query >/dev/null 2>&1; then
	echo "packages.sh: this is no Debian system; needed are what Debian calls: $*" >&2
	exit 0
fi
missing=
for package; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null 2>&1 || {
		echo "packages.sh: missing:$missing; install them, or run this as root" >&2
		exit 1
	}
	as_root=sudo
fi
echo "installing:$missing"
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
