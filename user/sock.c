/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/sock.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/uio.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "user/core/addr.h"

socklen_t sock_fill(const struct pst_addr *a, unsigned short port, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (addr_is4(a)) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a->b + 12, 4);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a->b, 16);
	return sizeof(*in6);
}

bool sock_read(const struct sockaddr_storage *ss, struct pst_addr *a, unsigned short *port)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

	if (ss->ss_family == AF_INET6) {
		memcpy(a->b, &in6->sin6_addr, 16);
		*port = ntohs(in6->sin6_port);
		return true;
	}
	if (ss->ss_family != AF_INET)
		return false;
	*a = (struct pst_addr){ { [10] = 0xff, [11] = 0xff } };
	memcpy(a->b + 12, &in->sin_addr, 4);
	*port = ntohs(in->sin_port);
	return true;
}

bool sock_local(int fd, struct pst_addr *a, unsigned short *port)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);

	return !getsockname(fd, (struct sockaddr *)&ss, &n) && sock_read(&ss, a, port);
}

bool sock_peer(int fd, struct pst_addr *a, unsigned short *port)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);

	return !getpeername(fd, (struct sockaddr *)&ss, &n) && sock_read(&ss, a, port);
}

void sock_tune(int fd)
{
	static const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

__u64 sock_heard_ns(int fd, __u64 now_ns)
{
	struct tcp_info info;
	socklen_t n = sizeof(info);
	__u64 ago_ns;

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n))
		return now_ns;
	ago_ns = info.tcpi_last_data_recv * 1000000ull;
	return ago_ns < now_ns ? now_ns - ago_ns : now_ns;
}

bool sock_has_bytes(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void sock_send(struct bufferevent *bev, const struct str *part, unsigned n)
{
	struct iovec iov[SOCK_PARTS_MAX];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t sent = 0;

	for (unsigned i = 0; i < n; i++)
		iov[i] = (struct iovec){ (void *)part[i].p, part[i].n };
	if (!evbuffer_get_length(bufferevent_get_output(bev)))
		sent = sendmsg(bufferevent_getfd(bev), &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	for (unsigned i = 0; i < n; i++) {
		size_t done = sent <= 0 ? 0 : (size_t)sent < part[i].n ? (size_t)sent : part[i].n;

		sent -= (ssize_t)done;
		if (done < part[i].n)
			bufferevent_write(bev, part[i].p + done, part[i].n - done);
	}
}
