#!/usr/bin/env bash
# Installs the packages below the folder in a fresh Debian there, as `tools/deb.sh test` asks: a program is compiled with
# pkg-config and with CMake's files, runs, and finds its flags in a Redis of this machine; then everything is removed again.
#     tools/deb/test.sh FOLDER
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
debs=$1
system=$debs/system
packages=("$debs"/packages/*.deb)

[ -e "${packages[0]}" ] || { say "there are no packages in $debs/packages: run make deb"; exit 1; }
can_be_root || { say "a fresh Debian is made by root alone"; exit 1; }
find_or_install debootstrap debootstrap
find_or_install_idle redis-server

# Made once; what is installed into it is removed below.
if [ ! -e "$system/usr/bin/gcc" ]; then
  say "making a fresh Debian in $system: minutes"
  # shellcheck source=/dev/null
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  as_root debootstrap --variant=minbase --include=gcc,libc6-dev,pkg-config,ca-certificates "$release" "$system" \
    ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$debs/debootstrap.log" || { tail -n 5 "$debs/debootstrap.log" >&2; exit 1; }
fi
within() {
  as_root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C chroot "$system" "$@"
}

as_root mkdir -p "$system/packages"
as_root cp "${packages[@]}" "$root/tests/c/smoke.c" "$root/examples/cli/flags.yaml" "$system/packages/"
within sh -c 'dpkg --install /packages/*.deb' >"$debs/install.log" 2>&1 || { cat "$debs/install.log" >&2; exit 1; }
within ldconfig -p | grep -F libflagstone.so.1 || { say "the dynamic linker does not know the library"; exit 1; }
within sh -c 'cc -std=c99 /packages/smoke.c $(pkg-config --cflags --libs flagstone) -o /packages/smoke'
[ "$(within pkg-config --modversion flagstone)" = "$(within flagstone --version | cut -d' ' -f2)" ]

start_private_redis "$debs"
trap stop_private_redis EXIT
redis-cli -p "$REDIS_PORT" hset launchdarkly:features new-checkout \
  '{"key":"new-checkout","version":1,"on":true,"variations":[false,true],"fallthrough":{"variation":1}}' >/dev/null
within /packages/smoke "$REDIS_URL"
within flagstone flags --quiet --file /packages/flags.yaml
within flagstone show --url "$REDIS_URL" new-checkout >/dev/null

within dpkg --purge flagstone libflagstone-dev libflagstone1 >"$debs/purge.log" 2>&1
left=$(within find / -xdev -name '*flagstone*' -not -path '/packages/*' -not -path '/proc/*')
[ -z "$left" ] || { printf 'left behind: %s\n' "$left" >&2; exit 1; }
echo "installed, used and removed: ${packages[*]##*/}"
