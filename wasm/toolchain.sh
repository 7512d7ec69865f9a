#!/bin/sh
# Finds Emscripten, or assembles one, and prints the path of the compiler to call: build/toolchain/emcc.
#
# An `emcc` of 4.0 or newer on PATH wins. Otherwise, on Debian 12 or newer, a current one is put together
# under build/toolchain without touching the system beyond clang, lld and llvm:
#   - Emscripten itself is Python and JavaScript: Debian's own package of it, from the suite sid, is fetched
#     from the mirror this machine already uses and unpacked, not installed. (Debian 12's emscripten is too
#     old: its relaxed SIMD opcodes predate the standard.)
#   - the LLVM behind it is the machine's own Debian package, of the version Emscripten asks for or newer.
#   - binaryen and acorn come from npm, again in the versions the unpacked package asks for.
# Does nothing but print when all that is there. Safe to run from two shells at once.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
dir=$root/build/toolchain
wanted_major=4

say() { echo "toolchain: $*" >&2; }
fail() {
    say "$*"
    say "alternatively put an emcc of $wanted_major.0 or newer (the Emscripten SDK) on PATH"
    exit 1
}

mkdir -p "$dir"
if command -v flock >/dev/null && [ -z "${ITERA_TOOLCHAIN_LOCKED:-}" ]; then
    ITERA_TOOLCHAIN_LOCKED=1 exec flock "$dir/.lock" "$0" "$@"
fi

# write_wrapper LINE...: (re)writes build/toolchain/emcc, leaving it alone when it already says the same,
# because every object file is rebuilt when it changes.
write_wrapper() {
    { echo '#!/bin/sh'; printf '%s\n' "$@"; } >"$dir/emcc.new"
    if cmp -s "$dir/emcc.new" "$dir/emcc"; then
        rm "$dir/emcc.new"
    else
        chmod +x "$dir/emcc.new"
        mv "$dir/emcc.new" "$dir/emcc"
    fi
}

emcc_major() {
    "$1" --version 2>/dev/null | sed -n '1s/^[^0-9]*) \([0-9]*\)\..*/\1/p'
}

# ---- 1. one on PATH -------------------------------------------------------------------------------------
found=$(command -v emcc || true)
if [ -n "$found" ]; then
    major=$(emcc_major "$found")
    if [ "${major:-0}" -ge "$wanted_major" ]; then
        write_wrapper "exec '$found' \"\$@\""
        echo "$dir/emcc"
        exit 0
    fi
    say "$found is version ${major:-unknown}, too old"
fi

# ---- 2. one assembled before, in this very folder -------------------------------------------------------
if [ -f "$dir/assembled" ] && grep -qF "'$dir/" "$dir/emcc" && "$dir/emcc" --version >/dev/null 2>&1; then
    echo "$dir/emcc"
    exit 0
fi

# ---- 3. assemble ----------------------------------------------------------------------------------------
command -v node >/dev/null && command -v npm >/dev/null || fail "install Node 20 or newer with npm"
command -v apt-get >/dev/null && command -v dpkg >/dev/null || fail "this is not a Debian system"
"$here/debian-install.sh" python3 ca-certificates || fail "Emscripten needs the packages above"

say "assembling Emscripten in build/toolchain (once, about a minute)"
rm -rf "$dir/assembled" "$dir/emcc" "$dir/apt" "$dir/unpacked" "$dir/binaryen" "$dir/cache"

# Mirrors this machine uses for the main component of its own release, most Debian-looking first.
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
mirrors=$(apt-get update --print-uris 2>/dev/null |
    sed -n "s#^'\(.*\)/dists/$codename/main/binary-.*#\1#p" | awk '!seen[$0]++')
mirrors=$(echo "$mirrors" | grep '/debian/*$' || true; echo "$mirrors" | grep -v '/debian/*$' || true)
[ -n "$mirrors" ] || fail "no Debian mirror is configured on this machine"

# fetch_emscripten MIRROR: downloads sid's emscripten package into $dir/apt through a private apt whose
# lists and cache are thrown away afterwards.
fetch_emscripten() {
    rm -rf "$dir/apt"
    mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $1 sid main" >"$dir/apt/sid.list"
    set -- -qq -o "Dir::Etc::sourcelist=$dir/apt/sid.list" -o Dir::Etc::sourceparts=- \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o "Dir::State::lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none
    (cd "$dir/apt" && apt-get "$@" update && apt-get "$@" download emscripten) >&2
}

fetched=
for mirror in $mirrors; do
    if fetch_emscripten "$mirror"; then
        fetched=yes
        break
    fi
