#!/usr/bin/env bash
# The NuGet package with the library of every platform that `make natives` has built: target/dotnet-package.
#     tools/dotnet-package.sh         packs it, with natives.json, which tells what is in it, and looks at its symbols
#     tools/dotnet-package.sh test    builds a program for each of its platforms from the package alone: the library that lands beside
#                                     it must be the one that natives.json names; what can run here asks a real Redis for a flag
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
target=${CARGO_TARGET_DIR:-$root/target}
natives=$target/natives
folder=$target/dotnet-package
binding=$root/bindings/dotnet
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

if [ ! -e "$natives/manifest.json" ]; then
  say "$natives/manifest.json is missing: run make natives"
  exit 1
fi
if ! command -v dotnet >/dev/null; then
  say "there is no .NET SDK (dotnet is not in PATH)"
  exit 1
fi
# RID, file and hash of each library that nothing is held against.
libraries() {
  python3 -c 'import json, sys
for it in json.load(open(sys.argv[1]))["natives"]:
    if not it["objections"]: print(it["rid"], it["file"], it["sha256"])' "$natives/manifest.json"
}

pack() {
  local rids
  rids=$(libraries | cut -d' ' -f1 | paste -sd';')
  rm -rf "$folder"
  # In a folder of its own: the .props of the repository say where artifacts go.
  dotnet pack "$binding/src/Flagstone" --output "$folder" --nologo --verbosity quiet \
    -p:FlagstoneRids="\"$rids\"" -p:FlagstoneManifest="$natives/manifest.json"
  local package
  package=$(echo "$folder"/Flagstone.*.nupkg)
  unzip -l "$package" | awk '/runtimes|natives.json/ { print $1, $4 }'
  unzip -l "$folder"/Flagstone.*.snupkg | grep -c '\.pdb$' | sed 's/$/ files of symbols, with the sources in them/'
  (cd "$folder" && sha256sum -- *nupkg >SHA256SUMS)
}

check() {
  local rid hash project=$folder/consumer failed=0
  find_or_install_idle redis-server
  mkdir -p "$folder"
  start_private_redis "$folder"
  trap stop_private_redis EXIT
  redis-cli -p "$REDIS_PORT" set 'launchdarkly:$inited' '' >/dev/null
  redis-cli -p "$REDIS_PORT" hset launchdarkly:features new-checkout \
    '{"key":"new-checkout","version":1,"on":true,"variations":[false,true],"fallthrough":{"variation":1}}' >/dev/null
  while read -r rid _ hash; do
    rm -rf "$project"
    mkdir -p "$project"
    cp "$binding"/test/consumer/* "$project/"
    sed -i 's|"../packed"|".."|' "$project/NuGet.config"
    cat >"$project/Program.cs" <<'CS'
using System;
using Flagstone;
await using var client = new FlagstoneClient(new FlagstoneOptions { RedisUrl = args[0] });
await client.StartAsync(TimeSpan.FromSeconds(30));
Console.WriteLine($"{FlagstoneLibrary.Version} {client.BoolVariation("new-checkout", Context.New("ada"), false)}");
CS
    if ! dotnet build "$project" --nologo --verbosity quiet -p:RuntimeIdentifier="$rid" -p:SelfContained=false -p:UseAppHost=false \
      --output "$project/out" >"$folder/build.log" 2>&1; then
      tail -n 5 "$folder/build.log" >&2
      failed=1
      continue
    fi
    # Of the three names one is there.
    if ! { sha256sum "$project"/out/*flagstone*.{so,dylib,dll} 2>/dev/null || true; } | grep "^$hash " >/dev/null; then
      say "$rid: the library of the package is not beside the program"
      failed=1
    elif [ "$rid" = "$(dotnet --info | sed -n 's/^ *RID: *//p')" ]; then
      dotnet "$project/out/Consumer.dll" "$REDIS_URL" | sed "s/^/$rid: run: /" | tee /dev/stderr | grep >/dev/null ' True$' || failed=1
    else
      echo "$rid: built, not run"
    fi
  done < <(libraries)
  return "$failed"
}

case ${1:-} in
  '') pack ;;
  test) check ;;
  *)
    say "usage: tools/dotnet-package.sh [test]"
    exit 1
    ;;
esac
