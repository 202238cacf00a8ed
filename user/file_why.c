/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/file_why.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *file_why(int err)
{
	static char text[128];
	uid_t uid = geteuid();
	struct passwd *pw;
	int before = errno;

	if (err != EACCES || !uid)
		return strerror(err);
	pw = getpwuid(uid);
	errno = before;
	if (pw)
		snprintf(text, sizeof(text), "%s for user %s", strerror(err), pw->pw_name);
	else
		snprintf(text, sizeof(text), "%s for user %u", strerror(err), (unsigned)uid);
	return text;
}
