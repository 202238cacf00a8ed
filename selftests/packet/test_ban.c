/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ban.c: bans and allow entries in real maps: merging, eviction, sweeping, replacing. */
#include "gate_run.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "bpf/ban_index.h"
#include "selftests/unit/rnd.h"
#include "user/lpm.h"

#define BANS_MAX  512
#define LISTS_MAX 4096
#define S	  1000000000ull

static struct run r;

static int fresh(void **state)
{
	(void)state;
	run_open_sized(&r, BANS_MAX, LISTS_MAX);
	return gate_conf_put(&r.maps, &(struct pst_conf){ .mode = PST_MODE_ENFORCE, .port_bits = { 1ull << PORT } });
}

static int gone(void **state)
{
	(void)state;
	run_close(&r);
	return 0;
}

static struct pst_prefix host(unsigned i)
{
	return run_prefix(frame_ip4(10, (i >> 16) & 255, (i >> 8) & 255, i & 255), 128);
}

static int put(struct pst_prefix p, enum pst_origin origin, __u64 for_ns, bool *evicted)
{
	struct pst_ban b = {
		.until_ns = for_ns == ~0ull ? ~0ull : kern_now_ns() + for_ns,
		.made_ns = kern_now_ns(),
		.action = PST_ACT_DROP,
		.reason = origin == PST_ORIGIN_OPERATOR ? PST_RSN_OPERATOR : PST_RSN_RELAY,
		.origin = (__u8)origin,
	};
	bool ignored;

	return ban_put(&r.maps, &p, &b, NULL, false, evicted ? evicted : &ignored);
}

static int count_one(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	(void)p;
	(void)b;
	(*(unsigned *)ctx)++;
	return 0;
}

static unsigned count(void)
{
	unsigned n = 0;

	assert_int_equal(ban_each(&r.maps, count_one, &n), 0);
	return n;
}

static bool has(struct pst_prefix p)
{
	struct pst_ban b;

	return !ban_get(&r.maps, &p, &b, NULL);
}

/* --- one ban over another ------------------------------------------------ */

#define AUTO PST_ORIGIN_AUTOMATIC
#define OPER PST_ORIGIN_OPERATOR

static void over_a_live_ban(void **state)
{
	static const struct {
		enum pst_origin old_origin, new_origin;
		unsigned old_s, new_s, until_s;
		bool shorten;
		enum pst_origin origin;
	} rows[] = {
		{ AUTO, AUTO, 100, 200, 200, false, AUTO },
		{ AUTO, AUTO, 200, 100, 200, false, AUTO },
		{ AUTO, OPER, 200, 100, 200, false, OPER },
		{ AUTO, OPER, 200, 100, 100, true, OPER },
		{ OPER, AUTO, 100, 200, 200, false, OPER },
		{ OPER, AUTO, 200, 100, 200, false, OPER },
		{ OPER, OPER, 200, 100, 200, false, OPER },
		{ OPER, OPER, 200, 100, 100, true, OPER },
	};

	(void)state;
	for (unsigned i = 0; i < NROWS(rows); i++) {
		struct pst_ban old = { .until_ns = kern_now_ns() + rows[i].old_s * S, .origin = (__u8)rows[i].old_origin, .action = PST_ACT_DROP };
		struct pst_ban b = { .until_ns = old.until_ns + (rows[i].new_s - (__u64)rows[i].old_s) * S,
				     .origin = (__u8)rows[i].new_origin,
				     .action = PST_ACT_RESET };
		struct pst_prefix p = host(i);
		struct pst_ban got;
		struct outcome o;
		struct frame f;
		bool evicted;

		assert_int_equal(ban_put(&r.maps, &p, &old, NULL, false, &evicted), 0);
		frame_build(&f, &(struct frame_spec){ .src = p.addr, .dport = PORT });
		run_frame(&r, &f, &o);
		assert_int_equal(ban_put(&r.maps, &p, &b, NULL, rows[i].shorten, &evicted), 0);
		assert_false(evicted);
		got = run_ban_of(&r, p);
		assert_int_equal(got.until_ns, old.until_ns + (rows[i].until_s - (__u64)rows[i].old_s) * S);
		assert_int_equal(got.origin, rows[i].origin);
		assert_int_equal(got.hits, 1);
		assert_true(got.first_ns && got.last_ns);
		/* An operator's action is not softened by the judge. */
		assert_int_equal(got.action, rows[i].old_origin == OPER && rows[i].new_origin == AUTO ? PST_ACT_DROP : PST_ACT_RESET);
	}
}

