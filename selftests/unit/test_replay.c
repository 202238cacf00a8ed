/* SPDX-License-Identifier: BSD-2-Clause */
/* A replay against a model that keeps every source in a plain array, and what must be true of it whatever comes. */
#include "unit.h"

#include "rnd.h"
#include "user/core/replay.h"

#define S_NS	1000000000ull
#define ENTRIES 256
#define SOURCES 24
#define LENGTH	600

static struct ledger_entry room[ENTRIES];
static struct promote prefixes;

static void begin(struct replay *r, const struct replay_rules *rules)
{
	memset(room, 0, sizeof(room));
	memset(&prefixes, 0, sizeof(prefixes));
	replay_init(r, rules, room, ENTRIES, &prefixes);
}

/* Few sources, of both families, so that they meet their own bans. */
static struct pst_addr source(unsigned i)
{
	struct pst_addr four = { { [10] = 0xff, 0xff, 192, 0, 2, (__u8)i } }, six = { { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, (__u8)i, [15] = 1 } };

	six.b[15] = (__u8)rnd_below(3);
	return i % 2 ? six : four;
}

static struct finding random_finding(__u64 *now_ns)
{
	static const unsigned steps[] = { 0, 1, 60, 900, 86400 };
	struct finding f = { .addr = source(rnd_below(SOURCES)), .reason = (__u16)rnd_below(PST_RSN_MAX) };

	*now_ns += rnd() % (steps[rnd_below(NROWS(steps))] * S_NS + 1);
	f.when_ns = *now_ns;
	return f;
}

static void random_stream(struct finding f[LENGTH])
{
	__u64 now = 1000 * S_NS;

	for (size_t i = 0; i < LENGTH; i++)
		f[i] = random_finding(&now);
}

static struct policy random_policy(void)
{
	struct policy p;

	policy_defaults(&p);
	p.threshold = 20 + rnd_below(150);
	p.ban_s = 1 + rnd_below(7200);
	p.half_life_s = 1 + rnd_below(7200);
	p.observe = !rnd_below(5);
	p.action = (__u8)rnd_below(PST_ACT_MAX);
	return p;
}

static enum replay_said find(struct replay *r, const struct finding *f, struct verdict *v)
{
	struct promotion whole;

	return replay_finding(r, f, v, &whole);
}

/* --- the model ------------------------------------------------------------------------- */

struct model {
	struct pst_prefix who[2 * SOURCES];
	struct record record[2 * SOURCES];
	size_t n;
};

static struct record *record_of(struct model *m, const struct pst_addr *a)
{
	struct pst_prefix p = prefix_source(a);
	size_t i = 0;

	while (i < m->n && prefix_cmp(&m->who[i], &p))
		i++;
	if (i == m->n)
		m->who[m->n++] = p;
	return &m->record[i];
}

static enum replay_said model_find(struct model *m, const struct policy *p, const struct triage_rule *test, const struct finding *f, bool exempt)
{
	struct record *r;
	struct verdict v;

	for (unsigned t = 0; t < TEST_MAX; t++)
		if (test[t].mode == TRIAGE_OFF && triage_test_of(f->reason) == t)
			return REPLAY_OFF;
	r = record_of(m, &f->addr);
	if (p->action != PST_ACT_OBSERVE && f->when_ns < r->banned_until_ns)
		return REPLAY_SPARED;
	v = judgement(p, r, f, exempt, f->when_ns);
	*r = v.next;
	return v.ban ? REPLAY_BANNED : !v.would_ban ? REPLAY_NOTED : exempt ? REPLAY_EXEMPT : REPLAY_WOULD;
}

