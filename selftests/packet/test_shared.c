/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_shared.c: the gate beside xdp-filter on one interface, through libxdp's dispatcher, whoever comes first. Where the
 * kernel takes no program that extends another one there can be no dispatcher: then it is attached alone and says why.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>

#include "user/ban.h"
#include "user/kern_shared.h"

#define BPFFS "/sys/fs/bpf" /* libxdp's own */
#define DIR   BPFFS "/postern/v" PST_TEXT(PST_SCHEMA)

#include "cage_gate.h"

/* Does this kernel refuse the type as such? One that has it complains of the target that is missing. */
static bool can_share(void)
{
	struct bpf_insn pass[] = { { .code = 0xb7, .imm = 2 }, { .code = 0x95 } };

	return bpf_prog_load(BPF_PROG_TYPE_EXT, "probe", "GPL", pass, 2, NULL) >= 0 || (errno != EPERM && errno != EACCES);
}

static int open_all(void **state)
{
	int e = cage_open(state);

	if (mount("bpf", BPFFS, "bpf", 0, NULL))
		return -1;
	return e;
}

/* Descriptors of programs that this process holds; each holds the maps of a gate. */
static int programs_held(void)
{
	void *d = opendir("/proc/self/fd"); /* DIR is a path here */
	struct dirent *entry;
	char to[64];
	int n = 0;

	assert_non_null(d);
	while ((entry = readdir(d))) {
		ssize_t len = readlinkat(dirfd(d), entry->d_name, to, sizeof(to) - 1);

		to[len < 0 ? 0 : len] = 0;
		n += !strcmp(to, "anon_inode:bpf-prog");
	}
	closedir(d);
	return n;
}

static int unload(void **state)
{
	(void)state;
	kern_unload(DIR);
	assert_int_equal(programs_held(), 0);
	return system("xdp-filter unload --all >/dev/null 2>&1") < 0; /* it fails when there is none */
}

static struct kern_link attach(void)
{
	struct kern_link l;

	if (kern_attach_shared(DIR, "g0", XDP_AUTO, &l, err, sizeof(err)))
		fail_msg("%s", err);
	return l;
}

static struct kern_link shared(void)
{
	struct kern_link l = attach();

	if (l.alone[0])
		fail_msg("%s", l.alone);
	assert_true(l.shared && l.prog_id && l.native && l.ifindex == if_nametoindex("g0"));
	return l;
}

/* --- who drops what ------------------------------------------------------ */

static void ban(void)
{
	struct pst_addr a = frame_ip4(192, 0, 2, 1);
	struct pst_prefix p = prefix_of(&a, 128);
	struct pst_ban b = { .until_ns = ~0ull, .action = PST_ACT_DROP };
	struct kern_maps m;
	struct pst_conf c;
	bool evicted;

	assert_int_equal(kern_open(DIR, false, &m, NULL), 0);
	assert_int_equal(gate_conf_get(&m, &c), 0);
	c.port_bits[0] = 1 << 25;
	assert_int_equal(gate_conf_put(&m, &c), 0);
	assert_int_equal(ban_put(&m, &p, &b, NULL, false, &evicted), 0);
	kern_close(&m);
}

static unsigned long long counted(enum pst_counter c)
{
	struct kern_maps m;
	struct pst_stats s;

	assert_int_equal(kern_open(DIR, true, &m, NULL), 0);
	assert_int_equal(stats_read(&m, &s), 0);
	kern_close(&m);
	return s.counter[c];
}

/* Is a frame of 192.0.2.HOST heard behind all programs? */
static bool heard_in(unsigned host, int patience_ms)
{
	struct frame_spec spec = { .src = frame_ip4(192, 0, 2, host), .dst = frame_ip4(198, 51, 100, 1), .sport = 40000, .dport = 25 };
	struct sockaddr_ll on = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex("g0") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP));
	bool found = false;
	struct frame f;
	__u8 b[256];

	assert_int_equal(bind(fd, (void *)&on, sizeof(on)), 0);
	frame_build(&f, &spec);
	cage_send("w0", &f);
	for (int i = 0; i < patience_ms && !found; i++) {
		ssize_t n;

		while ((n = recv(fd, b, sizeof(b), 0)) > 0)
			found |= n >= 34 && !memcmp(b + 26, &f.b[26], 4);
		usleep(1000);
	}
	close(fd);
	return found;
}

/* What is not heard in this time is dropped: before a claim that it is heard, the machine has much more. */
#define SILENCE_MS 300
#define PATIENCE_MS 20000
#define assert_heard(host)   assert_true(heard_in(host, PATIENCE_MS))
#define assert_unheard(host) assert_false(heard_in(host, SILENCE_MS))

