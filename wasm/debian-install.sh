#!/bin/sh
# debian-install.sh PACKAGE...: installs those of the named Debian packages that are missing.
#
# As root, or where sudo asks for no password, it installs them. Anyone else gets one line that says what
# to install, and exit status 1. Whoever else installs is waited for: another run of this script, of which
# `make` starts two, or the system's own updates.
set -eu

missing=
for package in "$@"; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
        missing="$missing $package"
    fi
done
if [ -z "$missing" ]; then
    exit 0
fi

if [ "$(id -u)" = 0 ]; then
    root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    root=sudo
else
    root=none
fi
if [ "$root" = none ] || ! command -v apt-get >/dev/null; then
    echo "missing packages; as root: apt-get install$missing" >&2
    exit 1
fi

# dpkg's lock can be waited for, that of the package lists cannot; and nothing that a package starts may
# keep ours.
build=$(dirname "$0")/../build
mkdir -p "$build"
exec 9>"$build/debian-install.lock"
flock 9

install() {
    $root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 install $missing >&2 9>&-
}

echo "installing Debian packages:$missing" >&2
# The package lists of a fresh machine are empty or stale, which shows as a failed install.
if ! install 2>/dev/null; then
    $root apt-get -qq update >&2 9>&- || true
    if ! install; then
        echo "could not install the Debian packages:$missing" >&2
        exit 1
    fi
fi
