# nxtools: `make demo` and `make check` do everything, from installing what is
# missing on; `make` alone builds the programs beside their sources in bin/.
#
#   make demo [MODEL=dir TOKENIZER=file DATA=file]   the main job, end to end
#   make check     every test; the last line is "N passed, N failed"
#   make examples [GUIDE=dir]   those that take minutes
#   make check-deep   analyzers, valgrind, every fault, 200 kills   make soak GB=50   volume
#   make bench     against the peers       make fuzz [SECONDS=600] [DRIVERS='json bpe']   long fuzzing
#   make install   PREFIX, DESTDIR, PROGRAM_PREFIX (split is always installed as nx-split)
#   make dist      the sources as build/nxtools-VERSION.tar.gz
#   DEV=1 warnings are errors; FLAVOUR=san AddressSanitizer and UBSan, FLAVOUR=tsan ThreadSanitizer; CC=clang

MAKEFLAGS += -rR
.DELETE_ON_ERROR:
.SECONDARY:

VERSION := 0.1.0
CC      ?= cc
ifeq ($(origin CC),default)
CC      := cc
endif
AR      := ar
FLAVOUR ?= rel
PREFIX  ?= /usr/local
PACKAGES := gcc libc6-dev make pkg-config libyajl-dev libutf8proc-dev libzstd-dev libopenblas-dev libcurl4-openssl-dev ca-certificates
CHECK_PACKAGES := bats zstd bsdextrautils shellcheck mandoc clang libclang-rt-dev parallel openssl socat librsvg2-bin

# --- flags -------------------------------------------------------------------
LIBS     := yajl libutf8proc libzstd
HEADERS  := openblas
NETLIBS  := libcurl
WARN     := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings \
            -Wconversion -Wno-sign-conversion
# -g1: lines in backtraces and reports; what gdb wants more costs a third of a sanitized build (CFLAGS=-g has it).
OPT.rel  := -O2 -g1
OPT.san  := -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPT.tsan := -O1 -g1 -fsanitize=thread
OPT.cov  := -O0 -g --coverage
PKG      := $(shell pkg-config --cflags $(LIBS) $(HEADERS) $(NETLIBS) 2>/dev/null)
CPPFLAGS := -D_GNU_SOURCE -DNXTOOLS_VERSION='"$(VERSION)"' -Ilib
CFLAGS   ?=
ALL_CFLAGS = -std=c11 $(OPT.$(FLAVOUR)) -pthread -fopenmp-simd -ffp-contract=off -fno-math-errno $(WARN) $(if $(DEV),-Werror) $(PKG) $(CFLAGS)
LDLIBS   := $(shell pkg-config --libs $(LIBS) 2>/dev/null) -lm -ldl

# Kernels are compiled once for each instruction set and chosen at run time. Fuzzing is not about
# them, and clang takes minutes over UBSan's checks in what they unroll: FLAVOUR=san has those.
KERNELS    := $(if $(filter fuzz,$(FLAVOUR)),-O1 -fno-sanitize=undefined,-O3)
ISA.base   := $(KERNELS)
ISA.avx2   := $(KERNELS) -mavx2 -mfma -mf16c -mbmi -mbmi2
ISA.avx512 := $(KERNELS) -mavx2 -mfma -mf16c -mbmi -mbmi2 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
ISAS := base $(if $(findstring x86_64,$(shell $(CC) -dumpmachine)),avx2 avx512)

# --- what is built where -------------------------------------------------------
# Objects stand under a key of compiler and flags: flavours never mix, and a
# changed flag rebuilds.
KEY  := $(shell printf '%s' '$(CC) $(ALL_CFLAGS) $(CPPFLAGS) $(ISA.avx512)' | cksum | cut -d' ' -f1)
O    := build/$(FLAVOUR)-$(notdir $(CC))-$(KEY)
BIN  := $(if $(filter rel,$(FLAVOUR)),bin,build/$(FLAVOUR)/bin)
UNIT := build/$(FLAVOUR)/unit