/* .1 is banned by the gate, .2 denied by xdp-filter, .3 by nobody. */
static void both_work(void)
{
	unsigned long long before = counted(PST_CNT_DROP_BANNED);

	assert_unheard(1);
	assert_int_equal(counted(PST_CNT_DROP_BANNED), before + 1);
	assert_unheard(2);
	assert_heard(3);
}

static void filter(void)
{
	cage_do("xdp-filter load g0 -m native -f ipv4 -p allow");
	cage_do("xdp-filter ip 192.0.2.2 -m src");
}

static void says_who_else(unsigned ours)
{
	char others[128];

	kern_shared_others(if_nametoindex("g0"), ours, others, sizeof(others));
	assert_non_null(strstr(others, "xdpfilt_alw_ip"));
	assert_null(strstr(others, "(gate)"));
}

/* --- what is promised ------------------------------------------------------- */

static void beside_one_that_came_first(void **state)
{
	struct kern_link l;

	(void)state;
	filter();
	load();
	ban();
	l = shared();
	both_work();
	says_who_else(l.prog_id);
	assert_int_equal(kern_detach(DIR, "g0"), 0);
	assert_heard(1);
	assert_unheard(2);
}

static void beside_one_that_comes_later(void **state)
{
	struct kern_link l, links[2];

	(void)state;
	load();
	ban();
	l = shared();
	assert_unheard(1);
	filter();
	both_work();
	says_who_else(l.prog_id);
	assert_int_equal(kern_links(DIR, links, 2), 1);
	assert_true(links[0].shared && links[0].native && links[0].prog_id == l.prog_id && links[0].since_s);
	cage_do("xdp-filter unload g0");
	assert_unheard(1);
	assert_heard(2);
}

static void replaced_in_place(void **state)
{
	struct kern_link before, after;

	(void)state;
	filter();
	load();
	ban();
	before = shared();
	for (int i = 0; i < 3; i++) {
		load();
		assert_int_equal(kern_links(DIR, &after, 1), 1);
		assert_int_not_equal(after.prog_id, before.prog_id);
		both_work();
		before = shared();
		both_work();
	}
}

static void alone_and_shared_in_turn(void **state)
{
	struct kern_link l;

	(void)state;
	load();
	ban();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kern_attach(DIR, "g0", XDP_AUTO, &l, err, sizeof(err)), 0);
		assert_false(l.shared);
		assert_int_equal(kern_links(DIR, &l, 1), 1);
		assert_unheard(1);
		shared();
		assert_int_equal(kern_links(DIR, &l, 1), 1);
		assert_true(l.shared);
		assert_unheard(1);
	}
}

static void an_interface_that_comes_back(void **state)
{
	struct kern_link l;

	(void)state;
	load();
	ban();
	shared();
	cage_do("ip link del g0");
	cage_do("ip link add g0 type veth peer name w0 && ip link set g0 up && ip link set w0 up");
	assert_int_equal(kern_links(DIR, &l, 1), 1);
	assert_int_equal(l.ifindex, 0);
	shared();
	assert_unheard(1);
	assert_int_equal(kern_links(DIR, &l, 1), 1);
	assert_int_equal(l.ifindex, if_nametoindex("g0"));
}

static void unload_leaves_the_other(void **state)
{
	(void)state;
	filter();
	load();
	ban();
	shared();
	assert_int_equal(kern_unload(DIR), 0);
	assert_int_equal(access(BPFFS "/postern", F_OK), -1);
	assert_heard(1);
	assert_unheard(2);
}

/* Here there can be no dispatcher. */
static void alone_with_the_reason(void **state)
{
	struct kern_link l;

	(void)state;
	load();
	ban();
	l = attach();
	assert_false(l.shared);
	assert_non_null(strstr(l.alone, "g0: sharing through libxdp's dispatcher: "));
	assert_non_null(strstr(l.alone, "Operation not permitted"));
	assert_true(l.native && l.prog_id);
	assert_int_equal(kern_links(DIR, &l, 1), 1);
	assert_false(l.shared);
	assert_int_equal(access(DIR "/shared_g0", F_OK), -1);
	assert_unheard(1);
	assert_heard(3);
	kern_unload(DIR);
	filter(); /* and nothing of it keeps another out afterwards */
	load();
	assert_true(kern_attach_shared(DIR, "g0", XDP_AUTO, &l, err, sizeof(err)) < 0);
	assert_non_null(strstr(err, "dispatcher"));
	assert_unheard(2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, unload, unload)
	const struct CMUnitTest tests[] = {
		TEST(beside_one_that_came_first),
		TEST(beside_one_that_comes_later),
		TEST(replaced_in_place),
		TEST(alone_and_shared_in_turn),
		TEST(an_interface_that_comes_back),
		TEST(unload_leaves_the_other),
	};
	const struct CMUnitTest without[] = {
		TEST(alone_with_the_reason),
	};

	if (can_share())
		return cmocka_run_group_tests(tests, open_all, NULL);
	return cmocka_run_group_tests(without, open_all, NULL);
}
