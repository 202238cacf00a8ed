/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * warden_signal.c: signals to judge, store and workers, who have other users than the warden, without CAP_KILL: it is the right to
 * end every process of the machine.
 */
#include "user/warden_int.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/log.h"

/* Whoever has become c's user may signal it; who has become it has no way back, so that is a process of its own. */
static int signal_as(uid_t uid, pid_t pid, int number)
{
	pid_t sender = fork();
	int status;

	if (sender == 0)
		_exit(setresuid(uid, uid, uid) || kill(pid, number) ? errno : 0);
	if (sender < 0 || waitpid(sender, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

void child_signal(const struct child *c, int number)
{
	int rc;

	if (!c->pid)
		return;
	rc = kill(c->pid, number) ? -errno : 0;
	if (rc == -EPERM)
		rc = signal_as(c->uid, c->pid, number);
	if (rc && rc != -ESRCH)
		log_warnx("child-not-signalled pid=%d signal=%d: %s", c->pid, number, strerror(-rc));
}
