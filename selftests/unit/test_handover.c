/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/handover.h"

static struct handover in, out; /* too large for a stack with a sanitizer */

static int file_with(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static int read_back(int fd, char *err, size_t errsize)
{
	int rc = handover_read(&out, fd, err, errsize);

	close(fd);
	return rc;
}

static void what_is_written_is_read(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	char err[128] = "";

	(void)state;
	handover_none(&in);
	in.layout = handover_layout();
	in.failed = true;
	strcpy(in.exe, "/a folder/posternd");
	strcpy(in.control_path, "/run/my postern/control");
	in.exe_fd = 3;
	in.control_fd = 4;
	for (int i = 0; i < HANDOVER_LISTENERS_MAX; i++)
		in.listen_fd[in.nlisten++] = 100 + i;
	in.judge = (struct handover_child){ .pid = 77, .uid = 4294967294, .fd = 5 };
	for (int i = 0; i < WORKER_SLOTS; i++)
		in.worker[i] = (struct handover_child){ i % 3, 990 + i, 6 + i, { 500 + 2 * i, 501 + 2 * i }, { i % 2 ? 900 + i : -1, i % 2 ? 800 + i : -1 } };
	in.room[ROOM_LEDGER] = (struct handover_room){ 9, (void *)0x7f0123456000, 123456789 };
	assert_int_equal(handover_write(&in, fd), 0);
	assert_int_equal(read_back(fd, err, sizeof(err)), 0);
	assert_memory_equal(&in, &out, sizeof(in));
}

static void nothing_is_nothing(void **state)
{
	char err[128] = "";

	(void)state;
	handover_none(&in);
	assert_int_equal(read_back(file_with(""), err, sizeof(err)), 0);
	assert_memory_equal(&in, &out, sizeof(in));
}

static void a_later_version_may_say_more(void **state)
{
	char err[128] = "";

	(void)state;
	assert_int_equal(read_back(file_with("layout 5\nweather fine\nroom 99 8 4096 4096\nlisten 7 and more\n"), err, sizeof(err)), 0);
	assert_int_equal(out.layout, 5);
	assert_int_equal(out.nlisten, 1);
	assert_int_equal(out.listen_fd[0], 7);
}

static void damage_is_found(void **state)
{
	static const char *const damaged[] = {
		"layout x", "exe posternd", "exe ", "control 4", "control 2 /x", "listen 0", "listen -1", "listen 99999999", "child judge -1 990 5 -1 -1 -1 -1",
		"child judge 7 990 2 -1 -1 -1 -1", "child 9999 1 990 5 6 7 -1 -1", "child -1 1 990 5 6 7 -1 -1", "child 0 1 990 5 6", "child 0 1 x 5 6 7 -1 -1", "child 0 1 990 5 6 2 -1 -1", "child 0 1 990 5 6 7 8 -1",
		"room 0 0 4096 4096", "room 0 5 0 4096", "room 0 5 4096 0", "room 0 5", "self 1", "failed ?",
	};
	char text[128], err[256];

	(void)state;
	for (size_t i = 0; i < NROWS(damaged); i++) {
		snprintf(text, sizeof(text), "layout 1\n%s\n", damaged[i]);
		*err = 0;
		if (read_back(file_with(text), err, sizeof(err)) != -EINVAL || !strstr(err, damaged[i]))
			fail_msg("\"%s\" was taken: %s", damaged[i], err);
	}
}

static void too_many_listeners_are_damage(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	char err[256] = "";

	(void)state;
	for (int i = 0; i <= HANDOVER_LISTENERS_MAX; i++)
		dprintf(fd, "listen %d\n", 10 + i);
	assert_int_equal(read_back(fd, err, sizeof(err)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read), cmocka_unit_test(nothing_is_nothing), cmocka_unit_test(a_later_version_may_say_more),
		cmocka_unit_test(damage_is_found), cmocka_unit_test(too_many_listeners_are_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