static void over_a_dead_ban(void **state)
{
	struct pst_prefix p = host(1);
	struct pst_ban dead = { .until_ns = kern_now_ns() + S / 100, .origin = PST_ORIGIN_OPERATOR, .action = PST_ACT_DROP, .relapse = 1 };
	struct outcome o;
	struct frame f;
	struct pst_ban got;
	bool evicted;

	(void)state;
	assert_int_equal(ban_put(&r.maps, &p, &dead, "old", false, &evicted), 0);
	frame_build(&f, &(struct frame_spec){ .src = p.addr, .dport = PORT });
	run_frame(&r, &f, &o);
	while (kern_now_ns() < dead.until_ns)
		;
	assert_int_equal(put(p, PST_ORIGIN_AUTOMATIC, 5 * S, NULL), 0);
	got = run_ban_of(&r, p);
	assert_int_equal(got.origin, PST_ORIGIN_AUTOMATIC);
	assert_true(!got.hits && !got.first_ns && !got.last_ns);
	assert_true(got.until_ns > dead.until_ns + 4 * S);
}

static void notes(void **state)
{
	struct pst_prefix p = host(1);
	struct pst_ban b = { .until_ns = ~0ull, .origin = PST_ORIGIN_OPERATOR }, got;
	struct pst_note note;
	char longer[PST_NOTE_MAX + 50];
	bool evicted;

	(void)state;
	memset(longer, 'n', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(ban_put(&r.maps, &p, &b, longer, false, &evicted), 0);
	assert_int_equal(ban_get(&r.maps, &p, &got, &note), 0);
	assert_int_equal(strlen(note.text), PST_NOTE_MAX - 1);
	assert_int_equal(put(p, PST_ORIGIN_AUTOMATIC, S, NULL), 0); /* the operator's ban stands, with its note */
	assert_int_equal(ban_get(&r.maps, &p, &got, &note), 0);
	assert_int_equal(note.text[0], 'n');
	assert_int_equal(ban_put(&r.maps, &p, &b, "again", false, &evicted), 0);
	assert_int_equal(ban_get(&r.maps, &p, &got, &note), 0);
	assert_string_equal(note.text, "again");
	assert_int_equal(ban_put(&r.maps, &p, &b, NULL, false, &evicted), 0); /* a new word without a note */
	assert_int_equal(ban_get(&r.maps, &p, &got, &note), 0);
	assert_string_equal(note.text, "");
	assert_int_equal(ban_put(&r.maps, &p, &b, "third", false, &evicted), 0);
	assert_int_equal(ban_del(&r.maps, &p), 0);
	assert_int_equal(ban_del(&r.maps, &p), -ENOENT);
	assert_int_equal(bpf_map_lookup_elem(r.maps.notes, &p, &note), -ENOENT);
	assert_int_equal(ban_get(&r.maps, &p, &got, &note), -ENOENT);
}

/* --- prefix lengths ------------------------------------------------------- */

static void lengths_are_kept(void **state)
{
	static const unsigned len[] = { 128, 120, 96, 112, 127, 104, 100, 108 };
	static const __u8 all[PST_BAN_LENS_MAX] = { 128, 127, 120, 112, 108, 104, 100, 96 }, pruned[PST_BAN_LENS_MAX] = { 112 };
	static const __u8 six[PST_BAN_LENS_MAX] = { 48 };
	struct pst_conf c;

	(void)state;
	for (unsigned i = 0; i < NROWS(len); i++)
		assert_int_equal(put(run_prefix(frame_ip4(10, 0, 0, 0), len[i]), PST_ORIGIN_OPERATOR, len[i] == 112 ? ~0ull : 0, NULL), 0);
	assert_int_equal(put(run_prefix(frame_ip4(10, 0, 0, 0), 99), PST_ORIGIN_OPERATOR, S, NULL), -ENOSPC);
	assert_int_equal(put((struct pst_prefix){ .len = 0 }, PST_ORIGIN_OPERATOR, S, NULL), -EINVAL);
	assert_int_equal(put((struct pst_prefix){ .len = 129 }, PST_ORIGIN_OPERATOR, S, NULL), -EINVAL);
	assert_int_equal(put(run_prefix(frame_ip6(1, 0), 48), PST_ORIGIN_OPERATOR, ~0ull, NULL), 0);
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	assert_memory_equal(c.ban_len4, all, sizeof(all));
	assert_memory_equal(c.ban_len6, six, sizeof(six));
	assert_int_equal(ban_sweep(&r.maps, kern_now_ns(), NULL, NULL), NROWS(len) - 1);
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	assert_memory_equal(c.ban_len4, pruned, sizeof(pruned));
	assert_memory_equal(c.ban_len6, six, sizeof(six));
	assert_int_equal(put(run_prefix(frame_ip4(10, 0, 0, 0), 99), PST_ORIGIN_OPERATOR, S, NULL), 0);
}

static void put_scope(struct pst_prefix p, enum pst_origin origin, enum pst_scope scope, __u16 port, __u64 for_ns)
{
	struct pst_ban b = { .until_ns = kern_now_ns() + for_ns, .origin = (__u8)origin, .action = PST_ACT_DROP, .scope = (__u8)scope, .port = port };
	bool evicted;

	assert_int_equal(ban_put(&r.maps, &p, &b, NULL, origin == OPER, &evicted), 0);
}

static void host_wide_lengths(void **state)
{
	struct pst_conf c;

	(void)state;
	put_scope(host(1), OPER, PST_SCOPE_GUARDED, 0, 100 * S);
	put_scope(run_prefix(host(1).addr, 120), OPER, PST_SCOPE_HOST, 0, 100 * S);
	put_scope(run_prefix(frame_ip6(1, 0), 48), OPER, PST_SCOPE_HOST, 0, 0);
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	assert_true(c.ban_len4[0] == 128 && c.ban_len4[1] == 120 && !c.ban_len4[2]);
	assert_true(c.host_len4[0] == 120 && !c.host_len4[1]);
	assert_true(c.host_len6[0] == 48 && c.ban_len6[0] == 48);
	assert_int_equal(ban_sweep(&r.maps, kern_now_ns(), NULL, NULL), 1);
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	assert_true(c.host_len4[0] == 120 && !c.host_len6[0] && !c.ban_len6[0]);
	put_scope(run_prefix(host(1).addr, 120), OPER, PST_SCOPE_GUARDED, 0, 100 * S); /* no longer host-wide */
	assert_int_equal(ban_sweep(&r.maps, kern_now_ns(), NULL, NULL), 0);
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	assert_true(!c.host_len4[0] && c.ban_len4[1] == 120);
}

static void an_automatic_ban_widens_a_port(void **state)
{
	static const struct {
		enum pst_scope old, now, want;
	} rows[] = {
		{ PST_SCOPE_PORT, PST_SCOPE_GUARDED, PST_SCOPE_GUARDED },
		{ PST_SCOPE_HOST, PST_SCOPE_GUARDED, PST_SCOPE_HOST },
		{ PST_SCOPE_GUARDED, PST_SCOPE_GUARDED, PST_SCOPE_GUARDED },
	};

	(void)state;
	for (unsigned i = 0; i < NROWS(rows); i++) {
		put_scope(host(i), OPER, rows[i].old, rows[i].old == PST_SCOPE_PORT ? 587 : 0, 100 * S);
		put_scope(host(i), AUTO, rows[i].now, 0, 200 * S);
		assert_int_equal(run_ban_of(&r, host(i)).scope, rows[i].want);
		assert_int_equal(run_ban_of(&r, host(i)).port, 0);
		assert_int_equal(run_ban_of(&r, host(i)).origin, OPER);
	}
}

static void find_is_what_the_kernel_does(void **state)
{
	static const unsigned len4[] = { 128, 124, 120 }, len6[] = { 64, 60, 56 };
	struct pst_ban found;
	struct pst_prefix p;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		bool v6 = rnd_below(2);
		unsigned n = rnd_below(64);
		struct pst_addr a = v6 ? frame_ip6(n, 1) : frame_ip4(10, 0, n >> 4, n & 15);
		struct outcome o;
		struct frame f;
		__u64 hits = 0;
		int e;

		if (rnd_below(3) == 0) {
			struct pst_ban b = { .until_ns = rnd_below(2) ? ~0ull : 1, .action = (__u8)rnd_below(PST_ACT_MAX) };
			bool evicted;

			p = run_prefix(a, v6 ? len6[rnd_below(3)] : len4[rnd_below(3)]);
			assert_int_equal(ban_put(&r.maps, &p, &b, NULL, true, &evicted), 0);
		} else if (rnd_below(3) == 0) {
			p = run_prefix(a, v6 ? len6[rnd_below(3)] : len4[rnd_below(3)]);
			ban_del(&r.maps, &p);
		}
		e = ban_find(&r.maps, &a, kern_now_ns(), &p, &found, NULL);
		hits = e ? 0 : found.hits;
		frame_build(&f, &(struct frame_spec){ .net = v6 ? NET_IP6 : NET_IP4, .src = a, .dport = PORT });
		run_frame(&r, &f, &o);
		if (e) {
			assert_int_equal(e, -ENOENT);
			assert_int_equal(o.counter, PST_CNT_PASS_CLEAN);
		} else {
			assert_int_equal(o.counter, found.action == PST_ACT_OBSERVE ? PST_CNT_PASS_OBSERVED :
						    found.action == PST_ACT_RESET   ? PST_CNT_RESET_BANNED :
						    found.action == PST_ACT_REFUSE  ? PST_CNT_REFUSE_SYNACK :
						    found.action == PST_ACT_BANNER  ? PST_CNT_REFUSE_SYNACK :
										      PST_CNT_DROP_BANNED);
			assert_int_equal(run_ban_of(&r, p).hits, hits + 1);
		}
	}
}

