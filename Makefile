# twintun: everything is built from wildcards; adding a file needs no edit here.
#
#   make demo         everything from nothing, in a private network namespace: see it happen
#   make test         the same set-up, then every test
#
# The lab on this machine, for two terminals (`network` asks for root through sudo):
#   make network      TUNs, addresses, forwarding and rules, of both families; clean_network
#                     undoes it
#   make run-peer     in one terminal, and
#   make run-host     in another; trace-host adds a line per packet, a capture
#                     in build/host.pcapng, and a trace in build/host.json for ui.perfetto.dev
#   make view_network what is up, and what of it is ours
#   make setcap       instead: the nodes may make their own TUNs
#   make preroute, clean_preroute, forwarding, clean_forwarding      only that part
#
#   make build        the programs, in build/bin; make clean removes build/
#   make deps         what is missing here, installed with apt, dnf or pacman
#   make install      into PREFIX (/usr/local) as twintun-host, -peer, -netsetup, with their
#                     manual pages; uninstall
#   make units, lint, format, conformance                            parts of the work on it
#   make bench        how fast, beside the device, kernel TCP and lwIP; QUICK=1 in a minute
#   make many         a million connections between two nodes, or N=...
#   make soak         the simulator for long: a million seeds, or SEEDS=FROM..TO
#   make matrix       tests/sim/matrix.txt anew: simulated goodput, which `make test` compares;
#   make pictures     those of docs/congestion.md, from that
#   make mutants      faults put into the stack on purpose, each found by the simulator;
#                     ONLY=NAME tries one
#   make fuzz         libFuzzer (clang) for RUNS executions, a million; FUZZ=NAME is one fuzzer
#
#   BUILD=release (the default), debug, asan, or tsan: each has its own folder under build/; V=1
#   shows each command whole. `build` and `clean` never touch the network.

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
MODE_tsan    := -O1 -g -fsanitize=thread

# For libFuzzer, which is clang's: with the sanitizers, and without them for sheer numbers.
MODE_fuzz    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
                -fno-omit-frame-pointer -fsanitize=fuzzer-no-link
MODE_fuzz-fast := -O2 -g -fsanitize=fuzzer-no-link
ifneq ($(filter fuzz fuzz-fast,$(BUILD)),)
CC := clang
endif

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

# Each command is said in a word; `make V=1` shows it whole.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $@)

all: build
build: $(PROGRAMS)
	@: # says nothing when nothing is to be done
help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

