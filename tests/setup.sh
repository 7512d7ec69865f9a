#!/bin/sh
# What the native builds and the tests need from the system.
#
#   setup.sh compiler        a C compiler and SIMDe, or fails; oneDNN, without which training is slower
#   setup.sh browsers        Chromium and Firefox; where they cannot be installed it says so and succeeds,
#                            and the browser tests are skipped
#   setup.sh fuzz-compiler   prints a clang that has libFuzzer, or fails
set -eu
install=$(dirname "$0")/../wasm/debian-install.sh

have() { command -v "$1" >/dev/null 2>&1; }

case "$1" in
compiler)
    have gcc || have clang || have cc || "$install" gcc libc6-dev
    [ -e /usr/include/simde/wasm/simd128.h ] || [ -e /usr/local/include/simde/wasm/simd128.h ] ||
        "$install" libsimde-dev
    [ -e /usr/include/oneapi/dnnl/dnnl.h ] || [ -e /usr/local/include/oneapi/dnnl/dnnl.h ] ||
        "$install" libdnnl-dev || echo "setup: no oneDNN; itera-train will be slower" >&2
    ;;
browsers)
    have chromium || "$install" chromium || echo "setup: no chromium; its tests will be skipped" >&2
    have firefox-esr || "$install" firefox-esr || echo "setup: no firefox-esr; its tests will be skipped" >&2
    ;;
fuzz-compiler)
    # Newest first. A clang without its runtime library fails at the link.
    for clang in ${CLANG:-} $(ls -r /usr/lib/llvm-*/bin/clang 2>/dev/null) clang; do
        if echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return p && n > 9; }' |
            "$clang" -x c -fsanitize=fuzzer,address,undefined - -o /dev/null 2>/dev/null; then
            echo "$clang"
            exit 0
        fi
    done
    echo "setup: fuzzing needs clang with libFuzzer (Debian: clang and libclang-rt-dev)" >&2
    exit 1
    ;;
*)
    echo "usage: setup.sh compiler | browsers | fuzz-compiler" >&2
    exit 1
    ;;
esac