/* --- the tables in front ------------------------------------------------------ */

static __u32 mask(void)
{
	struct pst_conf c;

	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	return c.ban_mask;
}

static bool has_place(struct pst_prefix p)
{
	__u32 row = ban_index_row(ban_index_hash(&p), mask());
	struct pst_quick q;

	assert_int_equal(bpf_map_lookup_elem(r.maps.ban_quick, &row, &q), 0);
	for (unsigned i = 0; i < NROWS(q.place); i++)
		if (q.place[i].ban && (q.place[i].ban & ~0ull << 32) == ban_index_host(&p.addr))
			return true;
	return false;
}

static bool has_bit(struct pst_prefix p)
{
	static struct pst_ban_bits bits;
	__u64 hash = ban_index_hash(&p);
	__u32 zero = 0;

	assert_int_equal(bpf_map_lookup_elem(r.maps.ban_bits, &zero, &bits), 0);
	return bits.word[ban_index_word(hash, mask())] & ban_index_bit(hash);
}

static void syn_of(struct pst_prefix p, unsigned counter)
{
	struct outcome o;
	struct frame f;

	frame_build(&f, &(struct frame_spec){ .net = prefix_is4(&p) ? NET_IP4 : NET_IP6, .src = p.addr, .dport = PORT });
	run_frame(&r, &f, &o);
	assert_int_equal(o.counter, counter);
}

