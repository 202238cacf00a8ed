/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/ipc.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>

int ipc_send(int fd, const struct ipc_record *r)
{
	ssize_t n;

	do
		n = send(fd, r, sizeof(*r), MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ENOBUFS ? -EAGAIN : -errno;
	return n == sizeof(*r) ? 0 : -EMSGSIZE;
}

static bool is_backend_sound(const struct ipc_backend *b)
{
	return b->index < IPC_BACKENDS_MAX && b->health <= IPC_DOWN && b->port <= 65535 && b->weight_permille <= 1000 &&
	       !b->name[IPC_BACKEND_MAX - 1] && !b->error[IPC_ERROR_MAX - 1];
}

/* Every enum within its range, every count within its field: nobody downstream has to ask again. */
static bool is_sound(const struct ipc_record *r)
{
	return is_backend_sound(&r->backend) && r->tag >= IPC_OPENED && r->tag < IPC_TAG_MAX && r->standing <= STANDING_BANNED && r->prefix.len <= 128 && r->passes < 1u << TEST_MAX &&
	       r->limits <= LIMIT_ALL && r->stutter <= 1 && r->grey <= GREY_DEFER && !r->name[IPC_NAME_MAX - 1] &&
	       r->state.phase < PHASE_MAX && r->state.traits <= IPC_TRAITS && !r->state.helo[IPC_HELO_MAX - 1] &&
	       !r->state.backend[IPC_BACKEND_MAX - 1] &&
	       r->finding.reason < PST_RSN_MAX && r->finding.nevidence <= FINDING_EVIDENCE_MAX && r->zone.zone < DNSL_ZONES_MAX && r->zone.state < DNSL_STATE_MAX &&
	       r->zone.why < DNSL_WHY_MAX && !r->zone.zero;
}

int ipc_recv(int fd, struct ipc_record *r)
{
	struct iovec iov = { r, sizeof(*r) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	return n == sizeof(*r) && !(msg.msg_flags & MSG_TRUNC) && is_sound(r) ? 1 : -EBADMSG;
}
