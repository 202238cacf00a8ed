/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * warden_room.c: memory that outlives judges and, in a file without a name, versions of this program. There are pointers inside, and an
 * old judge uses it still while the new version starts: so it stays at its address, or is not taken.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/log.h"
#include "user/warden_int.h"

static const char *const names[ROOM_MAX] = { "postern-quotas", "postern-keep", "postern-ledger", "postern-grey" };

static void take(struct warden *w, enum room r, int fd, void *at, size_t bytes)
{
	if (w->room[r].at) /* the one before; its mapping is the caller's */
		close(w->room[r].fd);
	w->room[r] = (struct handover_room){ fd, at, bytes };
}

void *room_make(struct warden *w, enum room r, size_t bytes)
{
	int fd = memfd_create(names[r], MFD_CLOEXEC), err;
	void *p;

	if (fd < 0)
		return NULL;
	p = ftruncate(fd, (off_t)bytes) ? MAP_FAILED : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (p == MAP_FAILED) {
		err = errno;
		close(fd);
		errno = err;
		return NULL;
	}
	take(w, r, fd, p, bytes);
	return p;
}

void *room_inherit(struct warden *w, enum room r, size_t *bytes)
{
	const struct handover_room *left = w->handed ? &w->handed->room[r] : NULL;
	void *p;

	if (!left || left->fd < 0 || w->handed->layout != handover_layout())
		return NULL;
	p = mmap(left->at, left->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, left->fd, 0);
	if (p != left->at) {
		log_warnx("memory-not-taken name=%s: %s; it begins empty", names[r], p == MAP_FAILED ? strerror(errno) : "its place is taken");
		if (p != MAP_FAILED)
			munmap(p, left->bytes);
		return NULL;
	}
	take(w, r, left->fd, p, left->bytes);
	*bytes = left->bytes;
	return p;
}