/* Which bans need no more than a place, and that none outlives its ban. */
static void who_has_a_place(void **state)
{
	static const struct {
		unsigned len;
		struct pst_ban ban;
		bool place;
	} rows[] = {
		{ 128, { .action = PST_ACT_DROP }, true },
		{ 128, { .action = PST_ACT_DROP, .scope = PST_SCOPE_HOST }, true },
		{ 128, { .action = PST_ACT_DROP, .grace = 3 }, true },
		{ 128, { .action = PST_ACT_DROP, .scope = PST_SCOPE_PORT, .port = PORT }, false },
		{ 128, { .action = PST_ACT_RESET }, false },
		{ 128, { .action = PST_ACT_REFUSE }, false },
		{ 128, { .action = PST_ACT_OBSERVE }, false },
		{ 120, { .action = PST_ACT_DROP }, false },
	};

	(void)state;
	for (unsigned i = 0; i < NROWS(rows); i++)
		for (unsigned before = 0; before < NROWS(rows); before++) { /* each in the place of each */
			struct pst_prefix p = run_prefix(host(1).addr, rows[i].len);
			struct pst_ban b = rows[i].ban, was = rows[before].ban;
			bool evicted;

			b.until_ns = was.until_ns = ~0ull;
			b.origin = was.origin = OPER;
			if (rows[before].len == rows[i].len)
				assert_int_equal(ban_put(&r.maps, &p, &was, NULL, true, &evicted), 0);
			assert_int_equal(ban_put(&r.maps, &p, &b, NULL, true, &evicted), 0);
			assert_int_equal(has_place(p), rows[i].place);
			assert_true(has_bit(p));
			assert_int_equal(ban_del(&r.maps, &p), 0);
			assert_false(has_place(p));
			syn_of(p, PST_CNT_PASS_CLEAN);
		}
	assert_int_equal(ban_sweep(&r.maps, kern_now_ns(), NULL, NULL), 0);
	assert_false(has_bit(host(1)));
}

