# SPDX-License-Identifier: BSD-2-Clause
# `make help` lists the targets. Everything is built under $(O); V=1 shows commands.

VERSION := 0.1.0
O ?= build
ifeq ($(origin CC),default)
  CC := gcc
endif
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PYTHON ?= /usr/bin/python3
PREFIX ?= /usr/local
DESTDIR ?=

ifeq ($(V),1)
  Q :=
  msg =
else ifneq ($(findstring s,$(firstword -$(MAKEFLAGS))),)
  Q := @
  msg =
else
  Q := @
  msg = @printf '  %-8s %s\n' '$(1)' '$(patsubst $(O)/%,%,$(2))';
  MAKEFLAGS += --no-print-directory
endif
.DELETE_ON_ERROR:
.SECONDARY:

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-missing-field-initializers $(if $(W),-Werror)
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) $(WARN) -I. -I$(O) -D_GNU_SOURCE -DPOSTERN_VERSION='"$(VERSION)"' $(HARDEN)
LIBS := -lxdp -lbpf -lelf -lz -levent -levent_openssl -lssl -lcrypto -lconfuse -ljansson -lseccomp -lnl-3 -lnl-route-3 -lcap -llmdb -lcares
SAN := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -U_FORTIFY_SOURCE
# libnl's headers live in their own folder
ALL_CFLAGS += -I/usr/include/libnl3

