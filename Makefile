# twintun: everything is built from wildcards; adding a file needs no edit here.
#
#   BUILD=release (the default), debug, or asan: each has its own folder under build/; the release
#   programs are in build/bin.

BUILD ?= release
O     := build/$(BUILD)
BIN   := $(if $(filter release,$(BUILD)),build/bin,$(O)/bin)

PACKAGES := libnl-3.0 libnl-route-3.0 jansson libsodium libcap-ng
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wcast-qual -Wformat=2 -Wvla -Werror
MODE_release := -O2 -g
MODE_debug   := -O0 -g3
MODE_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# The core sees neither clock nor descriptor: it is plain C11, where they do not compile.
CORE     := base wire ip tcp stack app
CORE_SRC := $(foreach d,$(CORE),$(wildcard common/$(d)/*.c common/$(d)/*/*.c))
OS_SRC   := $(wildcard common/link/*.c common/run/*.c)
CFLAGS   ?=
ALL_CFLAGS = $(WARNINGS) $(MODE_$(BUILD)) -Icommon -I. -MMD -MP $(CFLAGS)
STD_CORE  := -std=c11
STD_OS    := -std=gnu11 -D_GNU_SOURCE

LIB      := $(O)/libtwintun.a
LIB_OBJ  := $(patsubst %.c,$(O)/%.o,$(CORE_SRC) $(OS_SRC))
PROGRAMS := $(BIN)/host $(BIN)/peer $(BIN)/netsetup

all: build
build: $(PROGRAMS)

$(patsubst %.c,$(O)/%.o,$(CORE_SRC)): $(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(STD_CORE) $(ALL_CFLAGS) -c -o $@ $<

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(STD_OS) $(PKG_CFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BIN)/host: $(patsubst %.c,$(O)/%.o,$(wildcard host/*.c)) $(LIB)
$(BIN)/peer: $(patsubst %.c,$(O)/%.o,$(wildcard peer/*.c)) $(LIB)
$(BIN)/netsetup: $(patsubst %.c,$(O)/%.o,$(wildcard netsetup/*.c)) $(LIB)
$(PROGRAMS):
	@mkdir -p $(@D)
	$(CC) $(MODE_$(BUILD)) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(PKG_LIBS)

# Every tests/unit/NAME_test.c is a program of its own.
UNIT_BIN := $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/*_test.c))
$(O)/unit/%: $(O)/tests/unit/%.o $(O)/netsetup.a $(LIB)
	@mkdir -p $(@D)
	$(CC) $(MODE_$(BUILD)) $(LDFLAGS) -o $@ $(filter %.o,$^) $(O)/netsetup.a $(LIB) $(PKG_LIBS) -lcmocka
units: $(UNIT_BIN)
	@for t in $^; do echo "== $$t"; $$t || exit 1; done

# netsetup without its main, for its unit tests
$(O)/netsetup.a: $(patsubst %.c,$(O)/%.o,$(filter-out netsetup/main.c,$(wildcard netsetup/*.c)))
	@rm -f $@; mkdir -p $(@D)
	ar rcs $@ $^

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)

.PHONY: all build units clean