/* More of one row than it has places: all are obeyed, and what a place counted is never lost. */
static void a_full_row(void **state)
{
	struct pst_prefix p[6];
	unsigned n = 0, places = 0;
	__u32 rows, row;

	(void)state;
	assert_int_equal(put(host(0), AUTO, 1000 * S, NULL), 0); /* the first ban of a gate makes the tables */
	assert_int_equal(ban_del(&r.maps, &(struct pst_prefix){ host(0).addr, 128 }), 0);
	rows = mask();
	assert_true(rows);
	row = ban_index_row(ban_index_hash(&(struct pst_prefix){ host(0).addr, 128 }), rows);
	for (unsigned i = 0; n < NROWS(p); i++) {
		struct pst_prefix at = run_prefix(frame_ip4(10 + (i >> 24), i >> 16 & 255, i >> 8 & 255, i & 255), 128);

		if (ban_index_row(ban_index_hash(&at), rows) == row)
			p[n++] = at;
	}
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(put(p[i], AUTO, 1000 * S, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		places += has_place(p[i]);
		for (unsigned k = 0; k < 5 + i; k++)
			syn_of(p[i], PST_CNT_DROP_BANNED);
	}
	assert_int_equal(places, 4);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(run_ban_of(&r, p[i]).hits, 5 + i);
		assert_int_equal(put(p[i], OPER, 2000 * S, NULL), 0); /* over a live one: the account stays */
		syn_of(p[i], PST_CNT_DROP_BANNED);
		assert_int_equal(run_ban_of(&r, p[i]).hits, 6 + i);
	}
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(ban_del(&r.maps, &p[i]), 0);
		syn_of(p[i], PST_CNT_PASS_CLEAN);
	}
}

/* The bits of the living stay through a sweep, of every length and family; a place ends with its ban. */
static void what_a_sweep_leaves(void **state)
{
	struct pst_prefix live[] = { host(1), run_prefix(frame_ip4(172, 16, 0, 0), 112), run_prefix(frame_ip6(9, 0), 64), run_prefix(frame_ip6(8, 0), 48) };
	struct pst_prefix dead = host(2);

	(void)state;
	for (unsigned i = 0; i < NROWS(live); i++)
		assert_int_equal(put(live[i], OPER, 1000 * S, NULL), 0);
	assert_int_equal(put(dead, AUTO, 2 * S, NULL), 0);
	assert_true(has_place(dead));
	syn_of(dead, PST_CNT_DROP_BANNED);
	syn_of(dead, PST_CNT_DROP_BANNED);
	while (kern_now_ns() < run_ban_of(&r, dead).until_ns + S / 10) /* the coarse clock lags by a tick */
		usleep(10000);
	syn_of(dead, PST_CNT_PASS_CLEAN);
	assert_int_equal(ban_sweep(&r.maps, kern_now_ns(), NULL, NULL), 1);
	assert_false(has_place(dead) || has_bit(dead));
	for (unsigned i = 0; i < NROWS(live); i++) {
		assert_true(has_bit(live[i]));
		syn_of(live[i], PST_CNT_DROP_BANNED);
	}
}

