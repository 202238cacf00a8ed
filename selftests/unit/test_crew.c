/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "user/crew.h"

#define MOST 10000

struct job {
	atomic_uint done[MOST];
	size_t each, fails_at;
	atomic_bool odd; /* a piece was not as agreed */
};

static int part(void *ctx, size_t from, size_t to)
{
	struct job *j = ctx;

	if (from >= to || from % j->each || to - from > j->each)
		atomic_store(&j->odd, true);
	for (size_t i = from; i < to; i++) {
		if (i == j->fails_at)
			return -EIO;
		atomic_fetch_add(&j->done[i], 1);
	}
	return 0;
}

/* Everything is done once, whatever the pieces. */
static void does_all_once(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 63, 64, 65, MOST }, each[] = { 1, 64, MOST, 2 * MOST };

	(void)state;
	for (size_t s = 0; s < NROWS(sizes); s++) {
		for (size_t k = 0; k < NROWS(each); k++) {
			struct job *j = calloc(1, sizeof(*j));

			j->each = each[k];
			j->fails_at = MOST;
			assert_int_equal(crew_run(sizes[s], each[k], part, j), 0);
			assert_false(j->odd);
			for (size_t i = 0; i < MOST; i++)
				assert_int_equal(j->done[i], i < sizes[s]);
			free(j);
		}
	}
}

static void stops_at_an_error(void **state)
{
	struct job *j = calloc(1, sizeof(*j));
	size_t done = 0;

	(void)state;
	j->each = 1;
	assert_int_equal(crew_run(MOST, 1, part, j), -EIO); /* the very first piece fails */
	for (size_t i = 0; i < MOST; i++)
		done += j->done[i];
	assert_true(done < MOST);
	assert_int_equal(j->done[0], 0);
	free(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_all_once),
		cmocka_unit_test(stops_at_an_error),
	};

	return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
