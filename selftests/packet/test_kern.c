/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_kern.c: load, pin, attach, update, take away, on real interfaces. Between
 * steps a frame of a banned source is sent and must have been dropped.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <sys/capability.h>
#include <sys/wait.h>
#include <time.h>

#include "user/ban.h"

#define DIR CAGE_BPF "/postern/v" PST_TEXT(PST_SCHEMA)

#include "cage_gate.h"

static struct kern_link attach(const char *interface, enum xdp_mode mode)
{
	struct kern_link l;

	if (kern_attach(DIR, interface, mode, &l, err, sizeof(err)))
		fail_msg("%s", err);
	return l;
}

static int unload(void **state)
{
	(void)state;
	kern_unload(DIR);
	return 0;
}

/* --- a banned source, and whether it is dropped ------------------------- */

static void ban_the_banned(void)
{
	struct kern_maps m = maps();
	struct pst_addr a = frame_ip4(192, 0, 2, 1);
	struct pst_prefix p = prefix_of(&a, 128);
	struct pst_ban b = { .until_ns = ~0ull, .action = PST_ACT_DROP };
	struct pst_conf c;
	bool evicted;

	assert_int_equal(gate_conf_get(&m, &c), 0);
	c.port_bits[0] = 1 << 25;
	assert_int_equal(gate_conf_put(&m, &c), 0);
	assert_int_equal(ban_put(&m, &p, &b, "for the test", false, &evicted), 0);
	kern_close(&m);
}

/* What the gate counted when a frame of the banned source came out of w0. */
static unsigned counted(void)
{
	struct frame_spec spec = { .src = frame_ip4(192, 0, 2, 1), .dst = frame_ip4(198, 51, 100, 1), .sport = 40000, .dport = 25 };
	struct pst_stats before = stats(), after;
	struct frame f;

	frame_build(&f, &spec);
	cage_send("w0", &f);
	for (int i = 0; i < 20000; i++) { /* the other end of the cable takes it when it has a CPU */
		after = stats();
		if (after.counter[PST_CNT_DROP_BANNED] != before.counter[PST_CNT_DROP_BANNED])
			return PST_CNT_DROP_BANNED;
		usleep(1000);
	}
	return PST_CNT_MAX;
}

#define assert_dropped() assert_int_equal(counted(), PST_CNT_DROP_BANNED)

/* --- loading ------------------------------------------------------------- */

static void needs_a_bpffs(void **state)
{
	(void)state;
	assert_int_equal(kern_load(CAGE "/x/v2", err, sizeof(err)), -ENOTSUP);
	assert_non_null(strstr(err, "under /sys/fs/bpf"));
	assert_int_equal(access(CAGE "/x", F_OK), -1);
}

static void fresh_load(void **state)
{
	struct kern_maps m;
	struct pst_conf c, want = { .mode = PST_MODE_ENFORCE };
	struct pst_meta meta;
	unsigned have = 77;
	__u32 zero = 0;

	(void)state;
	assert_int_equal(kern_open(DIR, false, &m, &have), -ENOENT);
	assert_int_equal(have, 0);
	load();
	assert_int_equal(kern_open(DIR, false, &m, &have), 0);
	assert_int_equal(have, PST_SCHEMA);
	assert_int_equal(gate_conf_get(&m, &c), 0);
	assert_memory_equal(&c, &want, sizeof(c));
	assert_int_equal(bpf_map_lookup_elem(m.meta, &zero, &meta), 0);
	assert_int_equal(meta.magic, PST_MAGIC);
	assert_true(meta.loaded_ns && meta.loaded_ns < kern_now_ns());
	assert_int_equal(kern_links(DIR, NULL, 0), 0);
	kern_close(&m);
}

static void readonly_cannot_write(void **state)
{
	struct kern_maps m;
	struct pst_conf c;

	(void)state;
	load();
	assert_int_equal(kern_open(DIR, true, &m, NULL), 0);
	assert_int_equal(gate_conf_get(&m, &c), 0);
	assert_int_equal(gate_conf_put(&m, &c), -EPERM);
	kern_close(&m);
}