/* As after a program that knew nothing of the tables. */
static void the_tables_are_made_again(void **state)
{
	static struct pst_ban_bits none;
	struct pst_prefix gone = host(1), unknown = host(2), kept = host(3);
	struct pst_ban b = { .until_ns = ~0ull, .action = PST_ACT_DROP };
	__u32 zero = 0;

	(void)state;
	assert_int_equal(put(gone, OPER, 1000 * S, NULL), 0);
	assert_int_equal(put(kept, OPER, 1000 * S, NULL), 0);
	syn_of(kept, PST_CNT_DROP_BANNED);
	syn_of(kept, PST_CNT_DROP_BANNED);
	assert_int_equal(bpf_map_delete_elem(r.maps.bans, &gone), 0);
	assert_int_equal(bpf_map_update_elem(r.maps.bans, &unknown, &b, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(r.maps.ban_bits, &zero, &none, BPF_ANY), 0);
	assert_int_equal(ban_index_all(&r.maps), 0);
	assert_true(!has_place(gone) && has_place(unknown) && has_place(kept));
	syn_of(gone, PST_CNT_PASS_CLEAN);
	syn_of(unknown, PST_CNT_DROP_BANNED);
	syn_of(kept, PST_CNT_DROP_BANNED);
	assert_int_equal(run_ban_of(&r, kept).hits, 3);
}

/* More bans than the rows in use were made for: rows are added, and nobody is forgotten, nor anything that was counted. */
static void rows_are_added(void **state)
{
	static struct pst_prefix p[BANS_MAX];
	unsigned n = BANS_MAX, places = 0;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		p[i] = i % 3 ? run_prefix(frame_ip4(10, 0, i >> 8, i & 255), 128) : run_prefix(frame_ip6((__u16)i, 0), 64);
		assert_int_equal(put(p[i], AUTO, 1000 * S, NULL), 0);
		for (unsigned k = 0; k <= i % 3; k++)
			syn_of(p[i], PST_CNT_DROP_BANNED);
	}
	assert_int_equal(ban_sweep(&r.maps, kern_now_ns(), NULL, NULL), 0);
	assert_true(mask() > PST_BAN_ROWS_MIN);
	for (unsigned i = 0; i < n; i++) {
		assert_true(has_bit(p[i]));
		places += has_place(p[i]);
		syn_of(p[i], PST_CNT_DROP_BANNED);
		assert_int_equal(run_ban_of(&r, p[i]).hits, 2 + i % 3);
	}
	assert_in_range(places, n / 2, n);
}

/* --- many at once ------------------------------------------------------------ */

static void many_at_once(void **state)
{
	static struct ban_row row[BANS_MAX + 20];
	struct ban_many done;
	struct pst_note note;
	struct pst_ban got;
	struct pst_conf c;

	(void)state;
	for (unsigned i = 0; i < NROWS(row); i++)
		row[i] = (struct ban_row){ .prefix = i == 7 ? run_prefix(frame_ip6(7, 0), 48) : host(i),
					   .ban = { .until_ns = kern_now_ns() + (1000 + i) * S, .origin = OPER, .action = PST_ACT_DROP },
					   .note = i % 100 ? NULL : "a note" };
	row[3].prefix.len = 0; /* one that cannot be: nothing is written */
	assert_int_equal(ban_put_many(&r.maps, row, 10, &done), -EINVAL);
	assert_int_equal(count(), 0);
	row[3].prefix = host(3);
	row[9].prefix = host(8); /* twice: the last counts */
	row[5].ban.scope = PST_SCOPE_HOST;
	assert_int_equal(ban_put_many(&r.maps, row, BANS_MAX, &done), 0);
	assert_int_equal(done.written, BANS_MAX);
	assert_int_equal(count(), BANS_MAX - 1);
	assert_int_equal(done.evicted + done.noteless, 0);
	assert_int_equal(ban_get(&r.maps, &row[100].prefix, &got, &note), 0);
	assert_string_equal(note.text, "a note");
	assert_int_equal(run_ban_of(&r, host(8)).until_ns, row[9].ban.until_ns);
	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	assert_true(c.ban_len4[0] == 128 && c.host_len4[0] == 128 && c.ban_len6[0] == 48 && !c.host_len6[0]);
	/* Full of an operator's bans: those that are there can change, new ones find one place, and the error says how far it came. */
	for (unsigned i = 0; i < BANS_MAX; i++)
		row[i].ban.action = PST_ACT_RESET;
	row[100].note = NULL;
	assert_int_equal(ban_put_many(&r.maps, row, NROWS(row), &done), -E2BIG);
	assert_int_equal(done.written, BANS_MAX + 1);
	assert_int_equal(count(), BANS_MAX);
	assert_int_equal(run_ban_of(&r, host(8)).action, PST_ACT_RESET);
	assert_int_equal(ban_get(&r.maps, &row[200].prefix, &got, &note), 0);
	assert_string_equal(note.text, "a note");
}

