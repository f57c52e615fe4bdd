# What changed, and which tests are near to it: they run first. For bash; to be sourced after lib.sh, with $root set.
#
#   changed_files      the files that differ from main as it was before, a line each; nothing where git knows nothing of that
#   near FILE          the tests that are near to a file: `python`, `dotnet`, `lib` (tests beside the code) or targets of cargo
#   near_changes       all of those, a line each
#   rust_runs WORD…    what `cargo test --workspace` is told, a line for each run: what the words name, then everything else
#
# All this is order: every test runs, whatever changed.

# On a branch since it left main, on main since the state before; with what is not committed.
changed_files() {
  local base
  [ "$(git -C "$root" rev-parse --show-toplevel 2>/dev/null)" = "$root" ] || return 0
  base=$(git -C "$root" merge-base HEAD main 2>/dev/null || git -C "$root" merge-base HEAD origin/main 2>/dev/null) || base=''
  if [ -z "$base" ] || [ "$base" = "$(git -C "$root" rev-parse HEAD)" ]; then
    base=$(git -C "$root" rev-parse --verify --quiet 'HEAD^') || base=HEAD
  fi
  git -C "$root" diff --name-only --diff-filter=d "$base" --
  git -C "$root" ls-files --others --exclude-standard
}

near() {
  case $1 in
    src/aws/*) echo lib aws_iam ;;
    src/big_segments/*) echo lib redis ;;
    src/client/*) echo lib redis connected events ;;
    src/context/* | src/eval/* | src/model/*) echo lib vectors alloc explain ;;
    src/events/*) echo lib events ;;
    src/ffi/* | include/* | cbindgen.toml) echo header abi c_api alloc ;;
    src/files/* | src/http/* | src/source/*) echo lib connected ;;
    src/store/redis/cluster/*) echo lib topologies ;;
    src/store/*) echo lib redis topologies ;;
    src/*) echo lib ;;
    tests/abi/*) echo abi ;;
    tests/c/* | tests/native/*) echo c_api ;;
    tests/data/*) echo vectors python dotnet ;;
    tests/support/*) echo redis connected ;;
    tests/book/* | tests/contract/* | tests/viewer/*) echo python ;;
    tests/* | tools/*/tests/*) named_like "$1" ;;
    tools/fakeld/*) echo fake connected ;;
    tools/flagdata/*) echo data redis ;;
    tools/flagstone-cli/*) echo reading writing surroundings view ;;
    tools/install.sh | tools/uninstall.sh | cmake/* | flagstone.pc.in) echo install ;;
    tools/natives.* | tools/version.sh | tools/deb/*) echo packages ;;
    Cargo.* | build.rs) echo shipped sources ;;
    bindings/dotnet/* | examples/dotnet/*) echo dotnet ;;
    bindings/python/* | examples/python/* | docs/* | *.md) echo python ;;
  esac
}

# The target whose file, or folder, this is.
named_like() {
  local name=${1#*tests/}
  name=${name%%/*}
  echo "${name%.rs}"
}

near_changes() {
  local file
  changed_files | while IFS= read -r file; do near "$file"; done | tr ' ' '\n' | sort -u
}

rust_runs() {
  local wanted=" $* " target first='' rest=''
  for target in lib $(test_targets); do
    case $wanted in
      *" $target "*) first="$first $(argument "$target")" ;;
      *) rest="$rest $(argument "$target")" ;;
    esac
  done
  [ -z "$first" ] || echo "${first# }"
  echo "--bins$rest"
  echo --doc
}

argument() {
  if [ "$1" = lib ]; then echo --lib; else echo "--test $1"; fi
}

test_targets() {
  (cd "$root" && cargo metadata --no-deps --format-version 1) |
    grep -oE '"kind":\["test"\],[^{}]*"name":"[^"]*"' | sed -E 's/.*"name":"([^"]*)"$/\1/' | sort -u
}