static void bans_survive_a_load(void **state)
{
	struct pst_addr a = frame_ip4(192, 0, 2, 1);
	struct pst_prefix p = prefix_of(&a, 128);
	struct kern_maps m;
	struct pst_note note;
	struct pst_conf c;
	struct pst_ban b;

	(void)state;
	load();
	ban_the_banned();
	load();
	m = maps();
	assert_int_equal(ban_get(&m, &p, &b, &note), 0);
	assert_string_equal(note.text, "for the test");
	assert_int_equal(gate_conf_get(&m, &c), 0);
	assert_int_equal(c.port_bits[0], 1 << 25);
	kern_close(&m);
}

static void another_schema_is_refused(void **state)
{
	static const struct {
		__u32 magic, schema, ban_bytes, stats_bytes;
		unsigned have;
	} rows[] = {
		{ PST_MAGIC, PST_SCHEMA + 1, sizeof(struct pst_ban), sizeof(struct pst_stats), PST_SCHEMA + 1 },
		{ PST_MAGIC, PST_SCHEMA, sizeof(struct pst_ban) + 8, sizeof(struct pst_stats), PST_SCHEMA },
		{ PST_MAGIC, PST_SCHEMA, sizeof(struct pst_ban), sizeof(struct pst_stats) - 8, PST_SCHEMA },
		{ 0, PST_SCHEMA, sizeof(struct pst_ban), sizeof(struct pst_stats), 0 },
	};
	struct kern_maps m, none;
	__u32 zero = 0;

	(void)state;
	load();
	ban_the_banned();
	attach("g0", XDP_AUTO);
	m = maps();
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct pst_meta meta = { rows[i].magic, rows[i].schema, rows[i].ban_bytes, rows[i].stats_bytes, 1, "9.9" };
		unsigned have;

		assert_int_equal(bpf_map_update_elem(m.meta, &zero, &meta, BPF_ANY), 0);
		assert_int_equal(kern_open(DIR, false, &none, &have), -EPROTO);
		assert_int_equal(have, rows[i].have);
		assert_int_equal(kern_load(DIR, err, sizeof(err)), -EPROTO);
		assert_non_null(strstr(err, "another version"));
	}
	/* What was there goes on as it was. */
	assert_int_equal(bpf_map_update_elem(m.meta, &zero, &(struct pst_meta){ PST_MAGIC, PST_SCHEMA, sizeof(struct pst_ban),
			 sizeof(struct pst_stats), 1, "" }, BPF_ANY), 0);
	kern_close(&m);
	assert_dropped();
}

/* A pinned map of another layout under a good pst_meta: refused by name. */
static void another_layout_is_refused(void **state)
{
	int fd;

	(void)state;
	load();
	assert_int_equal(unlink(DIR "/pst_notes"), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "notes", 20, 8, 16, NULL);
	assert_int_equal(bpf_obj_pin(fd, DIR "/pst_notes"), 0);
	close(fd);
	assert_int_equal(kern_load(DIR, err, sizeof(err)), -EPROTO);
	assert_non_null(strstr(err, "pst_notes"));
}

static void a_load_that_died_is_begun_anew(void **state)
{
	(void)state;
	load();
	assert_int_equal(unlink(DIR "/pst_meta"), 0);
	assert_int_equal(unlink(DIR "/pst_net6"), 0);
	load();
	ban_the_banned();
	attach("g0", XDP_AUTO);
	assert_dropped();
}

/* --- attaching ----------------------------------------------------------- */

static void native_on_veth(void **state)
{
	struct kern_link l, links[4];

	(void)state;
	load();
	ban_the_banned();
	l = attach("g0", XDP_NATIVE);
	assert_true(l.native && !l.why[0] && l.prog_id && l.ifindex == if_nametoindex("g0"));
	assert_string_equal(l.interface, "g0");
	assert_int_equal(kern_links(DIR, links, 4), 1);
	assert_in_range(links[0].since_s, time(NULL) - 60, time(NULL));
	links[0].since_s = l.since_s;
	assert_memory_equal(&links[0], &l, sizeof(l));
	assert_dropped();
}

static void replaced_in_place(void **state)
{
	struct kern_link before, after;

	(void)state;
	load();
	ban_the_banned();
	before = attach("g0", XDP_AUTO);
	assert_dropped();
	for (int i = 0; i < 3; i++) {
		load();
		assert_int_equal(kern_links(DIR, &after, 1), 1);
		assert_int_not_equal(after.prog_id, before.prog_id);
		assert_dropped();
		before = attach("g0", XDP_AUTO);
		assert_int_equal(after.prog_id, before.prog_id);
		assert_dropped();
	}
}

