/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_ban_index.c: the two tables in front of pst_bans never hide a ban: whatever is done to bans, each packet meets what
 * a list of all of them says, and each is counted once; and whenever their writer is killed.
 */
#include "gate_run.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/ban_index.h"
#include "selftests/unit/rnd.h"

#define ENDED 1ull
#define STEPS 20000
#define MANY  30000

static struct run r;

static int fresh(void **state)
{
	(void)state;
	return run_open_sized(&r, 65536, 16);
}

static int gone(void **state)
{
	(void)state;
	run_close(&r);
	return 0;
}

static struct ban_row row_of(struct pst_prefix p, __u64 until_ns)
{
	return (struct ban_row){ .prefix = p, .ban = { .until_ns = until_ns, .made_ns = 1, .action = PST_ACT_DROP, .origin = PST_ORIGIN_OPERATOR } };
}

static bool passes(struct pst_addr src)
{
	struct frame_spec spec = { .net = addr_is4(&src) ? NET_IP4 : NET_IP6, .src = src, .dport = PORT };
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct frame f;

	frame_build(&f, &spec);
	opts.data_in = f.b;
	opts.data_size_in = f.n;
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(r.skel->progs.gate), &opts), 0);
	return opts.retval == XDP_PASS;
}

/* --- the model ------------------------------------------------------------------ */

/* Few sources and four lengths, so that everything meets everything. */
enum { NETS = 4, HOSTS = 24, NKEYS = 2 * NETS * (1 + HOSTS) };

static struct model {
	struct pst_prefix prefix;
	__u64 until_ns, hits;
	bool there;
} model[NKEYS];

static struct pst_addr source(bool v4, unsigned net, unsigned n)
{
	return v4 ? frame_ip4(192, 0, net, n + 1) : frame_ip6(net, n + 1);
}

static void model_make(void)
{
	unsigned at = 0;

	memset(model, 0, sizeof(model));
	for (unsigned net = 0; net < NETS; net++) {
		for (unsigned v4 = 0; v4 < 2; v4++) {
			model[at++].prefix = run_prefix(source(v4, net, 0), v4 ? 120 : 64);
			for (unsigned n = 0; n < HOSTS; n++)
				model[at++].prefix = run_prefix(source(v4, net, n), 128);
		}
	}
	assert_int_equal(at, NKEYS);
}

static void model_put(struct model *b, __u64 until_ns)
{
	if (!b->there || b->until_ns == ENDED)
		b->hits = 0;
	b->there = true;
	b->until_ns = until_ns;
}

/* The longest live ban of a source, NULL = there is none. */
static struct model *model_find(const struct pst_addr *a)
{
	struct model *found = NULL;

	for (size_t i = 0; i < NKEYS; i++) {
		struct pst_prefix p = prefix_of(a, model[i].prefix.len);

		if (model[i].there && model[i].until_ns != ENDED && !memcmp(&p, &model[i].prefix, sizeof(p)) &&
		    (!found || found->prefix.len < p.len))
			found = &model[i];
	}
	return found;
}

static __u64 any_end(void)
{
	return rnd_below(3) ? rnd_below(2) ? ~0ull : kern_now_ns() + (3600 + rnd_below(3600)) * 1000000000ull : ENDED;
}

static void one_put(void)
{
	struct model *b = &model[rnd_below(NKEYS)];
	struct ban_row row = row_of(b->prefix, any_end());
	bool evicted;

	assert_int_equal(ban_put(&r.maps, &row.prefix, &row.ban, NULL, true, &evicted), 0);
	model_put(b, row.ban.until_ns);
}

static void one_del(void)
{
	struct model *b = &model[rnd_below(NKEYS)];

	assert_int_equal(ban_del(&r.maps, &b->prefix), b->there ? 0 : -ENOENT);
	b->there = false;
}

/* Many at once, the same one also twice. */
static void one_import(void)
{
	struct ban_row row[40];
	unsigned n = 1 + rnd_below(NROWS(row));
	struct model before[NKEYS];
	struct ban_many done;

	memcpy(before, model, sizeof(model));
	for (unsigned i = 0; i < n; i++) {
		unsigned k = rnd_below(NKEYS);

		row[i] = row_of(model[k].prefix, any_end());
		model[k] = before[k];
		model_put(&model[k], row[i].ban.until_ns);
	}
	assert_int_equal(ban_put_many(&r.maps, row, n, &done), 0);
	assert_int_equal(done.written, n);
}

static void one_sweep(void)
{
	long gone_now = 0;
	size_t live = 0, left;

	for (size_t i = 0; i < NKEYS; i++) {
		if (!model[i].there)
			continue;
		if (model[i].until_ns == ENDED) {
			model[i].there = false;
			gone_now++;
		} else {
			live++;
		}
	}
	assert_int_equal(ban_sweep(&r.maps, kern_now_ns(), &left, NULL), gone_now);
	assert_int_equal(left, live);
}

static void some_packets(void)
{
	struct pst_addr a = source(rnd_below(2), rnd_below(NETS), rnd_below(HOSTS));
	struct model *b = model_find(&a);

	for (unsigned n = rnd_below(4); n; n--) {
		if (passes(a) != !b)
			fail_msg("a source is %s", b ? "banned and passes" : "not banned and does not pass");
		if (b)
			b->hits++;
	}
}

