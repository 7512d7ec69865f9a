# Itera-Lite. `make` lists the targets; everything made goes to build/ and web/dist/.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
# As many jobs as there are processors; a -j on the command line wins.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
# A line a step; `make V=1` shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo "$(1)")

include wasm/flags.mk

VARIANTS := scalar simd128 relaxed
THREADED := simd128-threads relaxed-threads
MODEL    ?= models/story-boot-q8_0.gguf

# Sorted, so that objects are linked in the same order everywhere.
ALL_SOURCES := $(sort $(shell find src -name '*.c'))
# A file of src/native is a program, a folder there the rest of one. The trainer is built in a way of its own, below.
PROGRAMS    := $(filter-out train,$(patsubst src/native/%.c,%,$(wildcard src/native/*.c)))
# The library holds all of src but the programs; wasm leaves out the trainer as well.
LIB_SOURCES  := $(filter-out src/native/%,$(ALL_SOURCES))
WASM_SOURCES := $(filter-out src/train/%,$(LIB_SOURCES)) $(sort $(wildcard wasm/*.c))
C_TESTS      := $(patsubst tests/c/%.c,%,$(wildcard tests/c/test_*.c))
FUZZERS      := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: help build toolchain wasm native package demo site test test-c bench fuzz fuzz-clang fuzz-plain setup clean
help:
	@echo "make build   toolchain if needed, the wasm modules, native library and programs, package"
	@echo "make demo    build, then serve the chat page on 127.0.0.1 and print its address"
	@echo "make site    build, then write the page into build/site for a static host (SITE=folder)"
	@echo "make test    install what is missing, build, run all tests: C, types, Node, browsers"
	@echo "make test-c  only the C tests, under sanitizers (TEST=name runs those whose program is named so)"
	@echo "make bench   speed of each SIMD variant in Node (MODEL=file.gguf)"
	@echo "make fuzz    fuzz the file readers under sanitizers (FUZZ_SECONDS=60 each)"
	@echo "make wasm    only the wasm modules, into web/dist/"
	@echo "make clean   remove what was built, but keep the assembled toolchain (build/toolchain)"

build: wasm package native

# ---- Emscripten ----------------------------------------------------------------------------------------
# The script is quick when all is there. It rewrites build/toolchain/emcc only when the compiler behind it
# changes, so objects are rebuilt exactly then.
EMCC := build/toolchain/emcc
toolchain:
	@wasm/toolchain.sh >/dev/null
$(EMCC): toolchain ;

# ---- wasm ----------------------------------------------------------------------------------------------
WASM_MODULES := $(patsubst %,web/dist/itera-%.wasm,$(VARIANTS) $(THREADED))
WASM_LIMIT   := 200000

wasm: $(WASM_MODULES)
	@failed=0; for module in $^; do \
	    bytes=$$(wc -c <$$module); gzipped=$$(gzip -9c $$module | wc -c); \
	    echo "$$module: $$bytes bytes, $$gzipped gzipped"; \
	    if [ $$bytes -ge $(WASM_LIMIT) ]; then echo "$$module is not under $(WASM_LIMIT) bytes" >&2; failed=1; fi; \
	done; exit $$failed

# Rules of one variant, objects under build/<variant>/. Linked under a name of its own and then moved: the
# page may be served, or another make be running, at the same time.
define wasm_variant
WASM_OBJECTS_$(1) := $$(patsubst %.c,build/$(1)/%.o,$$(filter-out $$(WASM_LEAVE_OUT_$(1)),$$(WASM_SOURCES)))

build/$(1)/%.o: %.c wasm/flags.mk $$(EMCC)
	@mkdir -p $$(@D)
	$$(call say,  CC   $(1) $$<)
	$$(Q)$$(EMCC) $$(WASM_CFLAGS) $$(WASM_FEATURES_$(1)) $$(call WASM_SOURCE_FLAGS,$(1),$$<) -MMD -MP -c $$< -o $$@

web/dist/itera-$(1).wasm: $$(WASM_OBJECTS_$(1))
	@mkdir -p $$(@D)
	$$(call say,  LINK $$@)
	$$(Q)linked=build/$(1)/linked-$$$$$$$$.wasm; \
	    $$(EMCC) $$(WASM_LDFLAGS) $$(WASM_LDFLAGS_$(1)) $$(WASM_FEATURES_$(1)) $$^ -o $$$$linked && chmod 644 $$$$linked && mv $$$$linked $$@

-include $$(WASM_OBJECTS_$(1):.o=.d)
endef
$(foreach variant,$(VARIANTS) $(THREADED),$(eval $(call wasm_variant,$(variant))))

# ---- package -------------------------------------------------------------------------------------------
# The chat template engine travels inside the package as the one file it is, its licence on top and beside it.
JINJA := node_modules/@huggingface/jinja
package: web/dist/jinja.js web/dist/jinja.LICENSE.txt web/LICENSE
# npm packs a licence only from the package's own folder.
web/LICENSE: LICENSE
	cp $< $@
web/dist/jinja.js: node_modules/.package-lock.json Makefile
	@mkdir -p $(@D)
	@{ echo '// @ts-nocheck'; echo '/*!'; sed -n 's/.*"version": "\(.*\)".*/@huggingface\/jinja \1/p' $(JINJA)/package.json; echo; \
	    cat $(JINJA)/LICENSE; echo '*/'; cat $(JINJA)/dist/index.js; } >$@
web/dist/jinja.LICENSE.txt: node_modules/.package-lock.json
	@mkdir -p $(@D)
	@cp $(JINJA)/LICENSE $@

# All of the package in one file, for bundlers that leave `new URL(file, import.meta.url)` alone.
package: web/dist/inline.js
web/dist/inline.js: $(WASM_MODULES) web/dist/jinja.js $(shell find web/src -name '*.js') $(wildcard web/inline/*)
	$(call say,  PACK $@)
	$(Q)node web/inline/build.mjs $@

# npm leaves this file behind; older than the lock file, the packages are another time's.
node_modules/.package-lock.json: package-lock.json
	npm ci --no-audit --no-fund --no-update-notifier --ignore-scripts --loglevel=error
	@touch $@

# ---- native --------------------------------------------------------------------------------------------
# Three builds of the same core: `native` for the programs, `asan` for the tests, and `tsan` for those of threads.
# All kernels are in each, the SIMD ones through SIMDe.
ifeq ($(origin CC),default)
CC := $(firstword $(foreach compiler,gcc clang,$(shell command -v $(compiler) 2>/dev/null)) cc)
endif
NATIVE_CFLAGS := -std=c11 -Isrc -Wall -Wextra -ffp-contract=off -pthread -MMD -MP
CFLAGS_native := -O2 -fno-math-errno
CFLAGS_asan   := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_tsan   := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -fno-sanitize-recover=all

define native_variant
build/$(1)/%.o: %.c Makefile | setup
	@mkdir -p $$(@D)
	$$(call say,  CC   $(1) $$<)
	$$(Q)$$(CC) $$(NATIVE_CFLAGS) $$(CFLAGS_$(1)) $$(CFLAGS) -c $$< -o $$@

# Made anew, so that no object of a source since removed stays inside.
build/$(1)/libitera.a: $$(LIB_SOURCES:%.c=build/$(1)/%.o)
	@rm -f $$@
	@$$(AR) rc $$@ $$^

-include $$(ALL_SOURCES:%.c=build/$(1)/%.d)
endef
$(foreach variant,native asan tsan,$(eval $(call native_variant,$(variant))))

native: build/native/libitera.a $(PROGRAMS:%=build/native/%)
$(PROGRAMS:%=build/native/%): build/native/%: build/native/src/native/%.o build/native/libitera.a
	$(call say,  LINK $@)
	$(Q)$(CC) $(CFLAGS_native) -pthread $^ -o $@ -lm

# ---- trainer -------------------------------------------------------------------------------------------
# Built for this machine, with threads, and with oneDNN where it is installed (Debian: libdnnl-dev); asked
# at the link, since setup may just have installed it.
# The widest vectors of the machine, where the compiler knows how to ask for them.
TRAIN_VECTORS := $(if $(filter x86_64 amd64,$(shell uname -m)),-mprefer-vector-width=512)
TRAIN_CFLAGS := -O3 -march=native $(TRAIN_VECTORS) -ffp-contract=fast -fno-math-errno -fno-trapping-math \
    -fopenmp -DITERA_USE_DNNL
TRAIN_LIBS    = $(shell $(CC) -include oneapi/dnnl/dnnl.h -E -x c /dev/null >/dev/null 2>&1 && echo -ldnnl)
TRAIN_OBJECTS := $(patsubst %.c,build/train/%.o,src/native/train.c \
    $(filter src/native/train/%,$(ALL_SOURCES)) $(filter src/train/% src/base/% src/gguf/% src/quant/%,$(LIB_SOURCES)))
build/train/%.o: %.c Makefile | setup
	@mkdir -p $(@D)
	$(call say,  CC   train $<)
	$(Q)$(CC) $(NATIVE_CFLAGS) $(TRAIN_CFLAGS) $(CFLAGS) -c $< -o $@
build/native/itera-train: $(TRAIN_OBJECTS)
	@mkdir -p $(@D)
	$(call say,  LINK $@)
	$(Q)$(CC) -fopenmp $^ -o $@ $(TRAIN_LIBS) -lm
-include $(TRAIN_OBJECTS:.o=.d)
native: build/native/itera-train

# Every tests/c/test_*.c is a program; the other files there are shared helpers.
C_HELPERS := $(patsubst %.c,build/asan/%.o,$(filter-out tests/c/test_%,$(wildcard tests/c/*.c)))
C_TEST_PROGRAMS := $(C_TESTS:%=build/asan/%)
$(C_TEST_PROGRAMS): build/asan/%: build/asan/tests/c/%.o $(C_HELPERS) build/asan/libitera.a
	$(call say,  LINK $@)
	$(Q)$(CC) $(CFLAGS_asan) -pthread $^ -o $@ -lm
-include $(patsubst tests/c/%.c,build/asan/tests/c/%.d,$(wildcard tests/c/*.c))
C_TEST_PROGRAMS += build/tsan/test_threads
build/tsan/test_threads: build/tsan/tests/c/test_threads.o $(patsubst build/asan/%,build/tsan/%,$(C_HELPERS)) build/tsan/libitera.a
	$(call say,  LINK $@)
	$(Q)$(CC) $(CFLAGS_tsan) -pthread $^ -o $@ -lm
-include $(patsubst tests/c/%.c,build/tsan/tests/c/%.d,$(wildcard tests/c/*.c))
.SECONDARY:

# ---- fuzzing -------------------------------------------------------------------------------------------
# tests/fuzz/fuzz_NAME.c defines LLVMFuzzerTestOneInput; tests/fuzz/corpus/NAME holds its first inputs.
# clang's libFuzzer drives it where there is one; new inputs and crashers go to build/fuzz/. With
# -DITERA_FUZZ_PLAIN the file brings a main() of its own, for other compilers and for `make test`.
FUZZ_SECONDS ?= 60
FUZZ_CFLAGS  := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all

fuzz:
	@if clang=$$(tests/setup.sh fuzz-compiler); then \
	    $(MAKE) --no-print-directory fuzz-clang FUZZ_CC=$$clang; \
	else \
	    $(MAKE) --no-print-directory fuzz-plain; \
	fi

build/fuzz/%.o: %.c Makefile | setup
	@mkdir -p $(@D)
	$(call say,  CC   fuzz $<)
	$(Q)$(FUZZ_CC) $(NATIVE_CFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -c $< -o $@
$(FUZZERS:%=build/fuzz/%): build/fuzz/%: build/fuzz/tests/fuzz/%.o $(LIB_SOURCES:%.c=build/fuzz/%.o)
	$(call say,  LINK $@)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -pthread $^ -o $@ -lm
-include $(LIB_SOURCES:%.c=build/fuzz/%.d) $(FUZZERS:%=build/fuzz/tests/fuzz/%.d)

fuzz-clang: $(FUZZERS:%=build/fuzz/%)
	@for name in $(FUZZERS:fuzz_%=%); do \
	    mkdir -p build/fuzz/corpus/$$name; \
	    build/fuzz/fuzz_$$name -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build/fuzz/crash-$$name- \
	        $(FUZZ_FLAGS) build/fuzz/corpus/$$name tests/fuzz/corpus/$$name || exit 1; \
	done

# Fuzzers that bring such a main().
PLAIN_FUZZERS := $(patsubst tests/fuzz/%.c,%,$(shell grep -l 'ifdef ITERA_FUZZ_PLAIN' tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS := $(PLAIN_FUZZERS:%=build/asan/%)
build/asan/tests/fuzz/%.o: NATIVE_CFLAGS += -DITERA_FUZZ_PLAIN
$(FUZZ_PROGRAMS): build/asan/%: build/asan/tests/fuzz/%.o build/asan/libitera.a
	$(call say,  LINK $@)
	$(Q)$(CC) $(CFLAGS_asan) -pthread $^ -o $@ -lm
-include $(PLAIN_FUZZERS:%=build/asan/tests/fuzz/%.d)

FUZZ_RUNS ?= 1000000
fuzz-plain: $(FUZZ_PROGRAMS)
	@for name in $(PLAIN_FUZZERS:fuzz_%=%); do \
	    build/asan/fuzz_$$name $(FUZZ_RUNS) tests/fuzz/corpus/$$name/* || exit 1; \
	done

# ---- tests ---------------------------------------------------------------------------------------------
# What compiling and testing natively needs from Debian; installed when missing.
setup:
	@tests/setup.sh compiler

test: build $(C_TEST_PROGRAMS) $(FUZZ_PROGRAMS)
	@tests/setup.sh browsers
	@node tests/run.mjs $(C_TEST_PROGRAMS) $(FUZZ_PROGRAMS)

test-c: $(if $(TEST),$(filter %$(TEST),$(C_TEST_PROGRAMS)),$(C_TEST_PROGRAMS))
	@node tests/run.mjs --only-c $^

bench: wasm package
	@for variant in $(VARIANTS); do \
	    echo "== $$variant"; node web/bin/itera.mjs bench -m $(MODEL) --simd $$variant || exit 1; \
	done

# ---- demo ----------------------------------------------------------------------------------------------
demo: wasm package
	@node demo/serve.mjs --port $(or $(PORT),8080)

# The same page as a folder for any static host.
site: wasm package
	@node demo/export.mjs $(or $(SITE),build/site)

clean:
	rm -rf web/dist $(filter-out build/toolchain,$(wildcard build/*))
