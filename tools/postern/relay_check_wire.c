/* SPDX-License-Identifier: BSD-2-Clause */
/* relay_check_wire.c: see relay_check_wire.h */
#include "tools/postern/relay_check_wire.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINES_MAX 100 /* of one reply */

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* True when the socket is ready for events before the deadline. */
static bool ready(int fd, short events, long long deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	long long left;

	do {
		left = deadline_ms - now_ms();
	} while (left > 0 && poll(&p, 1, (int)left) < 0 && errno == EINTR);
	return p.revents != 0;
}

static long long deadline(const struct wire *w)
{
	return now_ms() + w->timeout_s * 1000LL;
}

static void keep_peer(struct wire *w, const struct addrinfo *a)
{
	char text[NI_MAXHOST];

	if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) || !addr_parse(str_of(text), &w->peer))
		memset(&w->peer, 0, sizeof(w->peer));
}

static int connect_one(struct wire *w, const struct addrinfo *a)
{
	int error = 0;
	socklen_t n = sizeof(error);

	w->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd < 0)
		return errno;
	if (!connect(w->fd, a->ai_addr, a->ai_addrlen))
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (!ready(w->fd, POLLOUT, deadline(w)))
		return ETIMEDOUT;
	getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &n);
	return error;
}

int wire_open(struct wire *w, const char *host, const char *port, unsigned timeout_s, char *why, size_t size)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *a;
	int rc = getaddrinfo(host, port, &hints, &list);

	memset(w, 0, sizeof(*w));
	w->fd = -1;
	w->timeout_s = timeout_s;
	if (rc) {
		snprintf(why, size, "%s", gai_strerror(rc));
		return -1;
	}
	for (a = list; a; a = a->ai_next) {
		rc = connect_one(w, a);
		if (!rc) {
			keep_peer(w, a);
			break;
		}
		snprintf(why, size, "%s", strerror(rc));
		wire_close(w);
	}
	freeaddrinfo(list);
	return a ? 0 : -1;
}

/* What a call to OpenSSL that did not succeed waits for; 0 = it failed. */
static short tls_wants(SSL *ssl, int rc)
{
	int error = SSL_get_error(ssl, rc);

	return error == SSL_ERROR_WANT_READ ? POLLIN : error == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
}

bool wire_shake(struct wire *w)
{
	long long end = deadline(w);
	int rc;

	w->nin = 0;
	if (!w->ssl || !SSL_set_fd(w->ssl, w->fd))
		return false;
	while ((rc = SSL_connect(w->ssl)) != 1) {
		short events = tls_wants(w->ssl, rc);

		if (!events || !ready(w->fd, events, end))
			return false;
	}
	return true;
}

bool wire_tls(struct wire *w)
{
	w->ctx = SSL_CTX_new(TLS_client_method());
	w->ssl = w->ctx ? SSL_new(w->ctx) : NULL;
	return wire_shake(w);
}

/* Moves bytes one way; the number moved, 0 = ended or failed, -1 = wait for *events first. */
static int move(struct wire *w, void *to, const void *from, size_t n, short *events)
{
	ssize_t rc;

	if (w->ssl) {
		rc = to ? SSL_read(w->ssl, to, (int)n) : SSL_write(w->ssl, from, (int)n);
		*events = rc > 0 ? 0 : tls_wants(w->ssl, (int)rc);
	} else {
		rc = to ? recv(w->fd, to, n, 0) : send(w->fd, from, n, MSG_NOSIGNAL);
		*events = rc < 0 && (errno == EAGAIN || errno == EINTR) ? (to ? POLLIN : POLLOUT) : 0;
	}
	return rc > 0 ? (int)rc : *events ? -1 : 0;
}

bool wire_send(struct wire *w, struct str s)
{
	long long end = deadline(w);

	while (s.n) {
		short events;
		int n = move(w, NULL, s.p, s.n, &events);

		if (!n || (n < 0 && !ready(w->fd, events, end)))
			return false;
		if (n > 0)
			s = str_sub(s, (size_t)n, s.n);
	}
	return true;
}

int wire_read(struct wire *w, char *out, size_t n)
{
	long long end = deadline(w);
	short events;
	int got;

	while ((got = move(w, out, NULL, n, &events)) < 0)
		if (!ready(w->fd, events, end))
			return -1;
	return got;
}

enum got { GOT_LINE, GOT_END, GOT_LATE };

/* Takes a line from the buffer, or all of a full one. */
static enum got take_line(struct wire *w, char line[sizeof(w->in)], struct str *out, long long end)
{
	for (;;) {
		char *lf = memchr(w->in, '\n', w->nin);
		size_t n = lf ? (size_t)(lf - w->in) + 1 : w->nin == sizeof(w->in) ? w->nin : 0;
		short events;
		int got;

		if (n) {
			memcpy(line, w->in, n);
			memmove(w->in, w->in + n, w->nin - n);
			w->nin -= (unsigned)n;
			while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
				n--;
			*out = (struct str){ line, n };
			return GOT_LINE;
		}
		got = move(w, w->in + w->nin, NULL, sizeof(w->in) - w->nin, &events);
		if (!got)
			return GOT_END;
		if (got < 0 && !ready(w->fd, events, end))
			return GOT_LATE;
		if (got > 0)
			w->nin += (unsigned)got;
	}
}

static int no_reply(struct wire_reply *r, const char *why)
{
	r->code = 0;
	snprintf(r->text, sizeof(r->text), "%s", why);
	return 0;
}

static void keep_name(struct wire_reply *r, struct str rest)
{
	struct str name = str_word(&rest);

	str_escape(name, r->name, sizeof(r->name));
}

int wire_reply(struct wire *w, struct wire_reply *r)
{
	long long end = deadline(w);
	char bytes[sizeof(w->in)];
	unsigned long long code;
	struct str line;

	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < LINES_MAX; i++) {
		enum got got = take_line(w, bytes, &line, end);

		if (got != GOT_LINE)
			return no_reply(r, got == GOT_END ? "the server closed the connection" : "no reply in time");
		if (line.n < 3 || !str_u64(str_sub(line, 0, 3), &code) || code < 200 || code > 599)
			return no_reply(r, "what came is not a reply of SMTP");
		str_escape(line, r->text, sizeof(r->text));
		struct str rest = str_sub(line, line.n > 3 ? 4 : 3, line.n), words = rest, word = str_word(&words);

		if (!i)
			keep_name(r, rest);
		r->smtputf8 |= str_ieq(word, STR("SMTPUTF8"));
		r->starttls |= str_ieq(word, STR("STARTTLS"));
		if (line.n == 3 || line.p[3] != '-')
			return r->code = (int)code;
	}
	return no_reply(r, "the reply has no end");
}

void wire_close(struct wire *w)
{
	if (w->ssl)
		SSL_free(w->ssl);
	if (w->ctx)
		SSL_CTX_free(w->ctx);
	if (w->fd >= 0)
		close(w->fd);
	w->ssl = NULL;
	w->ctx = NULL;
	w->fd = -1;
	w->nin = 0;
}