static void all_is_counted(void)
{
	for (size_t i = 0; i < NKEYS; i++) {
		struct pst_ban b;
		int e = ban_get(&r.maps, &model[i].prefix, &b, NULL);

		assert_int_equal(e, model[i].there ? 0 : -ENOENT);
		if (!e && (b.until_ns != model[i].until_ns || b.hits != model[i].hits))
			fail_msg("ban %zu has %llu hits, not %llu", i, (unsigned long long)b.hits, (unsigned long long)model[i].hits);
	}
}

static void every_packet_meets_its_ban(void **state)
{
	(void)state;
	model_make();
	for (unsigned step = 0; step < STEPS; step++) {
		switch (rnd_below(16)) {
		case 0: case 1: case 2:
			one_put();
			break;
		case 3: case 4:
			one_del();
			break;
		case 5:
			one_import();
			break;
		case 6:
			one_sweep();
			break;
		case 7:
			if (!rnd_below(50)) /* it looks at every place */
				assert_int_equal(ban_index_all(&r.maps), 0);
			break;
		default:
			some_packets();
		}
		if (step % 64 == 0)
			all_is_counted();
	}
	all_is_counted();
}

/* --- a writer that is killed ------------------------------------------------------ */

static struct ban_row many[MANY];

static pid_t writer(void)
{
	pid_t pid = fork();
	struct ban_many done;

	if (!pid)
		_exit(ban_put_many(&r.maps, many, MANY, &done) != 0);
	return pid;
}

/* Where the kernel looks; 0 = it asks pst_bans for everything. */
static __u32 mask(void)
{
	struct pst_conf c;

	assert_int_equal(gate_conf_get(&r.maps, &c), 0);
	return c.ban_mask;
}

static int bit_is_set(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	const struct pst_ban_bits *bits = ctx;
	__u64 hash = ban_index_hash(p);

	(void)b;
	return mask() && !(bits->word[ban_index_word(hash, mask())] & ban_index_bit(hash));
}

static void places_have_bans(const struct pst_quick *quick)
{
	struct pst_prefix p = { .addr.b = { [10] = 0xff, 0xff }, .len = 128 };
	struct pst_ban b;

	for (size_t i = 0, rows = mask() ? mask() + 1 : 0; i < rows; i++) {
		for (unsigned k = 0; k < NROWS(quick[i].place); k++) {
			__u32 addr = (__u32)(quick[i].place[k].ban >> 32);

			memcpy(p.addr.b + 12, &addr, sizeof(addr));
			if (quick[i].place[k].ban && bpf_map_lookup_elem(r.maps.bans, &p, &b))
				fail_msg("a place without a ban");
		}
	}
}

static void no_ban_is_hidden(void)
{
	struct pst_ban_bits *bits = mmap(NULL, sizeof(*bits), PROT_READ, MAP_SHARED, r.maps.ban_bits, 0);
	struct pst_quick *quick = mmap(NULL, PST_BAN_ROWS_MAX * sizeof(*quick), PROT_READ, MAP_SHARED, r.maps.ban_quick, 0);

	assert_true(bits != MAP_FAILED && quick != MAP_FAILED);
	assert_int_equal(ban_each(&r.maps, bit_is_set, bits), 0);
	places_have_bans(quick);
	munmap(bits, sizeof(*bits));
	munmap(quick, PST_BAN_ROWS_MAX * sizeof(*quick));
}

static int drops(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	if (++*(unsigned *)ctx % 16)
		return 0;
	return passes(p->addr) != (b->until_ns == ENDED);
}

static void a_writer_is_killed(void **state)
{
	unsigned partly = 0;
	__u64 whole_ns;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		many[i] = row_of(i % 4 ? run_prefix(frame_ip4(10, 0, i >> 8, i & 255), 128) : run_prefix(frame_ip6(i, 0), 64), ~0ull);
	whole_ns = kern_now_ns();
	assert_int_equal(waitpid(writer(), NULL, 0) > 0, 1);
	whole_ns = kern_now_ns() - whole_ns;
	for (unsigned turn = 0; turn < 40 || (!partly && turn < 4000); turn++) { /* a busy machine may run it to its end, or not at all */
		unsigned n = 0;
		size_t live;
		pid_t pid;

		if (turn % 2) /* into an empty table, and over what is there */
			assert_true(ban_sweep(&r.maps, ~0ull, NULL, NULL) >= 0);
		pid = writer();
		usleep((unsigned)(whole_ns * (1 + rnd_below(100)) / 100 / 1000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		no_ban_is_hidden();
		assert_int_equal(ban_each(&r.maps, drops, &n), 0);
		partly += n > 0 && n < MANY;
		assert_true(ban_sweep(&r.maps, kern_now_ns(), &live, NULL) >= 0);
		assert_int_equal(live, n);
		no_ban_is_hidden();
	}
	assert_true(partly > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, gone)
	const struct CMUnitTest tests[] = {
		TEST(every_packet_meets_its_ban),
		TEST(a_writer_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
