/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_list.c: the lists in real maps, asked by the real program: the same answers as the words say, exact
 * hits, and a replacement during which no packet of a source that stays refused ever passes.
 */
#include "gate_run.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "selftests/unit/table_model.h"
#include "user/core/names.h"
#include "user/lpm.h"

#define LISTS_MAX 4096
#define NLISTS	  5
#define SET_MAX	  400

static struct run r;
static char err[256];

static int fresh(void **state)
{
	(void)state;
	return run_open_sized(&r, 16, LISTS_MAX);
}

static int gone(void **state)
{
	(void)state;
	run_close(&r);
	return 0;
}

static struct frame syn_from(struct pst_addr src)
{
	bool v6 = !addr_is4(&src);
	struct frame f;

	frame_build(&f, &(struct frame_spec){
		.net = v6 ? NET_IP6 : NET_IP4, .src = src, .dst = v6 ? frame_ip6(0xfff0, 1) : frame_ip4(198, 51, 100, 1), .sport = 40000, .dport = PORT });
	return f;
}

/* Five lists with any two actions that refuse without an answer, or none. */
static void rnd_actions(struct pst_list_info info[PST_LISTS_MAX])
{
	static const __u8 some[] = { PST_ACT_OBSERVE, PST_ACT_DROP, PST_ACT_DROP };

	memset(info, 0, PST_LISTS_MAX * sizeof(*info));
	for (unsigned i = 0; i < NLISTS; i++) {
		snprintf(info[i].name, sizeof(info[i].name), "list %u", i);
		info[i].action = some[rnd_below(NROWS(some))];
	}
}

static size_t rnd_set(struct lists_entry *e)
{
	size_t n = rnd_below(SET_MAX);

	for (size_t i = 0; i < n; i++)
		e[i] = model_entry(NLISTS);
	return n;
}

static void replace(const struct lists_entry *e, size_t n, const struct pst_list_info *info)
{
	static struct lists_entry copy[100000];

	memcpy(copy, e, n * sizeof(*e));
	err[0] = 0;
	if (list_replace(&r.maps, copy, n, info, err, sizeof(err)))
		fail_msg("%s", err);
}

static bool refused(__u64 lists, const struct pst_list_info *info)
{
	for (unsigned i = 0; i < NLISTS; i++)
		if (lists >> i & 1 && info[i].action != PST_ACT_OBSERVE)
			return true;
	return false;
}

/* One packet: verdict and counter as the words say, and user space says the same. */
static void ask(const struct lists_entry *e, size_t n, const struct pst_list_info *info, struct pst_addr a, __u64 hits[NLISTS])
{
	__u64 want = model_lists(e, n, &a), got = 0;
	struct frame f = syn_from(a);
	struct pst_class class;
	struct outcome o;
	char text[ADDR_TEXT_MAX];

	run_frame(&r, &f, &o);
	if (o.counter != (want ? refused(want, info) ? PST_CNT_DROP_LISTED : PST_CNT_PASS_OBSERVED : PST_CNT_PASS_CLEAN))
		fail_msg("%s on %llx: %s", addr_text(&a, text), (unsigned long long)want, counter_name(o.counter));
	assert_int_equal(list_find(&r.maps, &a, &class), want ? 0 : -ENOENT);
	for (unsigned i = 0; i < NLISTS && want; i++) {
		int row = run_list_row(&r, info[i].name);

		assert_true(row >= 0);
		got |= (class.lists >> row & 1) << i;
		hits[i] += want >> i & 1;
	}
	assert_int_equal(got, want);
}

static void hits_are(const __u64 hits[NLISTS], const struct pst_list_info *info)
{
	for (unsigned i = 0; i < NLISTS; i++)
		assert_int_equal(run_list_hits(&r, info[i].name), hits[i]);
}

