/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/ban_index.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bpf/ban_index.h"
#include "user/ban.h"

#define HELD_BATCH 8192 /* rows */

/* The tables of the gate with these maps. Mapping them takes a millisecond, so they stay; one gate at a time. */
static struct {
	__u32 id; /* of pst_ban_quick; 0 = none is mapped */
	__u32 mask; /* as pst_conf.ban_mask; what follows does nothing where it is 0 */
	__u32 put;   /* bans since the last rows were added */
	bool making; /* the kernel is not told of mask yet */
	bool writable;
	int reader; /* the descriptor of pst_ban_quick where it cannot be mapped: one that is for reading only; else 0 */
	struct pst_quick *held; /* a copy of its rows, for as long as many of them are asked for */
	struct pst_ban_bits *bits;
	struct pst_quick *quick;
} table;

/* All that follows does nothing where there are no tables. */
static void forget(void)
{
	if (table.bits)
		munmap(table.bits, sizeof(*table.bits));
	if (table.quick)
		munmap(table.quick, PST_BAN_ROWS_MAX * sizeof(*table.quick));
	memset(&table, 0, sizeof(table));
}

static void *map(int fd, size_t bytes, int prot)
{
	void *at = mmap(NULL, bytes, prot, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

static int map_both(const struct kern_maps *m, int prot)
{
	table.bits = map(m->ban_bits, sizeof(*table.bits), prot);
	table.quick = table.bits ? map(m->ban_quick, PST_BAN_ROWS_MAX * sizeof(*table.quick), prot) : NULL;
	table.writable = (prot & PROT_WRITE) != 0;
	return table.quick ? 0 : -errno;
}

static int read_mask(const struct kern_maps *m)
{
	struct pst_conf c;
	int e = table.making ? 0 : gate_conf_get(m, &c);

	if (!table.making)
		table.mask = e ? 0 : c.ban_mask & (PST_BAN_ROWS_MAX - 1);
	return e;
}

/* From now on the kernel looks where we do. */
static int say_mask(const struct kern_maps *m)
{
	struct pst_conf c;
	__u32 only = 0;
	int e = gate_conf_get(m, &c);

	c.ban_mask = table.mask;
	return e ? e : bpf_map_update_elem(m->conf, &only, &c, BPF_ANY) ? -errno : 0;
}

int ban_index_open(const struct kern_maps *m, bool write)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	int e;

	if (bpf_obj_get_info_by_fd(m->ban_quick, &info, &size))
		return -errno;
	if (info.id == table.id && (table.writable || !write)) {
		table.reader = table.reader ? m->ban_quick : 0;
		return read_mask(m); /* whoever loads the gate again may have added rows */
	}
	forget();
	e = map_both(m, PROT_READ | PROT_WRITE);
	if (e && !write) { /* a shared mapping, the only one the kernel gives, takes a descriptor to write with */
		forget();
		table.reader = m->ban_quick;
		e = 0;
	}
	if (!e)
		e = read_mask(m);
	if (e)
		forget();
	else
		table.id = info.id;
	return e;
}

/* --- places ---------------------------------------------------------------- */

static bool is_host4(const struct pst_prefix *p)
{
	return p->len == 128 && prefix_is4(p);
}

static struct pst_quick_place *place_in(struct pst_quick *row, const struct pst_prefix *p)
{
	for (size_t i = 0; i < sizeof(row->place) / sizeof(row->place[0]); i++) {
		__u64 ban = __atomic_load_n(&row->place[i].ban, __ATOMIC_RELAXED);

		if (ban && (ban & ~0ull << 32) == ban_index_host(&p->addr))
			return &row->place[i];
	}
	return NULL;
}

void ban_index_hold(void)
{
	__u32 rows = table.mask + 1, *key, at, done = 0, n;

	if (!table.reader || !table.mask)
		return;
	table.held = calloc(rows, sizeof(*table.held));
	key = calloc(HELD_BATCH, sizeof(*key));
	while (table.held && key && done < rows) {
		n = rows - done < HELD_BATCH ? rows - done : HELD_BATCH;
		if (bpf_map_lookup_batch(table.reader, done ? &at : NULL, &at, key, table.held + done, &n, NULL) && errno != ENOENT)
			break;
		done += n;
		if (!n)
			break;
	}
	free(key);
	if (done < rows)
		ban_index_let_go();
}

void ban_index_let_go(void)
{
	free(table.held);
	table.held = NULL;
}

static struct pst_quick_place *place_of(const struct pst_prefix *p)
{
	if (!table.mask || !is_host4(p))
		return NULL;
	return place_in(&table.quick[ban_index_row(ban_index_hash(p), table.mask)], p);
}

/* A copy of its row, where the table is not mapped. */
static struct pst_quick_place *place_read(const struct pst_prefix *p, struct pst_quick *row)
{
	__u32 n;

	if (!table.reader)
		return place_of(p);
	if (!table.mask || !is_host4(p))
		return NULL;
	n = ban_index_row(ban_index_hash(p), table.mask);
	if (table.held)
		return place_in(&table.held[n], p);
	return bpf_map_lookup_elem(table.reader, &n, row) ? NULL : place_in(row, p);
}

static struct pst_quick_place *free_place(const struct pst_prefix *p)
{
	struct pst_quick *row = table.mask ? &table.quick[ban_index_row(ban_index_hash(p), table.mask)] : NULL;

	for (size_t i = 0; row && i < sizeof(row->place) / sizeof(row->place[0]); i++)
		if (!row->place[i].ban)
			return &row->place[i];
	return NULL;
}

static struct ban_counted counted(const struct pst_quick_place *at, __u32 hits)
{
	__u64 now = hits ? kern_now_ns() >> PST_QUICK_LAST_SHIFT : 0;
	__u32 age = (__u32)now - __atomic_load_n(&at->last, __ATOMIC_RELAXED);

	return (struct ban_counted){ hits, hits ? (now - age) << PST_QUICK_LAST_SHIFT : 0 };
}

static struct ban_counted take_out(struct pst_quick_place *at)
{
	struct ban_counted c;

	__atomic_store_n(&at->ban, 0, __ATOMIC_SEQ_CST);
	c = counted(at, __atomic_exchange_n(&at->hits, 0, __ATOMIC_SEQ_CST));
	__atomic_store_n(&at->last, 0, __ATOMIC_RELAXED);
	return c;
}

/* There is one writer: no locked instruction, which would wait for the cache at every one of a million. */
void ban_index_announce(const struct pst_prefix *p)
{
	__u64 hash = ban_index_hash(p), *word = table.mask ? &table.bits->word[ban_index_word(hash, table.mask)] : NULL;

	if (word)
		__atomic_store_n(word, *word | ban_index_bit(hash), __ATOMIC_RELEASE);
}

void ban_index_soon(const struct pst_prefix *p)
{
	__u64 hash = ban_index_hash(p);

	if (!table.mask)
		return;
	__builtin_prefetch(&table.bits->word[ban_index_word(hash, table.mask)], 1);
	__builtin_prefetch(&table.quick[ban_index_row(hash, table.mask)], 1);
}

struct ban_counted ban_index_before(const struct pst_prefix *p)
{
	struct pst_quick_place *at = place_of(p);

	ban_index_announce(p);
	return at ? take_out(at) : (struct ban_counted){ 0 };
}

/* Nothing of the ban but its end matters to a packet. */
static bool is_plain(const struct pst_prefix *p, const struct pst_ban *b)
{
	return is_host4(p) && b->action == PST_ACT_DROP && b->scope != PST_SCOPE_PORT && ban_index_until(b->until_ns);
}

static __u64 value_of(const struct pst_prefix *p, const struct pst_ban *b)
{
	return ban_index_host(&p->addr) | (b->grace ? PST_QUICK_GRACE : 0) | ban_index_until(b->until_ns);
}

void ban_index_after(const struct pst_prefix *p, const struct pst_ban *b)
{
	struct pst_quick_place *at = place_of(p);

	if (at) /* a row of the same batch was written before */
		take_out(at);
	at = is_plain(p, b) ? free_place(p) : NULL;
	if (!at)
		return;
	__atomic_store_n(&at->hits, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&at->last, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&at->ban, value_of(p, b), __ATOMIC_RELEASE);
}

void ban_index_make(const struct pst_prefix *p, const struct pst_ban *b)
{
	ban_index_announce(p);
	if (!place_of(p))
		ban_index_after(p, b);
}

static struct pst_prefix host_of(const struct pst_quick_place *at)
{
	struct pst_prefix p = { .addr.b = { [10] = 0xff, 0xff }, .len = 128 };
	__u32 addr = (__u32)(at->ban >> 32);

	memcpy(p.addr.b + 12, &addr, sizeof(addr));
	return p;
}

/* A place of a ban that another program has changed or deleted, which kept no index. */
static bool is_stale(const struct kern_maps *m, const struct pst_quick_place *at)
{
	struct pst_prefix p = host_of(at);
	struct pst_ban b;

	return bpf_map_lookup_elem(m->bans, &p, &b) || !is_plain(&p, &b) || value_of(&p, &b) != at->ban;
}

void ban_index_check(const struct kern_maps *m)
{
	for (size_t i = 0; table.mask && i <= table.mask; i++)
		for (size_t k = 0; k < sizeof(table.quick[i].place) / sizeof(table.quick[i].place[0]); k++)
			if (table.quick[i].place[k].ban && is_stale(m, &table.quick[i].place[k]))
				take_out(&table.quick[i].place[k]);
}

void ban_index_add(struct pst_ban *b, const struct ban_counted *c)
{
	b->hits += c->hits;
	if (b->grace)
		b->contacts += (__u32)c->hits;
	if (c->last_ns > b->last_ns)
		b->last_ns = c->last_ns;
}

void ban_index_read(const struct pst_prefix *p, struct pst_ban *b)
{
	struct pst_quick row;
	const struct pst_quick_place *at = place_read(p, &row);
	struct ban_counted c;

	if (!at)
		return;
	c = counted(at, __atomic_load_n(&at->hits, __ATOMIC_RELAXED));
	ban_index_add(b, &c);
}

/* --- more rows -------------------------------------------------------------- */

/* Twice the rows: a ban of row n has its place there or as far behind it. Where it is between two rows it is looked for in pst_bans. */
static void spread_row(size_t n, __u32 mask)
{
	struct pst_quick *from = &table.quick[n], *to = &table.quick[n + mask / 2 + 1];

	for (size_t i = 0; i < sizeof(from->place) / sizeof(from->place[0]); i++) {
		struct pst_quick_place old = from->place[i];
		struct pst_prefix p = host_of(&old);

		if (!old.ban || ban_index_row(ban_index_hash(&p), mask) == n)
			continue;
		to->place[i].hits = (__u32)take_out(&from->place[i]).hits;
		to->place[i].last = old.last;
		to->place[i].ban = old.ban;
	}
}

static void grow(void)
{
	size_t rows = (size_t)table.mask + 1;

	memset(&table.quick[rows], 0, rows * sizeof(*table.quick));
	memcpy(&table.bits->word[rows], table.bits->word, rows * sizeof(table.bits->word[0]));
	table.mask = (__u32)(2 * rows - 1);
	for (size_t n = 0; n < rows; n++)
		spread_row(n, table.mask);
}

int ban_index_one(const struct kern_maps *m)
{
	if (table.put++ <= table.mask)
		return 0;
	table.put = 0;
	return ban_index_room(m, 4 * ((size_t)table.mask + 1));
}

int ban_index_room(const struct kern_maps *m, size_t bans)
{
	__u32 before = table.mask;

	while (table.mask && bans / 2 > (size_t)table.mask + 1 && table.mask < PST_BAN_ROWS_MAX - 1)
		grow();
	return table.mask == before ? 0 : say_mask(m);
}

void ban_index_begin(size_t bans)
{
	size_t rows = PST_BAN_ROWS_MIN;

	if (!table.quick)
		return;
	while (rows < bans / 2 && rows < PST_BAN_ROWS_MAX)
		rows *= 2;
	memset(table.quick, 0, rows * sizeof(*table.quick));
	memset(table.bits, 0, rows * sizeof(table.bits->word[0]));
	table.mask = (__u32)(rows - 1);
	table.making = true;
}

bool ban_index_begun(void)
{
	return table.mask || !table.quick;
}

int ban_index_end(const struct kern_maps *m, int error)
{
	table.making = false;
	if (error)
		table.mask = 0;
	return error || !table.mask ? error : say_mask(m);
}

/* --- bits ------------------------------------------------------------------- */

void ban_index_want(struct pst_ban_bits *want, const struct pst_prefix *p)
{
	__u64 hash = ban_index_hash(p);

	want->word[ban_index_word(hash, table.mask)] |= ban_index_bit(hash);
}

void ban_index_keep(const struct pst_ban_bits *want)
{
	for (size_t i = 0; table.mask && i <= table.mask; i++)
		if (table.bits->word[i] != want->word[i])
			__atomic_store_n(&table.bits->word[i], want->word[i], __ATOMIC_RELAXED);
}