$(patsubst %.c,$(O)/%.o,$(CORE_SRC)): $(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(STD_CORE) $(ALL_CFLAGS) -c -o $@ $<

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(STD_OS) $(PKG_CFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(call say,AR)
	$(Q)ar rcs $@ $^

# For others to use, gcc optimizes each node as a whole: a round trip takes a twelfth less. Whatever tests
# link, it compiles file by file, which takes less time. Functions far larger than usual go into one another:
# another tenth.
INLINE  := $(addprefix --param=,max-inline-insns-auto=200 large-function-growth=400 inline-unit-growth=100)
WHOLE   := $(if $(filter release,$(BUILD)),$(if $(findstring gcc version,$(shell $(CC) -v 2>&1)),whole/))
WHOLE_C := $(if $(WHOLE),-O3 $(INLINE) -flto -fno-fat-lto-objects)
WHOLE_L := $(if $(WHOLE),-O3 -flto=1 -flto-partition=one)
LIB_WHOLE := $(if $(WHOLE),$(patsubst %.c,$(O)/whole/%.o,$(CORE_SRC) $(OS_SRC)),$(LIB))
$(patsubst %.c,$(O)/whole/%.o,$(CORE_SRC)): $(O)/whole/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(STD_CORE) $(ALL_CFLAGS) $(WHOLE_C) -c -o $@ $<
$(O)/whole/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(STD_OS) $(PKG_CFLAGS) $(ALL_CFLAGS) $(WHOLE_C) -c -o $@ $<

$(BIN)/host: $(patsubst %.c,$(O)/$(WHOLE)%.o,$(wildcard host/*.c)) $(LIB_WHOLE)
$(BIN)/peer: $(patsubst %.c,$(O)/$(WHOLE)%.o,$(wildcard peer/*.c)) $(LIB_WHOLE)
$(BIN)/host $(BIN)/peer:
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(MODE_$(BUILD)) $(WHOLE_L) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS)
$(BIN)/netsetup: $(patsubst %.c,$(O)/%.o,$(wildcard netsetup/*.c)) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(MODE_$(BUILD)) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(PKG_LIBS)

# Every tests/unit/NAME_test.c, tests/tools/NAME.c and tests/bench/NAME.c is a program of its own.
UNIT_BIN := $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/*_test.c))
TOOL_BIN := $(patsubst tests/tools/%.c,$(O)/tools/%,$(wildcard tests/tools/*.c))
BENCH_BIN := $(patsubst tests/bench/%.c,$(O)/bench/%,$(wildcard tests/bench/*.c))
FUZZERS  := $(patsubst tests/fuzz/%_fuzz.c,$(O)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
SIM_OBJ  := $(patsubst %.c,$(O)/%.o,$(wildcard tests/sim/*.c))
LINK_TEST = $(CC) $(MODE_$(BUILD)) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS)

$(O)/unit/%: $(O)/tests/unit/%.o $(O)/netsetup.a $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK_TEST) -lcmocka
$(O)/tools/%: $(O)/tests/tools/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK_TEST)
$(O)/bench/%: $(O)/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK_TEST)
# These are nodes, too, but for their applications.
NODE_BENCH := $(O)/bench/client $(O)/bench/core
$(NODE_BENCH): $(O)/bench/%: $(O)/$(WHOLE)tests/bench/%.o $(LIB_WHOLE)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(MODE_$(BUILD)) $(WHOLE_L) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS)
# lwIP is there or not, which the program says itself, and it is made again when that changes; some
# of its functions have names of ours.
LWIP := $(if $(wildcard /usr/include/lwip/lwip/init.h),/usr/include/lwip)
$(O)/tests/bench/lwip.o: PKG_CFLAGS += $(LWIP:%=-isystem %)
LWIP_IS := $(O)/tests/bench/lwip.$(if $(LWIP),there,missing)
.PHONY: always
$(LWIP_IS): always
	@[ -e $@ ] || { mkdir -p $(@D) && rm -f $(@D)/lwip.there $(@D)/lwip.missing && touch $@; }
$(O)/tests/bench/lwip.o: $(LWIP_IS)
$(O)/bench/lwip: $(O)/tests/bench/lwip.o
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(MODE_$(BUILD)) $(LDFLAGS) -o $@ $< $(if $(LWIP),-llwip)
$(O)/sim: $(SIM_OBJ) $(LIB)
	$(call say,LINK)
	$(Q)$(LINK_TEST) -lm

# Every tests/fuzz/NAME_fuzz.c, too; what else lies there helps them. main is libFuzzer's in the
# variants made for it, else replay.c's.
FUZZ_KIT  := $(patsubst %.c,$(O)/%.o,$(filter-out %_fuzz.c %/replay.c,$(wildcard tests/fuzz/*.c)))
FUZZ_MAIN := $(if $(filter fuzz fuzz-fast,$(BUILD)),,$(O)/tests/fuzz/replay.o)
CORE_LIB  := $(O)/libcore.a
$(FUZZ_KIT): MODE_fuzz-fast := -O2 -g # what only watches is not what libFuzzer shall explore
$(CORE_LIB): $(patsubst %.c,$(O)/%.o,$(CORE_SRC))
	@rm -f $@
	$(call say,AR)
	$(Q)ar rcs $@ $^
$(O)/fuzz/%: $(O)/tests/fuzz/%_fuzz.o $(FUZZ_KIT) $(FUZZ_MAIN) $(CORE_LIB)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(MODE_$(BUILD)) $(if $(FUZZ_MAIN),,-fsanitize=fuzzer) $(LDFLAGS) -o $@ \
		$(filter %.o,$^) $(CORE_LIB) $(PKG_LIBS)
fuzzers: $(FUZZERS)
	@: # says nothing when nothing is to be done
RUNS ?= 1000000
fuzz:
	@tests/fuzz/run.sh long $(RUNS) $(FUZZ)
.PHONY: fuzzers fuzz

tests-build: $(UNIT_BIN) $(TOOL_BIN) $(BENCH_BIN) $(O)/sim $(FUZZERS)
units: $(UNIT_BIN)
	@for t in $^; do echo "== $$t"; $$t || exit 1; done

# netsetup without its main, for its unit tests
$(O)/netsetup.a: $(patsubst %.c,$(O)/%.o,$(filter-out netsetup/main.c,$(wildcard netsetup/*.c)))
	@rm -f $@; mkdir -p $(@D)
	$(call say,AR)
	$(Q)ar rcs $@ $^

# `demo`, `test` and `bench` start again after deps, so that what it installed is found.
AGAIN := @$(MAKE) --no-print-directory -j$(shell nproc)
deps:
	@netsetup/deps.sh
demo:
	@netsetup/deps.sh build run
	$(AGAIN) build
	@tests/demo.sh
test: deps
	@tests/run.sh
bench:
	@netsetup/deps.sh build run test extra || netsetup/deps.sh
	$(AGAIN) build $(BENCH_BIN) $(O)/tools/ksock $(O)/tools/delay
	@tests/bench/speed.sh $(if $(QUICK:0=),quick)
	$(if $(QUICK:0=),,@tests/bench/loss.sh)
many: build $(O)/bench/client $(O)/bench/pages
	@tests/bench/many.sh $(N)
lint: $(LIB)
	@tests/lint.sh $(O)
# SEEDS=FROM..TO; stops at the first failures, each with the command that replays it.
SEEDS ?= 1..1000000
soak: $(O)/sim
	@$(O)/sim --seeds $(SEEDS) --jobs $(shell nproc) --progress
# Faults put into the stack on purpose, each of which the simulator must find.
mutants:
	@tests/mutants.sh $(ONLY)
# tests/sim/matrix.txt: simulated goodput, with which each test run compares
matrix: $(O)/sim
	@$(O)/sim --matrix >build/matrix.new && mv build/matrix.new tests/sim/matrix.txt
# the pictures of docs/congestion.md, from that file and from runs of the simulator
pictures: $(O)/sim
	@$(O)/sim --pictures docs tests/sim/matrix.txt
# docs/conformance.md: each requirement of RFC 9293, where it is met and which test shows it; and
# docs/conformance-hosts.md: those of a host's IP, ICMP and UDP
conformance:
	@$(MAKE) --no-print-directory BUILD=release tests-build
	@tests/conformance.sh run
format:
	clang-format -i $(shell find common host peer netsetup tests -name '*.[ch]' 2>/dev/null)

# The original lab, on this machine. Only netsetup needs root.
SUDO   := $(if $(filter 0,$(shell id -u)),,sudo)
NETSET := $(SUDO) $(BIN)/netsetup
network: build
	$(NETSET) up
clean_network: build
	$(NETSET) down
preroute: build
	$(NETSET) up --only rules
clean_preroute: build
	$(NETSET) down --only rules
forwarding: build
	$(NETSET) up --only forwarding
clean_forwarding: build
	$(NETSET) down --only forwarding
# The classic alternative: the nodes make their TUNs themselves, with this privilege and no other,
# which they give up when they have them.
setcap: build
	$(SUDO) setcap cap_net_admin+ep $(BIN)/host
	$(SUDO) setcap cap_net_admin+ep $(BIN)/peer
view_network: build
	@$(BIN)/netsetup status || [ $$? -eq 3 ] # not up is an answer, too
run-host: build
	$(BIN)/host tun0 10.0.0.1/24 10.0.1.5
run-peer: build
	$(BIN)/peer --local fd00:1::5 tun1 10.0.1.1/24 10.0.0.7
trace-host: build
	$(BIN)/host -v --pcap build/host.pcapng --trace build/host.json tun0 10.0.0.1/24 10.0.1.5

# The DNS tool owns the name `host`, hence the prefix.
PREFIX ?= /usr/local
MAN := $(DESTDIR)$(PREFIX)/share/man
# The nodes' pages are what they say themselves; netsetup's is written by hand.
PAGES := build/man/twintun-host.1 build/man/twintun-peer.1
$(PAGES): build/man/twintun-%.1: $(BIN)/% docs/manual.awk
	@mkdir -p $(@D)
	$(call say,MAN)
	$(Q)$< --help | awk -v name=twintun-$* -f docs/manual.awk >$@.new && mv $@.new $@
install: build $(PAGES)
	for p in host peer netsetup; do \
		install -D -m 755 $(BIN)/$$p "$(DESTDIR)$(PREFIX)/bin/twintun-$$p" || exit 1; done
	install -D -m 644 docs/netsetup.8 "$(MAN)/man8/twintun-netsetup.8"
	install -D -m 644 -t "$(MAN)/man1" $(PAGES)
uninstall:
	rm -f $(foreach p,host peer netsetup,"$(DESTDIR)$(PREFIX)/bin/twintun-$(p)") \
		"$(MAN)/man8/twintun-netsetup.8" $(foreach p,$(PAGES),"$(MAN)/man1/$(notdir $(p))")

clean:
	rm -rf build

-include $(shell find build -type f -name '*.d' 2>/dev/null)

# Keep the objects of tests.
.SECONDARY:
.PHONY: all build help tests-build units deps demo test bench many lint soak mutants matrix pictures format conformance network \
        clean_network preroute clean_preroute forwarding clean_forwarding setcap view_network run-host run-peer \
        trace-host install uninstall clean