/* Whatever was there before. No packet is lost from a list's account when classes come and go. */
static void answers_as_the_words_say(void **state)
{
	static struct lists_entry e[SET_MAX];
	struct pst_list_info info[PST_LISTS_MAX];
	__u64 hits[NLISTS] = { 0 };

	(void)state;
	for (int round = 0; round < 40; round++) {
		size_t n = round % 10 == 9 ? 0 : rnd_set(e);

		rnd_actions(info);
		replace(e, n, info);
		for (int i = 0; i < 250; i++)
			ask(e, n, info, model_probe(e, n), hits);
		hits_are(hits, info);
	}
}

/* A bit for every /24 that has something, and no other. */
static void bits_are_right(void)
{
	static struct pst_cells cells;
	static struct pst_some some;
	__u32 only = 0, wrong = 0;

	assert_int_equal(bpf_map_lookup_elem(r.maps.cell4, &only, &cells), 0);
	assert_int_equal(bpf_map_lookup_elem(r.maps.some4, &only, &some), 0);
	for (size_t i = 0; i < PST_CELLS; i++)
		wrong += (some.word[i / 64] >> (i % 64) & 1) != (cells.cell[i] != 0);
	assert_int_equal(wrong, 0);
}

/* After a replacement the maps hold what the new table needs, and nothing else. */
static void leaves_nothing_behind(void **state)
{
	static struct lists_entry e[SET_MAX];
	struct pst_list_info info[PST_LISTS_MAX];
	struct lists_entry *nets;
	__u32 key;

	(void)state;
	for (int round = 0; round < 5; round++) {
		rnd_actions(info);
		replace(e, rnd_set(e), info);
		bits_are_right();
	}
	memset(info, 0, sizeof(info));
	replace(e, 0, info);
	bits_are_right();
	assert_int_not_equal(bpf_map_get_next_key(r.maps.leaf4, NULL, &key), 0);
	assert_int_not_equal(bpf_map_get_next_key(r.maps.rich4, NULL, &key), 0);
	assert_int_equal(lpm_read(r.maps.net6, &nets), 0);
	free(nets);
	for (__u32 i = 0; i < 256; i++) {
		struct pst_class c;

		assert_int_equal(bpf_map_lookup_elem(r.maps.class, &i, &c), 0);
		assert_int_equal(c.lists, 0);
	}
	for (unsigned i = 0; i < PST_LISTS_MAX; i++)
		assert_int_equal(list_info(&r.maps, i, &info[i]), -ENOENT);
}

/* --- under packets ----------------------------------------------------------- */

struct flood {
	struct frame f;
	atomic_bool stop;
	atomic_ulong packets;
};

/* Counted by the program itself, one batch of packets after the other. */
static void *flood(void *ctx)
{
	struct flood *w = ctx;

	while (!atomic_load(&w->stop)) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = w->f.b, .data_size_in = w->f.n, .repeat = 2000);

		if (bpf_prog_test_run_opts(bpf_program__fd(r.skel->progs.gate), &opts))
			break;
		atomic_fetch_add(&w->packets, 2000);
	}
	return NULL;
}

static __u64 counted(unsigned counter)
{
	struct pst_stats s;

	assert_int_equal(stats_read(&r.maps, &s), 0);
	return s.counter[counter] - r.before.counter[counter];
}

#define PACKETS_MIN 100000

/*
 * Every version of the lists refuses the address, by another prefix, another list or another set of them each
 * time. Not one packet of it is counted as anything but dropped.
 */