static void many_make_automatic_bans_give_way(void **state)
{
	static struct ban_row row[100];
	struct ban_many done;

	(void)state;
	for (unsigned i = 0; i < BANS_MAX; i++)
		assert_int_equal(put(host(1000 + i), AUTO, (100 + i) * S, NULL), 0);
	for (unsigned i = 0; i < NROWS(row); i++)
		row[i] = (struct ban_row){ .prefix = host(i), .ban = { .until_ns = ~0ull, .origin = OPER } };
	assert_int_equal(ban_put_many(&r.maps, row, NROWS(row), &done), 0);
	assert_int_equal(done.written, NROWS(row));
	assert_int_equal(done.evicted, NROWS(row));
	assert_true(has(host(0)) && has(host(99)) && !has(host(1099)) && has(host(1100)));
}

/* --- a full table ---------------------------------------------------------- */

static void fill(unsigned n, enum pst_origin origin)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(put(host(1000 + i), origin, (100 + i) * S, NULL), 0);
}

static void full_of_automatic_bans(void **state)
{
	bool evicted;

	(void)state;
	fill(BANS_MAX, PST_ORIGIN_AUTOMATIC);
	assert_int_equal(count(), BANS_MAX);
	/* More than one reading of the table remembers: each time the soonest goes. */
	for (unsigned i = 0; i < 400; i++) {
		assert_true(has(host(1000 + i)));
		assert_int_equal(put(host(5000 + i), i % 2 ? PST_ORIGIN_AUTOMATIC : PST_ORIGIN_OPERATOR, 10000 * S, &evicted), 0);
		assert_true(evicted);
		assert_false(has(host(1000 + i)));
		assert_true(has(host(5000 + i)));
	}
	assert_int_equal(count(), BANS_MAX);
	/* A shorter one than all gives way itself; an operator's does not. */
	assert_int_equal(put(host(9000), PST_ORIGIN_AUTOMATIC, S, &evicted), -E2BIG);
	assert_false(evicted || has(host(9000)));
	assert_int_equal(put(host(9000), PST_ORIGIN_OPERATOR, S, &evicted), 0);
	assert_true(evicted && !has(host(1400)));
}

/* What was remembered is checked: deleted, extended and newer, shorter bans change who is the soonest. */
static void the_soonest_changes(void **state)
{
	struct pst_prefix p = host(1001);
	bool evicted;

	(void)state;
	fill(BANS_MAX, PST_ORIGIN_AUTOMATIC);
	assert_int_equal(put(host(5000), PST_ORIGIN_AUTOMATIC, 10000 * S, &evicted), 0); /* 1000 goes */
	assert_int_equal(ban_del(&r.maps, &p), 0);
	assert_int_equal(put(host(5001), PST_ORIGIN_AUTOMATIC, 50 * S, &evicted), 0); /* in the free place: now the soonest */
	assert_false(evicted);
	assert_int_equal(put(host(1002), PST_ORIGIN_AUTOMATIC, 9000 * S, &evicted), 0); /* extended */
	assert_int_equal(put(host(5002), PST_ORIGIN_AUTOMATIC, 10000 * S, &evicted), 0);
	assert_true(evicted && !has(host(5001)) && has(host(1002)) && has(host(1003)));
	assert_int_equal(put(host(5003), PST_ORIGIN_AUTOMATIC, 10000 * S, &evicted), 0);
	assert_true(evicted && !has(host(1003)) && has(host(1002)));
}

static void the_dead_give_way_first(void **state)
{
	bool evicted;

	(void)state;
	fill(BANS_MAX - 10, PST_ORIGIN_AUTOMATIC);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(put(host(i), PST_ORIGIN_OPERATOR, 0, NULL), 0);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(put(host(5000 + i), PST_ORIGIN_AUTOMATIC, S, &evicted), 0);
		assert_false(evicted);
	}
	assert_true(has(host(1000)));
}

static void full_of_operators_bans(void **state)
{
	bool evicted;

	(void)state;
	fill(BANS_MAX, PST_ORIGIN_OPERATOR);
	assert_int_equal(put(host(5000), PST_ORIGIN_AUTOMATIC, ~0ull, &evicted), -E2BIG);
	assert_int_equal(put(host(5000), PST_ORIGIN_OPERATOR, ~0ull, &evicted), -E2BIG);
	assert_int_equal(put(host(1007), PST_ORIGIN_OPERATOR, ~0ull, &evicted), 0); /* one that is there can still change */
	assert_int_equal(count(), BANS_MAX);
}

