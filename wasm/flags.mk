# Compiler and linker flags of the five wasm modules, each with its reason. A module is validated whole by
# the engine that loads it, so what differs between engines needs a module of its own; JavaScript picks.

# ---- what sets the variants apart
WASM_FEATURES_scalar  :=                # the oldest engines; also the reference the others are held to
WASM_FEATURES_simd128 := -msimd128      # 128-bit vectors: every browser since 2023
WASM_FEATURES_relaxed := -msimd128 -mrelaxed-simd  # fused multiply-add and the 8-bit dot product
# For several threads on one memory, which a page has only when it is isolated and which must then be shared: a
# module says in its imports which kind of memory it takes, so these are files of their own.
WASM_THREADS := -matomics -mbulk-memory
WASM_FEATURES_simd128-threads := $(WASM_FEATURES_simd128) $(WASM_THREADS)
WASM_FEATURES_relaxed-threads := $(WASM_FEATURES_relaxed) $(WASM_THREADS)

# Sources that only some variants may compile, because their intrinsics would not be accepted elsewhere.
WASM_LEAVE_OUT_scalar  := %_simd128.c %_relaxed.c
WASM_LEAVE_OUT_simd128 := %_relaxed.c wasm/exports_quantize.c  # `itera quantize` loads the scalar module
WASM_LEAVE_OUT_relaxed := wasm/exports_quantize.c
WASM_LEAVE_OUT_simd128-threads := $(WASM_LEAVE_OUT_simd128) wasm/exports_writer.c  # files are written on one thread
WASM_LEAVE_OUT_relaxed-threads := $(WASM_LEAVE_OUT_relaxed) wasm/exports_writer.c

# ---- compiling
WASM_CFLAGS := -std=c11 -Isrc
WASM_CFLAGS += -Wall -Wextra
WASM_CFLAGS += -O2                      # -O3 unrolls more and is no faster here: the kernels set their own tiles
WASM_CFLAGS += -DNDEBUG                 # asserts guard our own mistakes and run in the native test builds
WASM_CFLAGS += -ffp-contract=off        # a*b+c rounds twice, as in the scalar reference; fusing is by intrinsic
WASM_CFLAGS += -fno-math-errno          # sqrtf becomes one instruction; nobody reads errno
# No -ffast-math: infinities serve as masks, and sums keep their lane order so that variants agree.
WASM_CFLAGS += -fvisibility=hidden      # only what wasm/exports*.c mark with export_name is exported

# Of the scalar reference a SIMD module needs the results only: a loop that the compiler turned into vectors
# would be larger, and no use.
WASM_PLAIN := -fno-vectorize -fno-slp-vectorize
WASM_SOURCE_FLAGS = $(if $(and $(filter-out scalar,$(1)),$(filter %_scalar.c,$(2))),$(WASM_PLAIN))
# What runs once a token or once a file, and not once a weight, is compiled for size.
WASM_SMALL := $(filter-out src/base/hash.c,$(wildcard src/base/*.c)) src/gguf/%.c src/arch/%.c src/blocks/%.c wasm/%.c $(addprefix src/runtime/,model.c session.c snapshot.c trace.c)
WASM_SOURCE_FLAGS += $(if $(filter $(WASM_SMALL),$(2)),-Oz)
# What runs once a weight, but only while a file is loaded; the scalar products take their weights through it.
WASM_SOURCE_FLAGS += $(if $(filter-out scalar,$(1)),$(if $(filter src/quant/pack.c src/quant/q5.c,$(2)),-Os))

# ---- linking
# wasm-opt over the linked module; its -O3 reorders what the tiles of the products pin in place: half the speed.
WASM_LDFLAGS := -O2
WASM_LDFLAGS += -sSTANDALONE_WASM       # no JavaScript glue: web/src/wasm.js instantiates the module itself
WASM_LDFLAGS += --no-entry              # a library: there is no main
WASM_LDFLAGS += -sFILESYSTEM=0          # the core never opens files
WASM_LDFLAGS += -sMALLOC=emmalloc       # a few large blocks, seldom freed: the small allocator will do
WASM_LDFLAGS += -sALLOW_MEMORY_GROWTH   # models differ in size by a thousand
WASM_LDFLAGS += -sMAXIMUM_MEMORY=4GB    # all that 32-bit wasm can address
WASM_LDFLAGS += -sINITIAL_MEMORY=2MB    # code data and stack; the first model grows it at once
WASM_LDFLAGS += -sSTACK_SIZE=256KB      # four times the default; kernels keep tiles on the stack
WASM_LDFLAGS_THREADS := -sSHARED_MEMORY -sIMPORTED_MEMORY  # JavaScript makes the memory and gives it to every thread
WASM_LDFLAGS_THREADS += -Wl,--export=__stack_pointer,--export=__wasm_init_tls,--export=__tls_size,--export=__tls_align  # of its own in each
WASM_LDFLAGS_simd128-threads := $(WASM_LDFLAGS_THREADS)
WASM_LDFLAGS_relaxed-threads := $(WASM_LDFLAGS_THREADS)
WASM_LDFLAGS += -Wl,--stack-first       # a stack that overflows leaves memory and traps instead of writing over data