static void no_packet_passes(struct pst_addr a, unsigned shortest)
{
	static struct lists_entry e[SET_MAX + 1];
	struct pst_list_info info[PST_LISTS_MAX];
	struct flood w = { .f = syn_from(a) };
	pthread_t thread;

	rnd_actions(info);
	info[1].action = PST_ACT_DROP;
	e[0] = (struct lists_entry){ run_prefix(a, 120), 1 };
	replace(e, 1, info);
	assert_int_equal(stats_read(&r.maps, &r.before), 0);
	assert_int_equal(pthread_create(&thread, NULL, flood, &w), 0);
	for (int round = 0; round < 60 || (atomic_load(&w.packets) <= PACKETS_MIN && round < 100 * 60); round++) {
		size_t n = rnd_set(e);

		rnd_actions(info);
		for (unsigned i = 0; i < 4; i++) { /* a nest around it: what only observes must shelter nobody */
			e[n] = (struct lists_entry){ run_prefix(a, 128 - rnd_below(128 - shortest)), rnd_below(NLISTS) };
			n += n < SET_MAX;
		}
		e[n] = (struct lists_entry){ run_prefix(a, 128 - rnd_below(128 - shortest)), rnd_below(NLISTS) };
		info[e[n++].value].action = PST_ACT_DROP;
		replace(e, n, info);
	}
	atomic_store(&w.stop, true);
	pthread_join(thread, NULL);
	assert_true(atomic_load(&w.packets) > PACKETS_MIN);
	assert_int_equal(counted(PST_CNT_DROP_LISTED), atomic_load(&w.packets));
	assert_int_equal(counted(PST_CNT_PASS_CLEAN) + counted(PST_CNT_PASS_OBSERVED), 0);
}

static void no_packet_passes_ip4(void **state)
{
	(void)state;
	no_packet_passes(frame_ip4(10, 0, 1, 77), 96);
}

static void no_packet_passes_ip6(void **state)
{
	(void)state;
	no_packet_passes(frame_ip6(1, 77), 0);
}

/* --- limits and repairs ------------------------------------------------------- */

static struct lists_entry net4(unsigned i, unsigned list)
{
	return (struct lists_entry){ run_prefix(frame_ip4(10, (i >> 8) & 255, i & 255, 1), 128), list };
}

/* Old and new together over a limit: refused in words, and the old lists answer as before. */
static void too_much_changes_nothing(void **state)
{
	static struct lists_entry old[LISTS_MAX - 10], next[LISTS_MAX - 10];
	struct pst_list_info info[PST_LISTS_MAX];
	__u64 hits[NLISTS] = { 0 };

	(void)state;
	rnd_actions(info);
	for (unsigned i = 0; i < NROWS(old); i++) {
		old[i] = net4(i, 0);
		next[i] = net4(i + 8192, 1);
	}
	replace(old, NROWS(old), info);
	assert_int_equal(list_replace(&r.maps, next, NROWS(next), info, err, sizeof(err)), -ENOSPC);
	assert_non_null(strstr(err, "do not fit"));
	for (unsigned i = 0; i < 200; i++)
		ask(old, NROWS(old), info, model_inside(&(i & 1 ? old : next)[rnd_below(NROWS(old))].prefix), hits);
	replace(old, 100, info);
	replace(next, 100, info);
	for (unsigned i = 0; i < 200; i++)
		ask(next, 100, info, model_inside(&(i & 1 ? old : next)[rnd_below(200)].prefix), hits);
	hits_are(hits, info);
}