static void generic_is_a_visible_fallback(void **state)
{
	struct kern_link l;

	(void)state;
	load();
	cage_do("ip link add d0 type bridge && ip link set d0 up");
	assert_int_equal(kern_attach(DIR, "d0", XDP_NATIVE, &l, err, sizeof(err)), -EOPNOTSUPP);
	assert_non_null(strstr(err, "d0: native XDP refused (bridge, MTU 1500)"));
	assert_int_equal(kern_links(DIR, &l, 1), 0);
	l = attach("d0", XDP_AUTO);
	assert_false(l.native);
	assert_non_null(strstr(l.why, "native XDP refused (bridge, MTU 1500)"));
	assert_int_equal(kern_links(DIR, &l, 1), 1);
	assert_non_null(strstr(l.why, "native XDP refused (bridge, MTU 1500)"));
	l = attach("d0", XDP_AUTO);
	assert_non_null(strstr(l.why, "native XDP refused (bridge, MTU 1500)"));
	/* Asking for native now fails, and leaves the generic one where it was. */
	assert_int_equal(kern_attach(DIR, "d0", XDP_NATIVE, &l, err, sizeof(err)), -EOPNOTSUPP);
	assert_int_equal(kern_links(DIR, &l, 1), 1);
	assert_true(!l.native && l.ifindex == if_nametoindex("d0"));
	assert_non_null(strstr(l.why, "native XDP refused (bridge, MTU 1500)"));
	cage_do("ip link del d0");
}

static void the_mode_can_be_changed(void **state)
{
	static const enum xdp_mode modes[] = { XDP_NATIVE, XDP_GENERIC, XDP_AUTO, XDP_NATIVE };
	static const bool native[] = { true, false, false, true };

	(void)state;
	load();
	ban_the_banned();
	for (size_t i = 0; i < NROWS(modes); i++) {
		assert_int_equal(attach("g0", modes[i]).native, native[i]);
		assert_dropped();
	}
}

static void any_interface_name(void **state)
{
	static const char *const names[] = { "g0.100", "a-b_c.7.8", "..x", "fifteen.letters" };
	struct kern_link l;
	char command[128];

	(void)state;
	load();
	for (size_t i = 0; i < NROWS(names); i++) {
		snprintf(command, sizeof(command), "ip link add %s type bridge && ip link set %s up", names[i], names[i]);
		cage_do(command);
		attach(names[i], XDP_AUTO);
		assert_int_equal(kern_links(DIR, &l, 1), 1);
		assert_string_equal(l.interface, names[i]);
		assert_int_equal(kern_detach(DIR, names[i]), 0);
		assert_int_equal(kern_detach(DIR, names[i]), -ENOENT);
		snprintf(command, sizeof(command), "ip link del %s", names[i]);
		cage_do(command);
	}
	assert_int_equal(kern_attach(DIR, "none0", XDP_AUTO, &l, err, sizeof(err)), -ENODEV);
	assert_non_null(strstr(err, "none0"));
	assert_int_equal(kern_detach(DIR, "../prog"), -EINVAL);
	assert_int_equal(kern_detach(DIR, "sixteen_letters_"), -EINVAL);
}

static void a_strangers_program_is_named(void **state)
{
	struct bpf_insn pass[] = { { .code = 0xb7, .imm = XDP_PASS }, { .code = 0x95 } };
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "stranger", "GPL", pass, 2, NULL);
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	struct kern_link l;
	char id[16];

	(void)state;
	load();
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	snprintf(id, sizeof(id), "id %u", info.id);
	for (__u32 mode = XDP_FLAGS_SKB_MODE; mode <= XDP_FLAGS_DRV_MODE; mode <<= 1) {
		assert_int_equal(bpf_xdp_attach((int)if_nametoindex("g0"), fd, mode, NULL), 0);
		for (enum xdp_mode m = XDP_AUTO; m <= XDP_GENERIC; m++) {
			int e = kern_attach(DIR, "g0", m, &l, err, sizeof(err));

			assert_true(e == -EBUSY || e == -EEXIST);
			assert_non_null(strstr(err, id));
		}
		assert_int_equal(kern_links(DIR, &l, 1), 0);
		assert_int_equal(bpf_xdp_detach((int)if_nametoindex("g0"), mode, NULL), 0);
	}
	close(fd);
}