CORE_SRC := $(wildcard user/core/*.c)
EDGE_SRC := $(filter-out user/posternd.c,$(wildcard user/*.c))
CLI_SRC := $(wildcard tools/postern/*.c)
UNIT_SRC := $(wildcard selftests/unit/test_*.c)
PACKET_SRC := $(wildcard selftests/packet/test_*.c)
BENCH_SRC := $(filter-out %.bpf.c,$(wildcard selftests/bench/*.c))
FUZZ_SRC := $(wildcard selftests/fuzz/fuzz_*.c)

CORE_LIB := $(O)/libcore.a
EDGE_LIB := $(O)/libedge.a
CORE_SAN := $(O)/libcore-san.a
EXPORTER_SRC := $(wildcard tools/exporter/*.c)
PROGRAMS := $(O)/posternd $(O)/postern $(O)/postern-exporter
UNIT_BIN := $(UNIT_SRC:%.c=$(O)/%)
PACKET_BIN := $(PACKET_SRC:%.c=$(O)/%)
BENCH_BIN := $(BENCH_SRC:%.c=$(O)/%)
FUZZ_BIN := $(FUZZ_SRC:%.c=$(O)/%)

all: $(PROGRAMS)

$(PROGRAMS): | $(O)/.tools

# What the build needs: command or header, and the Debian package that has it.
$(O)/.tools: tools/need
	@mkdir -p $(O)
	$(Q)CC='$(CC)' CLANG='$(CLANG)' BPFTOOL='$(BPFTOOL)' sh tools/need build
	@touch $@

# --- the kernel half ------------------------------------------------------

BPF_CFLAGS := -O2 -g -target bpf -std=gnu11 -mcpu=v3 -Wall -Wextra -Wno-unused-function $(if $(W),-Werror) -I. -I/usr/include/$(shell uname -m)-linux-gnu

$(O)/gate.bpf.o: bpf/gate.bpf.c
$(O)/old_gate.bpf.o: selftests/packet/old_gate.bpf.c
$(O)/old_gate2.bpf.o: selftests/packet/old_gate2.bpf.c
$(O)/lookup.bpf.o: selftests/bench/lookup.bpf.c
$(O)/gate.bpf.o $(O)/old_gate.bpf.o $(O)/old_gate2.bpf.o $(O)/lookup.bpf.o: | $(O)/.tools
	$(call msg,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $@.d -c $< -o $@

$(O)/%.skel.h: $(O)/%.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@

# --- user space -----------------------------------------------------------

$(O)/%.o: %.c | $(O)/.tools
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(O)/%.san.o: %.c | $(O)/.tools
	@mkdir -p $(@D)
	$(call msg,CC-SAN,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(SAN) -MMD -MP -c $< -o $@

$(O)/user/kern.o $(O)/user/kern_shared.o $(PACKET_SRC:%.c=$(O)/%.o) $(BENCH_SRC:%.c=$(O)/%.o): $(O)/gate.skel.h
$(O)/selftests/packet/test_migrate.o: $(O)/old_gate.skel.h $(O)/old_gate2.skel.h
$(O)/selftests/bench/lists.o: $(O)/lookup.skel.h

$(CORE_LIB): $(CORE_SRC:%.c=$(O)/%.o)
$(EDGE_LIB): $(EDGE_SRC:%.c=$(O)/%.o)
$(CORE_SAN): $(CORE_SRC:%.c=$(O)/%.san.o)
$(CORE_LIB) $(EDGE_LIB) $(CORE_SAN):
	$(call msg,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/posternd: $(O)/user/posternd.o $(EDGE_LIB) $(CORE_LIB)
$(O)/postern: $(CLI_SRC:%.c=$(O)/%.o) $(EDGE_LIB) $(CORE_LIB)
$(O)/postern-exporter: $(EXPORTER_SRC:%.c=$(O)/%.o) $(EDGE_LIB) $(CORE_LIB)
$(PROGRAMS):
	$(call msg,LINK,$@)
	$(Q)$(CC) -pie -Wl,-z,relro,-z,now -o $@ $^ $(LIBS)

# --- tests ----------------------------------------------------------------

# A unit test has the core; the few of the edge name the file under test and its libraries here.
$(O)/selftests/unit/test_judgement: UNIT_LIBS := -lm
$(O)/selftests/unit/test_stats: UNIT_LIBS := -lbpf -ljansson
$(O)/selftests/unit/test_stats: $(O)/user/stats.san.o $(O)/user/stats_named.san.o $(O)/user/stats_spans.san.o
$(O)/selftests/unit/test_config: UNIT_LIBS := -lconfuse -lssl -lcrypto -lz -ljansson -llmdb
$(O)/selftests/unit/test_config: $(patsubst %,$(O)/user/%.san.o,config config_access config_advice config_closed config_dnsl config_file config_kinds config_lmdb config_reader config_relay config_check file_why listfile listjson tls tls_client)
$(O)/selftests/unit/test_closed: UNIT_LIBS := -lconfuse
$(O)/selftests/unit/test_closed: $(patsubst %,$(O)/user/%.san.o,config_closed config_reader)
$(O)/selftests/unit/test_never: $(patsubst %,$(O)/user/%.san.o,never log log_json log_journal log_syslog log_way)
$(O)/selftests/unit/test_log: UNIT_LIBS := -ljansson
$(O)/selftests/unit/test_log: $(patsubst %,$(O)/user/%.san.o,log log_json log_journal log_syslog log_way)
$(O)/selftests/unit/test_resolve: UNIT_LIBS := -lcares
$(O)/selftests/unit/test_resolve: $(patsubst %,$(O)/user/%.san.o,resolve_answer resolve_cache)
$(O)/selftests/unit/test_zones: $(O)/user/zone_cache.san.o
$(O)/selftests/unit/test_listfile: UNIT_LIBS := -lz -ljansson
$(O)/selftests/unit/test_listfile: $(patsubst %,$(O)/user/%.san.o,file_why listfile listjson)
$(O)/selftests/unit/test_device: UNIT_LIBS := -lbpf -lnl-3 -lnl-route-3
$(O)/selftests/unit/test_device: $(patsubst %,$(O)/user/%.san.o,device device_ethtool device_xdp probe_device)
$(O)/selftests/unit/test_denied: $(O)/user/conn_denied.san.o
$(O)/selftests/unit/test_crew: $(O)/user/crew.san.o
$(O)/selftests/unit/test_live: $(O)/user/live.san.o
$(O)/selftests/unit/test_file_why: $(O)/user/file_why.san.o
$(O)/selftests/unit/test_handover: $(O)/user/handover.san.o
$(O)/selftests/unit/test_siphash: UNIT_LIBS := -lcrypto
$(O)/selftests/unit/%: $(O)/selftests/unit/%.san.o $(CORE_SAN)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(SAN) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka $(UNIT_LIBS)
$(O)/selftests/packet/%: $(O)/selftests/packet/%.o $(EDGE_LIB) $(CORE_LIB)
	$(call msg,LINK,$@)
	$(Q)$(CC) -pie -o $@ $^ -lcmocka $(LIBS)
$(O)/selftests/bench/%: $(O)/selftests/bench/%.o $(EDGE_LIB) $(CORE_LIB)
	$(call msg,LINK,$@)
	$(Q)$(CC) -pie -o $@ $^ $(LIBS)
$(O)/selftests/fuzz/%: selftests/fuzz/%.c $(CORE_SRC)
	@mkdir -p $(@D)
	$(call msg,FUZZ,$@)
	$(Q)$(CLANG) -std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined -I. -D_GNU_SOURCE -o $@ $^

# Another version of the daemon, whose memory and records are not the same: for taking over from this one, and back.
NEXT := $(O)/selftests/next
NEXT_OBJ := $(patsubst %,$(NEXT)/%.o,warden warden_upgrade handover)
$(NEXT)/%.o: user/%.c | $(O)/.tools
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(filter-out -DPOSTERN_VERSION=%,$(ALL_CFLAGS)) -DPOSTERN_VERSION='"next"' -DLAYOUT_VERSION=2 -MMD -MP -c $< -o $@
$(NEXT)/posternd: $(O)/user/posternd.o $(NEXT_OBJ) $(EDGE_LIB) $(CORE_LIB)
	$(call msg,LINK,$@)
	$(Q)$(CC) -pie -Wl,-z,relro,-z,now -o $@ $^ $(LIBS)

selftests: $(UNIT_BIN) $(PACKET_BIN) $(NEXT)/posternd

check:
	$(Q)sh tools/need check || $(MAKE) deps
	$(Q)$(MAKE) all selftests
	$(Q)O='$(O)' PYTHON='$(PYTHON)' sh selftests/run

fuzz: $(FUZZ_BIN)
	$(Q)O='$(O)' sh selftests/fuzz/run

bench: 
	$(Q)sh tools/need bench || $(MAKE) deps
	$(Q)$(MAKE) all $(BENCH_BIN)
	$(Q)O='$(O)' $(PYTHON) selftests/bench/run.py $(PARTS)

demo:
	$(Q)sh tools/need check || $(MAKE) deps
	$(Q)$(MAKE) all
	$(Q)O='$(O)' HOLD='$(HOLD)' $(PYTHON) tools/demo/demo.py

deps:
	$(Q)sh tools/need install

# --- manual, completion, installation ----------------------------------------

MAN_SRC := $(wildcard tools/man/*.rst)
MAN := $(MAN_SRC:tools/man/%.rst=$(O)/man/%)
MAN_PARTS := objects options exits reasons counters parts settings log
SBINDIR := $(PREFIX)/sbin
MANDIR := $(PREFIX)/share/man
COMPDIR := $(PREFIX)/share/bash-completion/completions
UNITDIR := $(if $(filter /usr,$(PREFIX)),/lib,$(PREFIX)/lib)/systemd/system
LIBDIR := $(PREFIX)/lib
CATALOGDIR := $(LIBDIR)/systemd/catalog
DOCDIR := $(PREFIX)/share/doc/postern
UNITS := posternd.service postern-exporter.service
EXAMPLES := tools/systemd/shared.conf tools/exporter/alerts.yml tools/exporter/dashboard.json

man: $(MAN)

# What is a row in the program is a row in the manual.
$(O)/man/gen/.made: $(O)/postern
	@mkdir -p $(@D)
	$(Q)sh tools/need man
	$(Q)for p in $(MAN_PARTS); do $< manual $$p >$(@D)/$$p.rst || exit 1; done
	$(Q)for o in $$($< manual names); do $< manual commands $$o >$(@D)/commands-$$o.rst || exit 1; done
	@touch $@

$(O)/man/%: tools/man/%.rst $(O)/man/gen/.made
	$(call msg,MAN,$@)
	$(Q)cp $< $(O)/man/$*.rst
	$(Q)rst2man --strict --no-raw $(O)/man/$*.rst $@

$(O)/postern.bash: $(O)/postern
	$(call msg,GEN,$@)
	$(Q)$< completion bash >$@

$(O)/postern.conf: $(O)/postern
	$(call msg,GEN,$@)
	$(Q)$< manual sample >$@

$(O)/postern.catalog: $(O)/postern
	$(call msg,GEN,$@)
	$(Q)$< manual catalog >$@

install: all man $(O)/postern.bash $(O)/postern.conf $(O)/postern.catalog
	$(Q)install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(COMPDIR) \
		$(DESTDIR)/etc/postern/postern.conf.d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(LIBDIR)/sysusers.d $(DESTDIR)$(LIBDIR)/tmpfiles.d $(DESTDIR)$(CATALOGDIR)
	$(Q)install -m 755 $(PROGRAMS) $(DESTDIR)$(SBINDIR)
	$(Q)install -m 644 $(filter %.5,$(MAN)) $(DESTDIR)$(MANDIR)/man5
	$(Q)install -m 644 $(filter %.7,$(MAN)) $(DESTDIR)$(MANDIR)/man7
	$(Q)install -m 644 $(filter %.8,$(MAN)) $(DESTDIR)$(MANDIR)/man8
	$(Q)install -m 644 $(O)/postern.bash $(DESTDIR)$(COMPDIR)/postern
	$(Q)for u in $(UNITS); do sed 's|@SBINDIR@|$(SBINDIR)|; s|@LIBDIR@|$(LIBDIR)|' tools/systemd/$$u >$(DESTDIR)$(UNITDIR)/$$u && \
		chmod 644 $(DESTDIR)$(UNITDIR)/$$u || exit 1; done
	$(Q)install -d $(DESTDIR)$(DOCDIR)/examples
	$(Q)install -m 644 $(EXAMPLES) $(DESTDIR)$(DOCDIR)/examples
	$(Q)install -m 644 tools/systemd/postern.sysusers $(DESTDIR)$(LIBDIR)/sysusers.d/postern.conf
	$(Q)install -m 644 tools/systemd/postern.tmpfiles $(DESTDIR)$(LIBDIR)/tmpfiles.d/postern.conf
	$(Q)install -m 644 $(O)/postern.catalog $(DESTDIR)$(CATALOGDIR)/postern.catalog
	$(Q)test -e $(DESTDIR)/etc/postern/postern.conf || install -m 644 $(O)/postern.conf $(DESTDIR)/etc/postern/postern.conf
	$(Q)test -n '$(DESTDIR)' || ! command -v systemd-sysusers >/dev/null || systemd-sysusers $(LIBDIR)/sysusers.d/postern.conf
	$(Q)test -n '$(DESTDIR)' || ! test -d /run/systemd/system || systemd-tmpfiles --create $(LIBDIR)/tmpfiles.d/postern.conf
	$(Q)test -n '$(DESTDIR)' || ! command -v journalctl >/dev/null || journalctl --update-catalog

# The configuration stays, and so does the gate in the kernel: `postern gate unload` before, if it shall go.
uninstall:
	$(Q)rm -f $(patsubst %,$(DESTDIR)$(DOCDIR)/examples/%,$(notdir $(EXAMPLES))) $(UNITS:%=$(DESTDIR)$(UNITDIR)/%)
	$(Q)rm -f $(PROGRAMS:$(O)/%=$(DESTDIR)$(SBINDIR)/%) $(DESTDIR)$(COMPDIR)/postern \
		$(DESTDIR)$(LIBDIR)/sysusers.d/postern.conf $(DESTDIR)$(LIBDIR)/tmpfiles.d/postern.conf \
		$(DESTDIR)$(CATALOGDIR)/postern.catalog
	$(Q)for m in $(notdir $(MAN)); do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$$m; done
	$(Q)rmdir $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(DOCDIR) 2>/dev/null || true

deb:
	$(Q)rm -rf $(O)/deb
	$(Q)$(MAKE) install PREFIX=/usr DESTDIR=$(O)/deb
	$(Q)strip $(PROGRAMS:$(O)/%=$(O)/deb/usr/sbin/%)
	$(Q)gzip -9n $(O)/deb/usr/share/man/man*/*
	$(Q)sh tools/deb/build $(O)/deb $(O) $(VERSION)

clean:
	$(Q)rm -rf $(O)

help:
	@sed -n 's/^#: //p' Makefile

#: make            build posternd, postern and the BPF object (no root)
#: make deps       install what building and testing need (root)
#: make demo       the gate in front of a real mail server, attacked and used (root; HOLD=1 leaves it up)
#: make check      all tests (root)
#: make bench      measurements, also as build/bench.json (root; PARTS="..." selects)
#: make fuzz       fuzzers, a minute each (FUZZ_SECONDS=...)
#: make man        the manual pages into build/man
#: make install    into PREFIX (/usr/local), under DESTDIR
#: make uninstall  the reverse; the configuration stays
#: make deb        Debian packages into build/
#: make clean      remove build/

.PHONY: all selftests check fuzz bench demo deps man install uninstall deb clean help

-include $(shell find $(O) -path $(O)/mta -prune -o -type f -name '*.d' -print 2>/dev/null)
