#!/usr/bin/env bash
# Removes what tools/install.sh put down: tools/uninstall.sh PREFIX [DESTDIR]
#
# Goes by the manifest in PREFIX/share/flagstone alone; other files stay, and so do folders in which there are any, or which were
# there before.
set -euo pipefail
prefix=${1:?usage: tools/uninstall.sh PREFIX [DESTDIR]}
case $prefix in
  /*) ;;
  *) prefix=$PWD/$prefix ;;
esac
from=${2:-}$prefix
manifest=$from/share/flagstone/manifest

if [ ! -e "$manifest" ]; then
  echo "$manifest is missing: nothing was installed there" >&2
  exit 1
fi
mapfile -t places <"$manifest"
folders=()
for place in "${places[@]}"; do
  case $place in
    "" | /* | *..*) echo "$manifest lists ${place@Q}, which is not below the prefix" >&2 ;;
    # Backwards: folders are listed before what is below them.
    */) folders=("$place" "${folders[@]}") ;;
    share/flagstone/manifest) ;;
    *) rm -f "$from/$place" ;;
  esac
done
# Last of the files: whoever is interrupted can go on.
rm -f "$manifest"
for folder in "${folders[@]}"; do
  # Of the prefix itself, ./, rmdir takes no other form.
  rmdir "$from/${folder%./}" 2>/dev/null || true
done
