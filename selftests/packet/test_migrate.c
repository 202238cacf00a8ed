/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_migrate.c: a gate of every older schema is taken over: what it knew is known, and under a flood of a banned
 * source not one packet gets behind XDP. `test_migrate SCHEMA DIR IF` makes such a gate for other tests.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "selftests/packet/old_gate.h"
#include "user/ban.h"
#include "user/gatelist.h"

#define ROOT CAGE_BPF "/postern"
#define V1   ROOT "/v1"
#define V2   ROOT "/v2"
#define DIR  ROOT "/v" PST_TEXT(PST_SCHEMA)
#define NEWER 4

_Static_assert(PST_SCHEMA == OLD_SCHEMAS + 1 && NEWER == PST_SCHEMA + 1, "the schema before has a gate here");

#include "cage_gate.h"

static int unload(void **state)
{
	(void)state;
	kern_unload(DIR);
	kern_unload(V1);
	kern_unload(V2);
	kern_unload(ROOT "/v" PST_TEXT(NEWER));
	return 0;
}

/* Which of them a test is about. */
static unsigned schema;

static const char *old_path(const char *name)
{
	static char path[2][128];
	static unsigned turn;
	char *out = path[turn++ % 2];

	snprintf(out, sizeof(path[0]), ROOT "/v%u%s", schema, name);
	return out;
}

static void old(void)
{
	assert_int_equal(old_gate_make(schema, old_path(""), "g0"), 0);
}

static bool old_is_there(void)
{
	return !access(old_path(""), F_OK);
}

static void of_every_schema(void (*test)(void))
{
	for (schema = 1; schema <= OLD_SCHEMAS; schema++) {
		test();
		unload(NULL);
	}
}

/* --- what is known ------------------------------------------------------- */

static void knows_the_bans(void)
{
	const size_t known = old_schemas[schema].ban_bytes;
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
		assert_memory_equal((__u8 *)&b + 8, (const __u8 *)&old_bans[i] + 8, known - 8);
		for (size_t at = known; at < sizeof(b); at++)
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
	const struct old_schema *old = &old_schemas[schema];
	struct pst_stats s = stats();

	for (unsigned i = 0; i < PST_COUNTERS_ROOM; i++)
		assert_int_equal(s.counter[i], i < old->counters ? 1020 + i : 0);
	for (unsigned i = 0; i < PST_REASONS_ROOM; i++)
		assert_int_equal(s.found[i], i < old->reasons ? 1020 + old->counters + i : 0);
}

static void knows_the_list(void)
{
	const struct {
		struct pst_addr addr;
		unsigned since; /* schema; 0 = is not listed */
	} rows[] = {
		{ frame_ip4(198, 51, 100, 9), 1 }, { frame_ip4(198, 51, 102, 128), 2 }, { frame_ip6(0xf, 1), 2 },
		{ frame_ip4(198, 51, 101, 9), 0 }, { frame_ip4(198, 51, 102, 127), 0 }, { frame_ip6(0x10, 1), 0 },
	};
	struct kern_maps m = maps();
	struct pst_list_info info;
	struct pst_class class;

	for (size_t i = 0; i < NROWS(rows); i++) {
		bool listed = rows[i].since && rows[i].since <= schema;

		assert_int_equal(list_find(&m, &rows[i].addr, &class), listed ? 0 : -ENOENT);
		if (!listed)
			continue;
		assert_int_equal(class.action, PST_ACT_DROP);
		assert_int_equal(list_info(&m, class.list, &info), 0);
		assert_string_equal(info.name, "old");
		assert_true(info.prefixes == old_schemas[schema].prefixes && info.stale == (schema == 1));
	}
	kern_close(&m);
}

