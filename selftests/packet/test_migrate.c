/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_migrate.c: a gate of schema 1 is taken over: what it knew is known, and under a flood of a banned
 * source not one packet gets behind XDP. `test_migrate DIR IF` makes such a gate for other tests.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "selftests/packet/old_gate.h"
#include "user/ban.h"
#include "user/gatelist.h"

#define ROOT CAGE_BPF "/postern"
#define OLD  ROOT "/v1"
#define DIR  ROOT "/v" PST_TEXT(PST_SCHEMA)

#include "cage_gate.h"

static int unload(void **state)
{
	(void)state;
	kern_unload(DIR);
	kern_unload(OLD);
	kern_unload(ROOT "/v3");
	return 0;
}

static void old(void)
{
	assert_int_equal(old_gate_make(OLD, "g0"), 0);
}

static bool old_is_there(void)
{
	return !access(OLD, F_OK);
}

/* --- what is known ------------------------------------------------------- */

static void knows_the_bans(void)
{
	struct kern_maps m = maps();

	for (unsigned i = 0; i < 2; i++) {
		struct pst_addr a = frame_ip4(192, 0, 2, i + 1);
		struct pst_prefix p = prefix_of(&a, 128);
		struct pst_ban b;
		struct pst_note note;

		assert_int_equal(ban_get(&m, &p, &b, &note), 0);
		if (i)
			assert_in_range(b.until_ns, kern_now_ns(), kern_now_ns() + OLD_END_S * 1000000000ull);
		else
			assert_int_equal(b.until_ns, ~0ull);
		assert_memory_equal((__u8 *)&b + 8, (const __u8 *)&old_bans[i] + 8, sizeof(struct old_ban) - 8);
		for (size_t at = sizeof(struct old_ban); at < sizeof(b); at++)
			assert_int_equal(((__u8 *)&b)[at], 0);
		assert_string_equal(note.text, i ? "" : OLD_NOTE);
	}
	kern_close(&m);
}

static void knows_the_settings(void)
{
	struct pst_addr allowed = frame_ip4(203, 0, 113, 77), other = frame_ip4(203, 0, 114, 77);
	struct kern_maps m = maps();
	struct pst_conf c;

	assert_true(allow_has(&m, &allowed));
	assert_false(allow_has(&m, &other));
	assert_int_equal(gate_conf_get(&m, &c), 0);
	assert_int_equal(c.mode, PST_MODE_ENFORCE);
	assert_int_equal(c.port_bits[0], 1 << 25);
	assert_int_equal(c.ban_len4[0], 128);
	assert_int_equal(c.ban_len6[0], 64);
	kern_close(&m);
}

static void knows_the_counters(void)
{
	struct pst_stats s = stats();

	for (unsigned i = 0; i < PST_CNT_MAX; i++)
		assert_int_equal(s.counter[i], i < OLD_COUNTERS ? 1020 + i : 0);
	for (unsigned i = 0; i < PST_RSN_MAX; i++)
		assert_int_equal(s.found[i], i < OLD_REASONS ? 1020 + OLD_COUNTERS + i : 0);
}

static void knows_the_list(void)
{
	struct pst_addr listed = frame_ip4(198, 51, 100, 9), beside = frame_ip4(198, 51, 101, 9);
	struct kern_maps m = maps();
	struct pst_list_info info;
	struct pst_class class;

	assert_int_equal(list_find(&m, &listed, &class), 0);
	assert_int_equal(class.action, PST_ACT_DROP);
	assert_int_equal(list_info(&m, class.list, &info), 0);
	assert_string_equal(info.name, "old");
	assert_true(info.prefixes == 1 && info.stale);
	assert_int_equal(list_find(&m, &beside, &class), -ENOENT);
	kern_close(&m);
}

static void knows_all(void)
{
	struct kern_link l;

	knows_the_bans();
	knows_the_settings();
	knows_the_list();
	knows_the_counters();
	assert_false(old_is_there());
	assert_int_equal(kern_links(DIR, &l, 1), 1);
	assert_true(l.native && l.ifindex == if_nametoindex("g0"));
}

/* No packet comes meanwhile, so that numbers can be compared. */
static void silence(bool on)
{
	cage_do(on ? "ip link set w0 down" : "ip link set w0 up");
}