static void as_the_model(void **state)
{
	static struct finding f[LENGTH];
	unsigned seen[REPLAY_OFF + 1] = { 0 };

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct policy policy = random_policy();
		struct triage_rule test[TEST_MAX] = { 0 };
		struct pst_addr allowed = source(rnd_below(SOURCES));
		struct pst_prefix allow = prefix_of(&allowed, 128), never = prefix_source(&allowed);
		bool by_source = rnd_below(2);
		struct replay_rules rules = { .policy = &policy, .test = test, .allow = &allow, .nallow = !by_source, .never = &never, .nnever = by_source };
		struct model m = { 0 };
		struct replay r;

		for (unsigned t = 0; t < TEST_MAX; t++)
			test[t].mode = rnd_below(4);
		begin(&r, &rules);
		random_stream(f);
		for (size_t i = 0; i < LENGTH; i++) {
			bool exempt = by_source ? prefix_covers(&never, &f[i].addr) : !memcmp(&allowed, &f[i].addr, sizeof(allowed));
			struct verdict v;
			enum replay_said said = find(&r, &f[i], &v);

			assert_int_equal(said, model_find(&m, &policy, test, &f[i], exempt));
			assert_false(exempt && said == REPLAY_BANNED);
			assert_int_equal(v.ban, said == REPLAY_BANNED);
			seen[said]++;
		}
	}
	for (size_t i = 0; i < NROWS(seen); i++)
		assert_true(seen[i]);
}

static bool is_same(const struct verdict *a, const struct verdict *b)
{
	return a->ban == b->ban && a->would_ban == b->would_ban && a->until_ns == b->until_ns && a->score == b->score && a->relapse == b->relapse &&
	       !memcmp(&a->next, &b->next, sizeof(a->next));
}

/* Twice the same, also through a ledger that is far too small. */
static void the_same_twice(void **state)
{
	static struct finding f[LENGTH];
	static struct verdict first[LENGTH];
	struct policy policy = random_policy();
	struct replay_rules rules = { .policy = &policy };
	struct replay r;

	(void)state;
	random_stream(f);
	for (int round = 0; round < 2; round++) {
		memset(room, 0, sizeof(room));
		replay_init(&r, &rules, room, 16, NULL);
		for (size_t i = 0; i < LENGTH; i++) {
			struct verdict v;

			find(&r, &f[i], &v);
			if (!round)
				first[i] = v;
			else
				assert_true(is_same(&v, &first[i]));
		}
	}
	assert_true(r.ledger.evicted);
}

/* No ban of a source begins before its last one has ended. */
static void bans_do_not_overlap(void **state)
{
	static struct finding f[LENGTH];
	struct policy policy;
	struct replay_rules rules = { .policy = &policy };
	struct replay r;
	size_t bans = 0;

	(void)state;
	policy_defaults(&policy);
	for (int round = 0; round < 50; round++) {
		__u64 until[256] = { 0 };

		begin(&r, &rules);
		random_stream(f);
		for (size_t i = 0; i < LENGTH; i++) {
			struct pst_prefix p = prefix_source(&f[i].addr);
			unsigned who = prefix_is4(&p) ? p.addr.b[15] : p.addr.b[7]; /* even and odd numbers */
			struct verdict v;

			if (find(&r, &f[i], &v) != REPLAY_BANNED)
				continue;
			assert_true(f[i].when_ns >= until[who]);
			until[who] = v.until_ns;
			bans++;
		}
	}
	assert_true(bans > 100);
}

static void an_unban_begins_anew(void **state)
{
	struct finding f = { .reason = PST_RSN_TRAP, .when_ns = 1000 * S_NS, .addr = source(2) };
	struct pst_prefix p = prefix_source(&f.addr), other = { .len = 0 };
	struct policy policy;
	struct replay_rules rules = { .policy = &policy };
	struct verdict v;
	struct replay r;

	(void)state;
	policy_defaults(&policy);
	begin(&r, &rules);
	assert_int_equal(find(&r, &f, &v), REPLAY_BANNED);
	f.when_ns += S_NS;
	assert_int_equal(find(&r, &f, &v), REPLAY_SPARED);
	other.addr = source(4);
	other.len = 128;
	replay_unban(&r, &other);
	assert_int_equal(find(&r, &f, &v), REPLAY_SPARED);
	replay_unban(&r, &p);
	assert_int_equal(find(&r, &f, &v), REPLAY_BANNED);
	assert_int_equal(v.relapse, 0);
	f.when_ns = v.until_ns;
	assert_int_equal(find(&r, &f, &v), REPLAY_BANNED);
	assert_int_equal(v.relapse, 1);
}

