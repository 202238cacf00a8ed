/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/file_why.h"

/* What is said to a user by this number: 0 = as it must be. */
static int as(uid_t uid, int err, const char *must)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		bool became = uid == geteuid() || !setresuid(uid, uid, uid);

		errno = err;
		_exit(became && !strcmp(file_why(errno), must) && errno == err ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void who_lacks_a_permission_is_named(void **state)
{
	static const struct {
		uid_t uid;
		int err;
		const char *said;
	} row[] = {
		{ 0, EACCES, "Permission denied" },
		{ 0, ENOENT, "No such file or directory" },
		{ 1, ENOENT, "No such file or directory" },
		{ 1, EPERM, "Operation not permitted" },
		{ 1, EACCES, "Permission denied for user daemon" },
		{ 4000000000, EACCES, "Permission denied for user 4000000000" },
	};

	(void)state;
	if (geteuid()) {
		assert_int_equal(as(geteuid(), ENOENT, "No such file or directory"), 0);
		return;
	}
	for (size_t i = 0; i < NROWS(row); i++)
		if (as(row[i].uid, row[i].err, row[i].said))
			fail_msg("row %zu: not \"%s\"", i, row[i].said);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(who_lacks_a_permission_is_named) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