static void all_is_taken_over(void **state)
{
	unsigned have;
	struct kern_maps m;

	(void)state;
	silence(true);
	old();
	assert_int_equal(kern_open(DIR, true, &m, &have), -ENOENT);
	assert_int_equal(have, 1);
	load_only();
	assert_true(old_is_there());
	take_over();
	knows_all();
	take_over(); /* and again: nothing is counted twice */
	load_only();
	take_over();
	knows_all();
	silence(false);
}

/* --- starts that died ------------------------------------------------------ */

static void unpin(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static void died_while_copying(void)
{
	load_only();
	unpin(DIR "/pst_meta");
	unpin(DIR "/pst_notes");
	unpin(DIR "/prog");
}

static void died_before_the_links(void)
{
	load_only();
}

static void died_between_update_and_rename(void)
{
	int prog, link;

	load_only();
	prog = bpf_obj_get(DIR "/prog");
	link = bpf_obj_get(OLD "/link_g0");
	assert_int_equal(bpf_link_update(link, prog, NULL), 0);
	close(prog);
	close(link);
}

static void died_before_the_pins_went(void)
{
	died_between_update_and_rename();
	assert_int_equal(rename(OLD "/link_g0", DIR "/link_g0"), 0);
}

static void died_among_the_pins(void)
{
	died_before_the_pins_went();
	unpin(OLD "/pst_bans");
	unpin(OLD "/pst_stats");
	unpin(OLD "/prog");
}

static void died_before_the_folder_went(void)
{
	load_only();
	take_over();
	assert_int_equal(mkdir(OLD, 0700), 0);
}

static void a_start_that_died_is_finished(void **state)
{
	static void (*const deaths[])(void) = {
		died_while_copying, died_before_the_links, died_between_update_and_rename, died_before_the_pins_went, died_among_the_pins,
	};

	(void)state;
	silence(true);
	for (size_t i = 0; i < NROWS(deaths); i++) {
		old();
		deaths[i]();
		load_only();
		take_over();
		knows_all();
		unload(NULL);
	}
	old();
	died_before_the_folder_went(); /* an empty folder is nobody's gate */
	load_only();
	take_over();
	knows_the_bans();
	knows_the_counters();
	silence(false);
}

/* The older daemon was started again in between and banned somebody. */
static void what_came_in_between_is_added(void **state)
{
	struct pst_addr a = frame_ip4(192, 0, 2, 99);
	struct pst_prefix p = prefix_of(&a, 128);
	struct old_ban b = { .until_ns = ~0ull, .action = PST_ACT_DROP, .score = 5 };
	struct pst_ban got;
	struct kern_maps m;
	int fd;

	(void)state;
	silence(true);
	old();
	load_only();
	fd = bpf_obj_get(OLD "/pst_bans");
	assert_int_equal(bpf_map_update_elem(fd, &p, &b, BPF_ANY), 0);
	close(fd);
	load_only();
	take_over();
	knows_all();
	m = maps();
	assert_int_equal(ban_get(&m, &p, &got, NULL), 0);
	assert_int_equal(got.score, 5);
	kern_close(&m);
	silence(false);
}

/* An interface that is gone has a dead link: it is not carried over. */
static void a_dead_link_is_dropped(void **state)
{
	struct kern_link l;

	(void)state;
	cage_do("ip link add x0 type veth peer name x1");
	assert_int_equal(old_gate_make(OLD, "x0"), 0);
	cage_do("ip link del x0");
	load_only();
	take_over();
	assert_int_equal(kern_links(DIR, &l, 1), 0);
	assert_false(old_is_there());
}

/* --- what is refused --------------------------------------------------------- */

static void put_meta(const char *dir, const struct old_meta *meta)
{
	char path[128];
	__u32 zero = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/pst_meta", dir);
	fd = bpf_obj_get(path);
	assert_int_equal(bpf_map_update_elem(fd, &zero, meta, BPF_ANY), 0);
	close(fd);
}

static void others_are_refused_and_left_alone(void **state)
{
	static const struct {
		const char *dir, *says;
		struct old_meta meta;
	} rows[] = {
		{ ROOT "/v3", "a newer version (schema 3", { PST_MAGIC, 3, 72, 800, 1, "9" } },
		{ OLD, "an unknown version (schema 1", { 0, 1, 48, 608, 1, "" } },
		{ OLD, "an unknown version (schema 1", { PST_MAGIC, 1, 40, 608, 1, "" } },
		{ OLD, "an unknown version (schema 1", { PST_MAGIC, 1, 48, 600, 1, "" } },
		{ OLD, "a newer version (schema 4", { PST_MAGIC, 4, 48, 608, 1, "" } },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		__u32 before, after;
		LIBBPF_OPTS(bpf_xdp_query_opts, q);

		assert_int_equal(old_gate_make(rows[i].dir, "g0"), 0);
		put_meta(rows[i].dir, &rows[i].meta);
		bpf_xdp_query((int)if_nametoindex("g0"), 0, &q);
		before = q.prog_id;
		assert_int_equal(kern_load(DIR, err, sizeof(err)), -EPROTO);
		assert_non_null(strstr(err, rows[i].says));
		assert_non_null(strstr(err, rows[i].dir));
		bpf_xdp_query((int)if_nametoindex("g0"), 0, &q);
		after = q.prog_id;
		assert_int_equal(before, after);
		assert_int_equal(access(DIR "/pst_meta", F_OK), -1);
		assert_int_equal(kern_unload(rows[i].dir), 0); /* as the words advise */
	}
	load_only();
}

/* --- under a flood ------------------------------------------------------------- */

/* A child that sends frames of the banned source out of w0 as fast as it can. *sent is shared with it. */
static pid_t flood(volatile unsigned long *sent)
{
	struct frame_spec spec = { .src = frame_ip4(192, 0, 2, 1), .dst = frame_ip4(198, 51, 100, 1), .sport = 40000, .dport = 25 };
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("w0"), .sll_halen = 6 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct frame f;
	pid_t pid;

	frame_build(&f, &spec);
	pid = fork();
	if (pid)
		close(fd);
	while (!pid)
		if (sendto(fd, f.b, f.n, 0, (void *)&to, sizeof(to)) == (ssize_t)f.n)
			++*sent;
	return pid;
}

/* A socket that sees what gets behind XDP on g0. */
static int ear(void)
{
	struct sockaddr_ll on = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex("g0") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP));

	assert_int_equal(bind(fd, (void *)&on, sizeof(on)), 0);
	return fd;
}