PROGS    := $(patsubst bin/%.c,%,$(wildcard bin/*.c))
MULTI    := $(wildcard lib/*/*_isa.c)
LIB_SRC  := $(filter-out $(MULTI),$(wildcard lib/*/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(O)/%.o) $(foreach i,$(ISAS),$(MULTI:%.c=$(O)/%.$(i).o))
LIB      := $(O)/libnxtools.a
UNITS    := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*.c))

.PHONY: all units deps check-deps demo check examples check-deep bench soak fuzz completions install uninstall dist clean print-bin
all: $(PROGS:%=$(BIN)/%)
units: $(UNITS:%=$(UNIT)/%) build/$(FLAVOUR)/server

# The programs and unit tests are relinked when the key changes: the stamp names it.
$(shell mkdir -p build $(BIN) $(UNIT) && { [ "$$(cat build/$(FLAVOUR)/key 2>/dev/null)" = '$(O)' ] || { mkdir -p build/$(FLAVOUR) && echo '$(O)' > build/$(FLAVOUR)/key; }; })

$(BIN)/%: $(O)/bin/%.o $(LIB) build/$(FLAVOUR)/key
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LDLIBS)
$(UNIT)/%: $(O)/tests/unit/%.o $(LIB) build/$(FLAVOUR)/key
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LDLIBS)
# The server that tests ask.
build/$(FLAVOUR)/server: $(O)/tests/net/server.o build/$(FLAVOUR)/key
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^)
# Loading libcurl takes as long as a short run: only those that need it have it.
$(BIN)/api-generate $(BIN)/nx-fetch $(UNIT)/http: LDLIBS += $(shell pkg-config --libs $(NETLIBS) 2>/dev/null)
build/$(FLAVOUR)/bench/%: $(O)/tests/bench/%.o $(LIB) build/$(FLAVOUR)/key
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LDLIBS)
# For tests that link the library themselves: a file that names it.
build/$(FLAVOUR)/lib: $(LIB) build/$(FLAVOUR)/key
	@echo $(LIB) > $@
$(LIB): $(LIB_OBJ)
	rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)
$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
# Tables kept between runs are of this code alone: a change of their makers' sources is another version.
MAKERS := $(sort $(wildcard lib/text/*.[ch]))
$(O)/lib/text/image.o: CPPFLAGS += -DIMAGE_VERSION=$(shell cat $(MAKERS) | cksum | cut -d' ' -f1)u
$(O)/lib/text/image.o: $(MAKERS)
# With all that UBSan checks in these, gcc takes a minute and a half at -O3; their tests take no longer at -O1.
$(O)/lib/nx/gemm_isa.%.o: LESS = $(if $(filter san,$(FLAVOUR)),-O1,$(LEAST))
$(O)/lib/nx/matmul_isa.%.o: LESS = $(LEAST)
# The same checks of the fuzzers, but called, and what is unrolled does not tell where input leads.
LEAST := $(if $(filter fuzz,$(FLAVOUR)),-fno-sanitize=fuzzer-no-link -mllvm -asan-instrumentation-with-call-threshold=0)
define isa_rule
$(O)/%_isa.$(1).o: %_isa.c
	@mkdir -p $$(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ISA.$(1)) $$(LESS) -DISA=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$(i))))
-include $(shell find $(O) -name '*.d' 2>/dev/null)

# --- the two commands ----------------------------------------------------------
deps:
	@tests/install-packages $(PACKAGES)
check-deps: deps
	@tests/install-packages $(CHECK_PACKAGES)
# Packages may have come with `deps`: flags of pkg-config are read by a second make.
demo: deps
	@$(MAKE) --no-print-directory all
	@examples/demo "$(MODEL)" "$(TOKENIZER)" "$(DATA)"
check: check-deps
	@tests/check

# The long examples; GUIDE: where lamini_docs.jsonl and pythia.tokenizer.json are.
examples: deps
	@$(MAKE) --no-print-directory all
	@rm -rf build/examples && mkdir -p build/examples/experiment
	@BIN=$(BIN) examples/guide/walk build/examples/guide
	@$(MAKE) --no-print-directory -C build/examples/experiment -f $(CURDIR)/examples/experiment/Makefile BIN=$(CURDIR)/$(BIN) show
	@$(if $(GUIDE),BIN=$(BIN) examples/curve/run build/examples/curve $(GUIDE),echo 'examples/curve/run needs GUIDE=dir')

bench: deps
	@$(MAKE) --no-print-directory all
	@tests/bench/data
	@tests/bench/run
check-deep: check-deps
	@tests/install-packages clang-tidy cppcheck valgrind
	@tests/deep
soak: all units build/$(FLAVOUR)/bench/flood
	@tests/soak $(or $(GB),50) $(PARTS)
fuzz: check-deps
	@tests/fuzz/run $(or $(SECONDS),60) $(DRIVERS)

# --- install -------------------------------------------------------------------
installed = $(PROGRAM_PREFIX)$(if $(PROGRAM_PREFIX),$(1),$(if $(filter split,$(1)),nx-split,$(1)))
SHARE    = $(DESTDIR)$(PREFIX)/share
BASH_DIR = $(SHARE)/bash-completion/completions
ZSH_DIR  = $(SHARE)/zsh/site-functions
FISH_DIR = $(SHARE)/fish/vendor_completions.d
# Made by what --help prints, so by the programs themselves.
completions: all
	rm -rf build/completions && man/completions build/completions $(foreach p,$(PROGS),$(call installed,$(p))=$(BIN)/$(p))
install: all completions
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man7
	$(foreach p,$(PROGS),install -m 755 $(BIN)/$(p) $(DESTDIR)$(PREFIX)/bin/$(call installed,$(p)) && install -m 644 man/$(p).1 $(DESTDIR)$(PREFIX)/share/man/man1/$(call installed,$(p)).1 &&) true
	install -m 644 man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 man/*.7 $(DESTDIR)$(PREFIX)/share/man/man7/
	install -d $(BASH_DIR) $(ZSH_DIR) $(FISH_DIR)
	install -m 644 build/completions/bash/* $(BASH_DIR)/
	install -m 644 build/completions/zsh/* $(ZSH_DIR)/
	install -m 644 build/completions/fish/* $(FISH_DIR)/
uninstall:
	rm -f $(foreach p,$(PROGS),$(DESTDIR)$(PREFIX)/bin/$(call installed,$(p)) $(DESTDIR)$(PREFIX)/share/man/man1/$(call installed,$(p)).1)
	rm -f $(patsubst man/%,$(DESTDIR)$(PREFIX)/share/man/man5/%,$(wildcard man/*.5)) $(patsubst man/%,$(DESTDIR)$(PREFIX)/share/man/man7/%,$(wildcard man/*.7))
	rm -f $(foreach n,$(foreach p,$(PROGS),$(call installed,$(p))),$(BASH_DIR)/$(n) $(ZSH_DIR)/_$(n) $(FISH_DIR)/$(n).fish)
# What is committed; in a copy without git, what is no build's.
DIST := nxtools-$(VERSION)
dist:
	@if [ -e .git ]; then git archive --prefix=$(DIST)/ HEAD; \
	else tar -c --owner=0 --group=0 --sort=name --transform 's,^\.,$(DIST),' --exclude=./build --exclude=./demo --exclude=./walk $(PROGS:%=--exclude=./bin/%) .; \
	fi >build/$(DIST).tar && gzip -nf build/$(DIST).tar
	@echo build/$(DIST).tar.gz
clean:
	rm -rf build demo $(PROGS:%=bin/%)