done
[ -n "$fetched" ] || fail "could not download Debian's emscripten package of suite sid; is the network up?"
dpkg -x "$dir"/apt/emscripten_*.deb "$dir/unpacked"
rm -rf "$dir/apt"

emscripten=$dir/unpacked/usr/share/emscripten
asked() { sed -n "s/^$1 = \([0-9]*\).*/\1/p" "$emscripten/tools/$2"; }
llvm_asked=$(asked EXPECTED_LLVM_VERSION shared.py)
binaryen_asked=$(asked EXPECTED_BINARYEN_VERSION building.py)
[ -n "$llvm_asked" ] && [ -n "$binaryen_asked" ] ||
    fail "the emscripten package of suite sid does not name its LLVM and binaryen versions as it used to"

# LLVM: an installed one that is new enough, else the lowest new enough that Debian offers.
llvm=
newest=$((llvm_asked + 4))
for version in $(seq "$llvm_asked" "$newest"); do
    bin=/usr/lib/llvm-$version/bin
    if [ -x "$bin/clang" ] && [ -x "$bin/wasm-ld" ] && [ -x "$bin/llvm-ar" ]; then
        llvm=$version
        break
    fi
done
if [ -z "$llvm" ]; then
    if [ "$(id -u)" = 0 ]; then
        flock "$root/build/debian-install.lock" apt-get -qq update >&2 || true
    fi
    for version in $(seq "$llvm_asked" "$newest"); do
        if apt-cache show "clang-$version" >/dev/null 2>&1; then
            llvm=$version
            break
        fi
    done
    [ -n "$llvm" ] || fail "Emscripten needs clang, lld and llvm of version $llvm_asked or newer"
    "$here/debian-install.sh" "clang-$llvm" "lld-$llvm" "llvm-$llvm" || fail "Emscripten needs the packages above"
fi

# Node finds acorn because this node_modules lies above the unpacked emscripten.
echo '{ "private": true, "description": "JavaScript half of the assembled Emscripten" }' >"$dir/package.json"
(cd "$dir" && npm install --no-save --no-package-lock --no-audit --no-fund --no-update-notifier --ignore-scripts --loglevel=error \
    "binaryen@$binaryen_asked" acorn@8 acorn-import-phases@1) >&2 ||
    fail "could not install binaryen $binaryen_asked and acorn from npm; is the network up?"
mkdir -p "$dir/binaryen/bin"
for tool in "$dir"/node_modules/binaryen/bin/wasm*; do
    chmod +x "$tool"
    ln -sf "$tool" "$dir/binaryen/bin/"
done

cat >"$dir/emscripten.config" <<END
EMSCRIPTEN_ROOT = '$emscripten'
LLVM_ROOT = '/usr/lib/llvm-$llvm/bin'
BINARYEN_ROOT = '$dir/binaryen'
NODE_JS = '$(command -v node)'
CACHE = '$dir/cache'
END

# The warnings silenced say that LLVM is newer than expected, which is what was chosen above.
write_wrapper "export EM_CONFIG='$dir/emscripten.config'" \
    "exec '$emscripten/emcc' -Wno-version-check \"\$@\""

# A first link proves the parts fit together and fills the cache of system libraries. --stack-first: see
# wasm/flags.mk.
cat >"$dir/probe.c" <<'END'
#include <math.h>
#include <stdlib.h>
#include <wasm_simd128.h>
__attribute__((export_name("probe"))) float probe(float x) {
    v128_t *p = malloc(sizeof *p);
    *p = wasm_f32x4_relaxed_madd(wasm_f32x4_splat(x), wasm_f32x4_splat(x), wasm_f32x4_splat(expf(x)));
    return wasm_f32x4_extract_lane(*p, 0);
}
END
"$dir/emcc" -O2 -mrelaxed-simd -sSTANDALONE_WASM --no-entry -sMALLOC=emmalloc -sALLOW_MEMORY_GROWTH -Wl,--stack-first \
    "$dir/probe.c" -o "$dir/probe.wasm" >"$dir/probe.log" 2>&1 || {
    cat "$dir/probe.log" >&2
    fail "the assembled Emscripten cannot link a small program (see above)"
}
rm -f "$dir/probe.c" "$dir/probe.wasm" "$dir/probe.log"
touch "$dir/assembled"
say "ready: Emscripten $(cat "$emscripten/emscripten-version.txt" | tr -d '"'), LLVM $llvm, binaryen $binaryen_asked"
echo "$dir/emcc"