static unsigned heard(int fd)
{
	static const __u8 banned[4] = { 192, 0, 2, 1 };
	unsigned n = 0;
	__u8 b[256];

	for (ssize_t got; (got = recv(fd, b, sizeof(b), 0)) > 0;)
		n += got >= 34 && !memcmp(b + 26, banned, 4);
	return n;
}

static void await(volatile unsigned long *sent)
{
	for (unsigned long from = *sent; *sent < from + 5000;)
		usleep(100);
}

static void under_flood(void (*work)(void))
{
	volatile unsigned long *sent = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = ear();
	pid_t pid = flood(sent);

	await(sent);
	heard(fd); /* of the time before the gate */
	work();
	await(sent);
	assert_int_equal(heard(fd), 0);
	unload(NULL);
	await(sent);
	assert_true(heard(fd) > 0); /* the ear does hear */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	munmap((void *)sent, 4096);
}

static unsigned long long dropped(void)
{
	return stats().counter[PST_CNT_DROP_BANNED];
}

static void upgrade(void)
{
	unsigned long long before, after = 0;

	load_only();
	before = dropped();
	take_over();
	for (int i = 0; i < 2000; i++) {
		after = dropped();
		assert_true(after >= before);
		before = after;
	}
	assert_true(after > 1017 + 20 + 5000);
	knows_the_settings();
}

static void the_older_gate_under_flood(void **state)
{
	(void)state;
	old();
	under_flood(upgrade);
}

static void new_program(void)
{
	for (int i = 0; i < 20; i++) {
		unsigned long long before = dropped();

		load_only();
		take_over();
		while (dropped() == before)
			usleep(100);
	}
}

static void the_same_schema_under_flood(void **state)
{
	(void)state;
	old();
	load_only();
	take_over();
	under_flood(new_program);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, unload, unload)
	const struct CMUnitTest tests[] = {
		TEST(all_is_taken_over),
		TEST(a_start_that_died_is_finished),
		TEST(what_came_in_between_is_added),
		TEST(a_dead_link_is_dropped),
		TEST(others_are_refused_and_left_alone),
		TEST(the_older_gate_under_flood),
		TEST(the_same_schema_under_flood),
	};

	if (argc == 3)
		return old_gate_make(argv[1], argv[2]) ? 1 : 0;
	return cmocka_run_group_tests(tests, cage_open, NULL);
}