/* Records of several workers need not be in order: what is earlier than the last is now. */
static void time_does_not_run_back(void **state)
{
	struct finding f = { .reason = PST_RSN_TRAP, .when_ns = 5000 * S_NS, .addr = source(2) };
	struct policy policy;
	struct replay_rules rules = { .policy = &policy };
	struct verdict v;
	struct replay r;

	(void)state;
	policy_defaults(&policy);
	begin(&r, &rules);
	find(&r, &f, &v);
	f.addr = source(4);
	f.when_ns = 1;
	assert_int_equal(find(&r, &f, &v), REPLAY_BANNED);
	assert_int_equal(v.until_ns, 5600 * S_NS);
}

/* So many sources of a /24 banned, and the rest of it would not have come; but for who is allowed. */
static void a_prefix_is_banned(void **state)
{
	const struct promote_rules promote = { .sources = 3, .window_s = 3600 };
	struct finding f = { .reason = PST_RSN_TRAP, .when_ns = 1000 * S_NS };
	struct pst_addr friendly = source(200);
	struct pst_prefix allow = prefix_of(&friendly, 128), near = promote_prefix(&friendly);
	struct policy policy;
	struct replay_rules rules = { .policy = &policy, .promote = &promote, .allow = &allow, .nallow = 1 };
	struct promotion whole;
	struct verdict v;
	struct replay r;

	(void)state;
	policy_defaults(&policy);
	begin(&r, &rules);
	for (unsigned i = 1; i <= 3; i++) {
		f.addr = source(2 * i);
		assert_int_equal(replay_finding(&r, &f, &v, &whole), REPLAY_BANNED);
		assert_int_equal(whole.due, i == 3);
	}
	assert_int_equal(prefix_cmp(&whole.prefix, &near), 0);
	f.addr = source(8);
	assert_int_equal(replay_finding(&r, &f, &v, &whole), REPLAY_SPARED);
	f.addr = friendly;
	assert_int_equal(replay_finding(&r, &f, &v, &whole), REPLAY_EXEMPT);
	replay_unban(&r, &near);
	f.addr = source(8);
	assert_int_equal(replay_finding(&r, &f, &v, &whole), REPLAY_BANNED);
	rules.never = &near;
	rules.nnever = 1;
	begin(&r, &rules);
	for (unsigned i = 1; i <= 3; i++) {
		f.addr = source(2 * i);
		assert_int_equal(replay_finding(&r, &f, &v, &whole), REPLAY_EXEMPT);
	}
}

/* Findings of all, bans of whole prefixes, unbans between them: who is exempt is judged each time, and neither banned nor kept out. */
static void who_is_exempt_is_never_kept_out(void **state)
{
	static struct finding f[LENGTH];
	unsigned promoted = 0, exempted = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		const struct promote_rules promote = { .sources = 2 + rnd_below(3), .window_s = 60 + rnd_below(86400) };
		struct policy policy = random_policy();
		struct pst_addr friend4 = source(2 * rnd_below(SOURCES / 2)), friend6 = source(2 * rnd_below(SOURCES / 2) + 1);
		struct pst_prefix friends[] = { prefix_source(&friend4), prefix_source(&friend6) };
		bool never = rnd_below(2);
		struct replay_rules rules = { .policy = &policy, .promote = &promote, .allow = friends, .nallow = never ? 0 : 2, .never = friends, .nnever = never ? 2 : 0 };
		struct replay r;

		begin(&r, &rules);
		random_stream(f);
		for (size_t i = 0; i < LENGTH; i++) {
			bool exempt = prefix_covers(&friends[0], &f[i].addr) || prefix_covers(&friends[1], &f[i].addr);
			struct pst_prefix near = rnd_below(2) ? promote_prefix(&f[i].addr) : prefix_source(&f[i].addr);
			struct promotion whole;
			struct verdict v;
			enum replay_said said = replay_finding(&r, &f[i], &v, &whole);

			assert_false(exempt && (v.ban || said == REPLAY_BANNED || said == REPLAY_SPARED));
			promoted += whole.due;
			exempted += said == REPLAY_EXEMPT;
			if (!rnd_below(50))
				replay_unban(&r, &near);
		}
	}
	assert_true(promoted > 20 && exempted > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_model),
		cmocka_unit_test(the_same_twice),
		cmocka_unit_test(bans_do_not_overlap),
		cmocka_unit_test(an_unban_begins_anew),
		cmocka_unit_test(time_does_not_run_back),
		cmocka_unit_test(a_prefix_is_banned),
		cmocka_unit_test(who_is_exempt_is_never_kept_out),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