/* What a writer that was killed may have left, at each of its steps: leaves without cells, classes without either, other lengths. */
static void repairs_what_a_dead_writer_left(void **state)
{
	static struct lists_entry e[SET_MAX];
	static struct pst_some some;
	struct pst_list_info info[PST_LISTS_MAX];
	__u64 hits[NLISTS] = { 0 };
	__u32 key, n;

	(void)state;
	for (int round = 0; round < 8; round++) {
		size_t nset = rnd_set(e);
		struct pst_lens6 lens;

		key = 0; /* bits without a cell */
		assert_int_equal(bpf_map_lookup_elem(r.maps.some4, &key, &some), 0);
		for (unsigned i = 0; i < 50; i++)
			some.word[rnd_below(PST_CELLS / 64)] |= 1ull << rnd_below(64);
		assert_int_equal(bpf_map_update_elem(r.maps.some4, &key, &some, BPF_ANY), 0);

		for (unsigned i = 0; i < 50; i++) {
			struct pst_leaf4 leaf = { { ~0ull }, 1 + rnd_below(PST_CLASSES_MAX) };
			struct pst_rich4 rich;
			struct pst_class c = { .lists = 1, .action = PST_ACT_DROP };
			struct pst_net6 net = { .class = 1 };
			struct lists_entry stray = model_entry(1);
			struct pst_lpm_key at = { .len = stray.prefix.len, .addr = stray.prefix.addr };

			memset(&rich, 1, sizeof(rich));
			key = rnd_below(1 << 25);
			bpf_map_update_elem(r.maps.leaf4, &key, &leaf, BPF_NOEXIST);
			bpf_map_update_elem(r.maps.rich4, &key, &rich, BPF_NOEXIST);
			if (!prefix_is4(&stray.prefix))
				bpf_map_update_elem(r.maps.net6, &at, &net, BPF_NOEXIST);
			key = 200 + rnd_below(50);
			bpf_map_update_elem(r.maps.class, &key, &c, BPF_ANY);
		}
		key = 0;
		assert_int_equal(bpf_map_lookup_elem(r.maps.lens6, &key, &lens), 0);
		lens.all = 1;
		assert_int_equal(bpf_map_update_elem(r.maps.lens6, &key, &lens, BPF_ANY), 0);
		rnd_actions(info);
		replace(e, nset, info);
		bits_are_right();
		for (int i = 0; i < 100; i++)
			ask(e, nset, info, model_probe(e, nset), hits);
	}
	rnd_actions(info);
	replace(e, 0, info);
	n = 0;
	for (void *from = NULL; !bpf_map_get_next_key(r.maps.leaf4, from, &key); from = &key)
		n++;
	assert_int_equal(n, 0);
}

/* A list is its name: its row and its hits stay when others come and go around it. */
static void a_list_is_its_name(void **state)
{
	struct pst_list_info info[PST_LISTS_MAX] = { { .name = "a", .action = PST_ACT_DROP }, { .name = "b", .action = PST_ACT_DROP } };
	struct lists_entry e[3] = { net4(1, 0), net4(1, 1), net4(2, 1) };
	struct frame both = syn_from(e[0].prefix.addr), only_b = syn_from(e[2].prefix.addr);
	struct outcome o;
	int row;

	(void)state;
	replace(e, 3, info);
	run_frame(&r, &both, &o);
	run_frame(&r, &only_b, &o);
	assert_int_equal(run_list_hits(&r, "a"), 1);
	assert_int_equal(run_list_hits(&r, "b"), 2);
	row = run_list_row(&r, "b");

	info[0] = info[1]; /* b is first now, and alone */
	memset(&info[1], 0, sizeof(info[1]));
	replace((struct lists_entry[]){ net4(1, 0), net4(2, 0) }, 2, info);
	assert_int_equal(run_list_row(&r, "b"), row);
	assert_int_equal(run_list_row(&r, "a"), -1);
	run_frame(&r, &both, &o);
	assert_int_equal(run_list_hits(&r, "b"), 3);

	strcpy(info[1].name, "c"); /* takes a's row, not a's hits */
	info[1].action = PST_ACT_OBSERVE;
	replace((struct lists_entry[]){ net4(1, 1), net4(2, 0) }, 2, info);
	assert_int_equal(run_list_hits(&r, "c"), 0);
	run_frame(&r, &both, &o);
	assert_int_equal(o.counter, PST_CNT_PASS_OBSERVED);
	assert_int_equal(run_list_hits(&r, "c"), 1);
	assert_int_equal(run_list_hits(&r, "b"), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, gone)
	const struct CMUnitTest tests[] = {
		TEST(answers_as_the_words_say),
		TEST(leaves_nothing_behind),
		TEST(no_packet_passes_ip4),
		TEST(no_packet_passes_ip6),
		TEST(too_much_changes_nothing),
		TEST(repairs_what_a_dead_writer_left),
		TEST(a_list_is_its_name),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