/* --- all bans --------------------------------------------------------------- */

static int stop_at_five(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	(void)p;
	(void)b;
	return ++*(int *)ctx == 5 ? 42 : 0;
}

static void each_and_sweep(void **state)
{
	static struct run big;
	struct run small = r;
	int seen = 0;

	(void)state;
	run_open_sized(&big, 100000, 16);
	r = big;
	for (unsigned i = 0; i < 50000; i++)
		assert_int_equal(put(host(i), PST_ORIGIN_AUTOMATIC, i % 5 ? 0 : ~0ull, NULL), 0);
	assert_int_equal(count(), 50000);
	assert_int_equal(ban_each(&r.maps, stop_at_five, &seen), 42);
	assert_int_equal(seen, 5);
	assert_int_equal(ban_sweep(&r.maps, kern_now_ns(), NULL, NULL), 40000);
	assert_int_equal(ban_sweep(&r.maps, kern_now_ns(), NULL, NULL), 0);
	assert_int_equal(count(), 10000);
	assert_true(has(host(0)) && !has(host(1)));
	run_close(&r);
	r = small;
}

/* --- allow entries ------------------------------------------------------------ */

static int count_allow(void *ctx, const struct pst_prefix *p)
{
	(void)p;
	(*(unsigned *)ctx)++;
	return 0;
}

static unsigned allow_count(void)
{
	unsigned n = 0;

	assert_int_equal(allow_each(&r.maps, count_allow, &n), 0);
	return n;
}

static void allow_entries(void **state)
{
	struct pst_prefix p[] = { host(1), run_prefix(frame_ip6(1, 0), 48), host(1), run_prefix(frame_ip4(192, 0, 2, 0), 120) };
	struct pst_addr in = frame_ip4(192, 0, 2, 200), out = frame_ip4(192, 0, 3, 1), six = frame_ip6(1, 9);

	(void)state;
	assert_int_equal(allow_replace(&r.maps, p, 4), 0);
	assert_int_equal(allow_count(), 3);
	assert_true(allow_has(&r.maps, &in) && allow_has(&r.maps, &six) && !allow_has(&r.maps, &out));
	assert_int_equal(allow_put(&r.maps, &(struct pst_prefix){ .addr = out, .len = 128 }), 0);
	assert_true(allow_has(&r.maps, &out));
	assert_int_equal(allow_del(&r.maps, &p[3]), 0);
	assert_int_equal(allow_del(&r.maps, &p[3]), -ENOENT);
	assert_false(allow_has(&r.maps, &in));
	/* An operator's word outlives the configuration, also one that says the same. */
	assert_int_equal(allow_put(&r.maps, &p[1]), 0);
	assert_int_equal(allow_replace(&r.maps, p, 2), 0);
	assert_int_equal(allow_count(), 3);
	assert_int_equal(allow_replace(&r.maps, NULL, 0), 0);
	assert_int_equal(allow_count(), 2);
	assert_true(allow_has(&r.maps, &out) && allow_has(&r.maps, &six));
	assert_int_equal(allow_del(&r.maps, &p[1]), 0);
	assert_int_equal(allow_replace(&r.maps, NULL, 0), 0);
	assert_int_equal(allow_count(), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, gone)
	const struct CMUnitTest tests[] = {
		TEST(over_a_live_ban),
		TEST(over_a_dead_ban),
		TEST(notes),
		TEST(lengths_are_kept),
		TEST(find_is_what_the_kernel_does),
		TEST(host_wide_lengths),
		TEST(an_automatic_ban_widens_a_port),
		TEST(who_has_a_place),
		TEST(a_full_row),
		TEST(what_a_sweep_leaves),
		TEST(the_tables_are_made_again),
		TEST(rows_are_added),
		TEST(many_at_once),
		TEST(many_make_automatic_bans_give_way),
		TEST(full_of_automatic_bans),
		TEST(the_soonest_changes),
		TEST(the_dead_give_way_first),
		TEST(full_of_operators_bans),
		TEST(each_and_sweep),
		TEST(allow_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