/* The dialogues that the older gate had begun go on, in its words; what it had no words for has some. */
static void knows_what_was_said(void)
{
	struct pst_addr delivered = frame_ip4(203, 0, 113, 9);
	__u32 zero = 0, greeting = PST_TEXT_GREETING, reason = PST_TEXT_REASON(PST_RSN_MAX - 1);
	struct kern_maps m = maps();
	struct pst_secret secret;
	struct pst_good good;
	struct pst_text text;

	assert_int_equal(bpf_map_lookup_elem(m.text, &reason, &text), 0);
	assert_true(text.n > 0);
	if (schema > 1) {
		assert_int_equal(bpf_map_lookup_elem(m.secret, &zero, &secret), 0);
		assert_true(secret.gen[0].key[0] == 1 && secret.gen[0].key[1] == 2);
		assert_int_equal(bpf_map_lookup_elem(m.text, &greeting, &text), 0);
		assert_true(text.n == strlen(OLD_GREETING) && !memcmp(text.text, OLD_GREETING, text.n));
		assert_int_equal(bpf_map_lookup_elem(m.good, &delivered, &good), 0);
		assert_int_equal(good.until_ns, ~0ull);
	}
	kern_close(&m);
}

static void knows_all(void)
{
	struct kern_link l;

	knows_the_bans();
	knows_the_settings();
	knows_the_list();
	knows_what_was_said();
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

static void take_all_over(void)
{
	unsigned have;
	struct kern_maps m;

	silence(true);
	old();
	assert_int_equal(kern_open(DIR, true, &m, &have), -ENOENT);
	assert_int_equal(have, schema);
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

static void all_is_taken_over(void **state)
{
	(void)state;
	of_every_schema(take_all_over);
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
	link = bpf_obj_get(old_path("/link_g0"));
	assert_int_equal(bpf_link_update(link, prog, NULL), 0);
	close(prog);
	close(link);
}

static void died_before_the_pins_went(void)
{
	died_between_update_and_rename();
	assert_int_equal(rename(old_path("/link_g0"), DIR "/link_g0"), 0);
}

static void died_among_the_pins(void)
{
	died_before_the_pins_went();
	unpin(old_path("/pst_bans"));
	unpin(old_path("/pst_stats"));
	unpin(old_path("/prog"));
}

static void died_before_the_folder_went(void)
{
	load_only();
	take_over();
	assert_int_equal(mkdir(old_path(""), 0700), 0);
}

static void die_and_finish(void)
{
	static void (*const deaths[])(void) = {
		died_while_copying, died_before_the_links, died_between_update_and_rename, died_before_the_pins_went, died_among_the_pins,
	};

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

static void a_start_that_died_is_finished(void **state)
{
	(void)state;
	of_every_schema(die_and_finish);
}

static __u32 verdict_of(const struct pst_addr *source)
{
	struct frame_spec spec = { .src = *source, .dst = frame_ip4(198, 51, 100, 1), .sport = 40000, .dport = 25 };
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int prog = bpf_obj_get(DIR "/prog");
	struct frame f;

	frame_build(&f, &spec);
	run.data_in = f.b;
	run.data_size_in = (__u32)f.n;
	assert_int_equal(bpf_prog_test_run_opts(prog, &run), 0);
	close(prog);
	return run.retval;
}

/*
 * The older daemon was started again in between, banned somebody and pardoned somebody. again: a start finds it so that begins once
 * more; what both have in common is known without.
 */
static void come_in_between(bool again)
{
	struct pst_addr a = frame_ip4(192, 0, 2, 99), pardoned = frame_ip4(192, 0, 2, 1);
	struct pst_prefix p = prefix_of(&a, 128), q = prefix_of(&pardoned, 128);
	struct old_ban b = { .until_ns = ~0ull, .action = PST_ACT_DROP, .score = 5 };
	struct pst_ban got;
	struct kern_maps m;
	int fd;

	silence(true);
	old();
	load_only();
	fd = bpf_obj_get(old_path("/pst_bans"));
	assert_int_equal(bpf_map_update_elem(fd, &p, &b, BPF_ANY), 0);
	if (!again)
		assert_int_equal(bpf_map_delete_elem(fd, &q), 0);
	close(fd);
	if (again)
		load_only();
	take_over();
	assert_int_equal(verdict_of(&a), XDP_DROP);
	assert_int_equal(verdict_of(&pardoned), again ? XDP_DROP : XDP_PASS);
	m = maps();
	assert_int_equal(ban_get(&m, &p, &got, NULL), 0);
	assert_int_equal(got.score, 5);
	kern_close(&m);
	silence(false);
}

static void begin_again(void)
{
	come_in_between(true);
}

static void what_came_in_between_is_added(void **state)
{
	(void)state;
	of_every_schema(begin_again);
	schema = 2;
	come_in_between(false);
}

/* An interface that is gone has a dead link: it is not carried over. */
static void a_dead_link_is_dropped(void **state)
{
	struct kern_link l;

	(void)state;
	cage_do("ip link add x0 type veth peer name x1");
	schema = 1;
	assert_int_equal(old_gate_make(1, V1, "x0"), 0);
	cage_do("ip link del x0");
	load_only();
	take_over();
	assert_int_equal(kern_links(DIR, &l, 1), 0);
	assert_false(old_is_there());
}

/* Why an interface is not native was found out when it was attached, by a version that kept it or by one that did not. */
static void why_not_native_is_kept(void **state)
{
	static const char *const rows[][2] = {
		{ "native XDP refused (bridge, MTU 1500)", "native XDP refused (bridge, MTU 1500)" },
		{ "generic mode was asked for", "generic mode was asked for" },
		{ NULL, "not known; detach and attach it to try native again" },
	};
	struct kern_link l;

	(void)state;
	schema = 2;
	cage_do("ip link add d0 type bridge && ip link set d0 up");
	for (size_t i = 0; i < NROWS(rows); i++) {
		assert_int_equal(old_gate_make(schema, old_path(""), "d0"), 0);
		if (rows[i][0])
			assert_int_equal(symlink(rows[i][0], old_path("/why_d0")), 0);
		for (unsigned twice = 0; twice < 2; twice++) { /* from the older gate, and over our own */
			load_only();
			take_over();
			assert_int_equal(kern_links(DIR, &l, 1), 1);
			assert_false(l.native);
			assert_string_equal(l.why, rows[i][1]);
			assert_false(old_is_there());
		}
		assert_int_equal(kern_attach(DIR, "d0", XDP_AUTO, &l, err, sizeof(err)), 0); /* as the daemon does */
		assert_string_equal(l.why, rows[i][1]);
		unload(NULL);
		assert_int_equal(access(ROOT, F_OK), -1);
	}
	cage_do("ip link del d0");
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
		{ ROOT "/v" PST_TEXT(NEWER), "a newer version (schema " PST_TEXT(NEWER), { PST_MAGIC, NEWER, 72, 800, 1, "9" } },
		{ V1, "an unknown version (schema 1", { 0, 1, 48, 608, 1, "" } },
		{ V1, "an unknown version (schema 1", { PST_MAGIC, 1, 40, 608, 1, "" } },
		{ V1, "an unknown version (schema 1", { PST_MAGIC, 1, 48, 600, 1, "" } },
		{ V1, "a newer version (schema " PST_TEXT(NEWER), { PST_MAGIC, NEWER, 48, 608, 1, "" } },
		{ V2, "an unknown version (schema 2", { PST_MAGIC, 2, 64, 720, 1, "" } },
		{ V2, "an unknown version (schema 1", { PST_MAGIC, 1, 48, 608, 1, "" } },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		__u32 before, after;
		LIBBPF_OPTS(bpf_xdp_query_opts, q);

		assert_int_equal(old_gate_make(1, rows[i].dir, "g0"), 0);
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

#define DROPPED_MIN (1017 + 20 + 5000)

static void upgrade(void)
{
	unsigned long long before, after = 0;

	load_only();
	before = dropped();
	take_over();
	for (int i = 0; i < 2000 || (after <= DROPPED_MIN && i < 10000000); i++) { /* the flood may have no CPU for a while */
		after = dropped();
		assert_true(after >= before);
		before = after;
	}
	assert_true(after > DROPPED_MIN);
	knows_the_settings();
}

static void upgrade_under_flood(void)
{
	old();
	under_flood(upgrade);
}

static void the_older_gate_under_flood(void **state)
{
	(void)state;
	of_every_schema(upgrade_under_flood);
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
	schema = 1;
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
		TEST(why_not_native_is_kept),
		TEST(others_are_refused_and_left_alone),
		TEST(the_older_gate_under_flood),
		TEST(the_same_schema_under_flood),
	};

	if (argc == 4)
		return old_gate_make((unsigned)atoi(argv[1]), argv[2], argv[3]) ? 1 : 0;
	return cmocka_run_group_tests(tests, cage_open, NULL);
}
