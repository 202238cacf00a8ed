/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.h: a veth pair in a network namespace of the program's own, w0 === g0, and a source of real frames on it: the
 * kernel's own generator (BPF_F_TEST_XDP_LIVE_FRAMES) sends them out of w0 and they are received at g0
 * on the same core. So every rate includes the making of the frames: compare rates of one run with
 * each other, do not take them for a network card's.
 */
#ifndef WIRE_H
#define WIRE_H

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "selftests/bench/stopwatch.h"

#define WIRE_PORT 25

/* Frames whose source varies at random: IPv4 10.0.0.0/16, or IPv6 2001:db8:0::1 to 2001:db8:ffff::1. */
struct wire {
	struct frame frame;
	int prog;
};

/* Runs a shell command; it must succeed. */
__attribute__((format(printf, 1, 2))) STOPWATCH_INLINE void sh(const char *format, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	errno = 0;
	if (system(command))
		die(command);
}

/* The first number after word in what the command says. */
STOPWATCH_INLINE __u64 sh_number(const char *command, const char *word)
{
	FILE *f = popen(command, "r");
	char line[4096], *at = NULL;
	__u64 n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		at = at ? at : strstr(line, word);
		if (at && !n)
			n = strtoull(at == strstr(line, word) ? at + strlen(word) : line, NULL, 10);
	}
	if (!f || pclose(f) || !at)
		die(command);
	return n;
}

#define WIRE_INSN(c, d, s, o, i) ((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })

/*
 * Writes 16 random bits, as far as mask (network order) lets them, at offset `at`, and their complement at `balance`, which keeps a
 * checksum over both what it was; then sends the frame out of ifindex.
 */
STOPWATCH_INLINE int wire_generator(int ifindex, short at, short balance, __u16 mask_be)
{
	const struct bpf_insn insn[] = {
		WIRE_INSN(BPF_LDX | BPF_MEM | BPF_W, 6, 1, 0, 0), /* r6 = data */
		WIRE_INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 4, 0), /* r2 = data_end */
		WIRE_INSN(BPF_ALU64 | BPF_MOV | BPF_X, 3, 6, 0, 0),
		WIRE_INSN(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, 54),
		WIRE_INSN(BPF_JMP | BPF_JGT | BPF_X, 3, 2, 9, 0), /* too short: to the last two */
		WIRE_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32),
		WIRE_INSN(BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, mask_be),
		WIRE_INSN(BPF_STX | BPF_MEM | BPF_H, 6, 0, at, 0),
		WIRE_INSN(BPF_ALU64 | BPF_XOR | BPF_K, 0, 0, 0, 0xffff),
		WIRE_INSN(BPF_STX | BPF_MEM | BPF_H, 6, 0, balance, 0),
		WIRE_INSN(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, ifindex),
		WIRE_INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
		WIRE_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect),
		WIRE_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		WIRE_INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_DROP),
		WIRE_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "generator", "GPL", insn, sizeof(insn) / sizeof(insn[0]), NULL);

	if (fd < 0)
		die("loading the generator");
	return fd;
}

/* SYNs to the guarded port. mask: which of the 16 bits vary. IPv4: a right header checksum; the identification balances the source. */
STOPWATCH_INLINE struct wire wire_syns(bool v6, __u16 mask)
{
	struct frame_spec spec = {
		.net = v6 ? NET_IP6 : NET_IP4,
		.src = v6 ? frame_ip6(0, 1) : frame_ip4(10, 0, 0, 0),
		.dst = v6 ? frame_ip6(0xffff, 1) : frame_ip4(198, 51, 100, 1),
		.sport = 40000,
		.dport = WIRE_PORT,
	};
	int ifindex = (int)if_nametoindex("w0");
	struct wire w;

	frame_build(&w.frame, &spec);
	if (v6) {
		w.prog = wire_generator(ifindex, 26, 16, htons(mask)); /* the third group; the flow label's lower half */
	} else {
		frame_be16(w.frame.b + 18, 0xffff);
		frame_be16(w.frame.b + 24, frame_fold(frame_sum(0, w.frame.b + 14, 20)));
		w.prog = wire_generator(ifindex, 28, 18, htons(mask));
	}
	return w;
}

/*
 * Nanoseconds a frame, by the kernel's stopwatch: without what it takes to prepare and to clean up, and it
 * stands still while the core is given to somebody else between two batches.
 */
STOPWATCH_INLINE double wire_send(const struct wire *w, int frames)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = w->frame.b, .data_size_in = w->frame.n, .repeat = frames,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);

	if (bpf_prog_test_run_opts(w->prog, &opts))
		die("live frames");
	return opts.duration;
}

/* Frames that g0 took in; it wraps. */
STOPWATCH_INLINE __u32 wire_received(void)
{
	struct ifaddrs *all, *a;
	__u32 n = 0;

	if (getifaddrs(&all))
		die("getifaddrs");
	for (a = all; a; a = a->ifa_next)
		if (a->ifa_addr && a->ifa_addr->sa_family == AF_PACKET && !strcmp(a->ifa_name, "g0") && a->ifa_data)
			n = ((struct rtnl_link_stats *)a->ifa_data)->rx_packets;
	freeifaddrs(all);
	return n;
}

/* veth takes redirected frames without an XDP program only with GRO, so everyone gets GRO. */
STOPWATCH_INLINE void wire_gro_on(void)
{
	struct ethtool_value on = { .cmd = ETHTOOL_SGRO, .data = 1 };
	struct ifreq ifr = { .ifr_name = "g0", .ifr_data = (void *)&on };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &ifr))
		die("GRO");
	close(fd);
}

/* The calling thread alone; threads and processes made later inherit it. */
STOPWATCH_INLINE void wire_core(unsigned n)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(n, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		die("one core");
}

/* A network and a bpffs of our own; they end with the program. g0 has the frames' destination address. */
STOPWATCH_INLINE void wire_make(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL))
		die("a network and a bpffs of our own");
	sh("ip link add g0 address 02:00:00:00:00:01 type veth peer name w0 && ip link set g0 up && ip link set w0 up");
	wire_gro_on();
}

#endif
