/* SPDX-License-Identifier: BSD-2-Clause */
/* test_zones.c: the table of what DNS lists said. The asking itself meets real lists in selftests/net. */
#include "unit.h"

#include <stdlib.h>

#include "rnd.h"
#include "user/zones.h"

#define ADDRS 24
#define ZONES 4
#define ROUNDS 3

struct said {
	struct zone_answer answer;
	unsigned round;
	__u64 until_ns;
};

static struct zone_answer any_answer(void)
{
	struct zone_answer a;

	memset(&a, 0, sizeof(a));
	a.means = (unsigned char)rnd_below(3);
	a.silent = rnd_below(2);
	a.nrecords = (unsigned char)rnd_below(ZONES_SHOWN_MAX + 1);
	a.matched = rnd();
	return a;
}

static struct pst_addr any_addr(unsigned i)
{
	struct pst_addr a = { { [10] = 0xff, [11] = 0xff, [12] = 198, [13] = 51, [14] = 100 } };

	if (i & 1) /* an IPv6 address that ends alike */
		a = (struct pst_addr){ { 0x20, 0x01, 0x0d, 0xb8, [14] = 100 } };
	a.b[15] = (__u8)(i / 2);
	return a;
}

/* Against a plain table that forgets nothing: what is found is what was put last, of that zone, address and round, and not past its time. */
static void tells_no_lies(void **state)
{
	struct zone_cache *c = zone_cache_new(ADDRS * ZONES / 2, rnd());
	static struct said model[ZONES][ADDRS];
	unsigned found = 0, wrong = 0;
	__u64 now_ns = 1;

	(void)state;
	for (int turn = 0; turn < 400000; turn++) {
		unsigned z = rnd_below(ZONES), i = rnd_below(ADDRS), round = rnd_below(ROUNDS);
		struct pst_addr a = any_addr(i);
		struct said *said = &model[z][i];
		struct zone_answer got;
		__u64 until_ns;

		now_ns += rnd_below(3);
		if (rnd_below(3)) {
			if (!zone_cache_find(c, z, round, &a, now_ns, &got, &until_ns))
				continue;
			found++;
			wrong += said->round != round || said->until_ns <= now_ns || said->until_ns != until_ns || memcmp(&got, &said->answer, sizeof(got));
			continue;
		}
		*said = (struct said){ any_answer(), round, now_ns + 1 + rnd_below(3000) };
		zone_cache_put(c, z, round, &a, &said->answer, said->until_ns);
	}
	assert_int_equal(wrong, 0);
	assert_true(found > 15000); /* of 267000: a third are of the right round, and half of the entries fit */
	zone_cache_free(c);
}

/* As many entries as were asked for, and no more: what is put last stays, whatever else there is. */
static void last_one_stays(void **state)
{
	struct zone_cache *c = zone_cache_new(16, rnd());
	unsigned kept = 0;

	(void)state;
	for (unsigned n = 0; n < 5000; n++) {
		struct pst_addr a = any_addr(0);
		struct zone_answer put = any_answer(), got;
		__u64 until_ns;

		memcpy(a.b + 12, &n, sizeof(n));
		zone_cache_put(c, n % ZONES, 0, &a, &put, 1000000 + rnd_below(1000));
		assert_true(zone_cache_find(c, n % ZONES, 0, &a, 999999, &got, &until_ns));
		assert_memory_equal(&got, &put, sizeof(put));
	}
	for (unsigned n = 0; n < 5000; n++) {
		struct pst_addr a = any_addr(0);
		struct zone_answer got;
		__u64 until_ns;

		memcpy(a.b + 12, &n, sizeof(n));
		kept += zone_cache_find(c, n % ZONES, 0, &a, 999999, &got, &until_ns);
	}
	assert_true(kept > 0 && kept <= 16);
	zone_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_no_lies),
		cmocka_unit_test(last_one_stays),
	};

	return cmocka_run_group_tests_name("zones", tests, NULL, NULL);
}