static void an_interface_that_comes_back(void **state)
{
	struct kern_link l;

	(void)state;
	load();
	ban_the_banned();
	attach("g0", XDP_AUTO);
	cage_do("ip link del g0");
	assert_int_equal(kern_links(DIR, &l, 1), 1);
	assert_int_equal(l.ifindex, 0);
	assert_non_null(strstr(l.why, "gone"));
	load(); /* must not stumble over it */
	cage_do("ip link add g0 type veth peer name w0 && ip link set g0 up && ip link set w0 up");
	assert_true(attach("g0", XDP_AUTO).native);
	assert_dropped();
}

static void nothing_is_loaded(void **state)
{
	struct kern_link l;

	(void)state;
	assert_int_equal(kern_attach(DIR, "g0", XDP_AUTO, &l, err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, DIR));
	assert_int_equal(kern_links(DIR, &l, 1), -ENOENT);
	assert_int_equal(kern_unload(DIR), -ENOENT);
}

/* --- taking away ---------------------------------------------------------- */

static void unload_leaves_nothing(void **state)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	int held;

	(void)state;
	load();
	attach("g0", XDP_AUTO);
	attach("w0", XDP_AUTO);
	held = bpf_obj_get(DIR "/link_g0"); /* as another process might */
	assert_true(held >= 0);
	assert_int_equal(kern_unload(DIR), 0);
	assert_int_equal(access(CAGE_BPF "/postern", F_OK), -1);
	assert_int_equal(bpf_xdp_query((int)if_nametoindex("g0"), 0, &q), 0);
	assert_int_equal(q.prog_id, 0);
	close(held);
}

/* --- with the capabilities of the warden ---------------------------------- */

static void keep_only(const cap_value_t *kept, int n)
{
	cap_t caps = cap_init();

	cap_set_flag(caps, CAP_PERMITTED, n, kept, CAP_SET);
	cap_set_flag(caps, CAP_EFFECTIVE, n, kept, CAP_SET);
	if (cap_set_proc(caps))
		_exit(1);
}

static int ended(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void few_capabilities(void **state)
{
	static const cap_value_t kept[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		struct kern_link l;

		keep_only(kept, 3);
		if (kern_load(DIR, err, sizeof(err)) || kern_load(DIR, err, sizeof(err)) || kern_take_over(DIR, err, sizeof(err)) ||
		    kern_attach(DIR, "g0", XDP_NATIVE, &l, err, sizeof(err)) || kern_attach(DIR, "g0", XDP_AUTO, &l, err, sizeof(err))) {
			fprintf(stderr, "%s\n", err);
			_exit(2);
		}
		_exit(kern_links(DIR, &l, 1) == 1 && l.native && l.prog_id && !kern_detach(DIR, "g0") ? 0 : 3);
	}
	assert_int_equal(ended(pid), 0);
}

/* Each that is missing is told in the same words, and what is there stays as it is. */
static void too_few_capabilities(void **state)
{
	static const cap_value_t kept[] = { CAP_DAC_OVERRIDE, CAP_NET_ADMIN };

	(void)state;
	load();
	for (int n = 1; n <= 2; n++) {
		pid_t pid = fork();

		if (!pid) {
			keep_only(kept, n);
			_exit(kern_load(DIR, err, sizeof(err)) == -EPERM && strstr(err, "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON") ? 0 : 4);
		}
		assert_int_equal(ended(pid), 0);
	}
	load();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, unload, unload)
	const struct CMUnitTest tests[] = {
		TEST(needs_a_bpffs),
		TEST(fresh_load),
		TEST(readonly_cannot_write),
		TEST(bans_survive_a_load),
		TEST(another_schema_is_refused),
		TEST(another_layout_is_refused),
		TEST(a_load_that_died_is_begun_anew),
		TEST(native_on_veth),
		TEST(replaced_in_place),
		TEST(generic_is_a_visible_fallback),
		TEST(the_mode_can_be_changed),
		TEST(any_interface_name),
		TEST(a_strangers_program_is_named),
		TEST(an_interface_that_comes_back),
		TEST(nothing_is_loaded),
		TEST(unload_leaves_nothing),
		TEST(few_capabilities),
		TEST(too_few_capabilities),
	};

	return cmocka_run_group_tests(tests, cage_open, NULL);
}
