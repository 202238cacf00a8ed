/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl.c: connections on the control socket. A line in, a line out; what a client may cost is bounded. */
#include "user/ctl_int.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>

#include "user/core/names.h"
#include "user/ctl.h"
#include "user/log.h"

#define CLIENTS_MAX	32
#define IMPORT_BYTES	(64 * 1024) /* of rows between two turns of everybody else */
#define IDLE_S		60	     /* of a client that does not watch */
#define WATCH_QUEUE_MAX (256 * 1024) /* bytes not yet read by a watching client; then it loses events */
#define WATCH_STUCK_S	600	     /* of a watching client that reads nothing */
#define NOTES_MAX	100	     /* errors of one reload that are passed on */

struct ctl_client {
	LIST_ENTRY(ctl_client) entry;
	struct ctl *ctl;
	struct bufferevent *bev;
	bool watches, waits, closing;
	bool answered; /* at least once */
	struct ctl_watch watch;
	unsigned long long lost; /* events that it did not get */
	struct ctl_import *import; /* its lines are rows */
	char who[64];
};

struct ctl {
	struct judge *judge;
	struct evconnlistener *listener;
	LIST_HEAD(, ctl_client) clients;
	unsigned nclients, nwatching;
	bool draining;
	json_t *notes;
};

/* --- replies -------------------------------------------------------------------- */

json_t *ctl_ok(void)
{
	return json_pack("{s:i}", "schema", CTL_SCHEMA);
}

/* JSON is UTF-8 and ends up on terminals: what is not printable ASCII becomes '?'. */
static char *plain(char *text)
{
	for (char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return text;
}

json_t *ctl_error(bool usage, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_pack("{s:i s:s s:b}", "schema", CTL_SCHEMA, "error", plain(text), "usage", usage);
}

/* Takes the reference. */
static void client_say(struct ctl_client *c, json_t *reply)
{
	char *line = reply ? json_dumps(reply, JSON_COMPACT) : NULL;

	if (line)
		evbuffer_add_printf(bufferevent_get_output(c->bev), "%s\n", line);
	free(line);
	json_decref(reply);
}

static void client_free(struct ctl_client *c)
{
	LIST_REMOVE(c, entry);
	ctl_import_free(c->import);
	c->ctl->nclients--;
	c->ctl->nwatching -= c->watches;
	if (c->ctl->draining && !c->ctl->nclients)
		event_base_loopexit(c->ctl->judge->base, NULL);
	bufferevent_free(c->bev);
	free(c);
}

static void client_catch_up(struct ctl_client *c);

static void client_flushed(struct bufferevent *bev, void *ctx)
{
	struct ctl_client *c = ctx;

	(void)bev;
	if (c->closing)
		client_free(c);
	else if (c->lost)
		client_catch_up(c);
}

/* The last word: closes once it is read. */
static void client_last_word(struct ctl_client *c, json_t *reply)
{
	c->closing = true;
	bufferevent_disable(c->bev, EV_READ);
	client_say(c, reply);
}

/* What a judge that leaves cannot answer any more, its successor can. */
static void client_send_on(struct ctl_client *c)
{
	json_t *reply = ctl_error(false, "the daemon is taking over a new configuration; ask again");

	json_object_set_new(reply, "again", json_true());
	c->waits = false;
	client_last_word(c, reply);
}

static void client_watch(struct ctl_client *c, json_t *request)
{
	const struct timeval patience = { .tv_sec = WATCH_STUCK_S };
	json_t *error = ctl_watch_read(request, &c->watch);

	if (error) {
		client_last_word(c, error);
		return;
	}
	c->watches = true;
	c->ctl->nwatching++;
	bufferevent_set_timeouts(c->bev, NULL, &patience);
	client_say(c, ctl_ok());
}

/* --- requests --------------------------------------------------------------------- */

static void import_begin(struct ctl_client *c, json_t *request)
{
	json_t *error = NULL;

	c->import = ctl_import_begin(c->ctl->judge, request, &error);
	if (c->import)
		bufferevent_setwatermark(c->bev, EV_READ, 0, IMPORT_BYTES);
	else
		client_last_word(c, error); /* what follows are rows, not requests */
}

static void import_row(struct ctl_client *c, const char *line, size_t n)
{
	json_t *reply = ctl_import_row(c->import, line, n);

	if (!reply)
		return;
	log_info("control %s command=\"ban import\" bans=%zu result=%s", c->who, ctl_import_written(c->import), json_object_get(reply, "error") ? "refused" : "done");
	ctl_import_free(c->import);
	c->import = NULL;
	c->answered = true;
	client_last_word(c, reply);
}

static void client_line(struct ctl_client *c, const char *line, size_t n)
{
	json_t *request = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL), *reply = NULL;

	if (!json_is_object(request)) {
		client_last_word(c, ctl_error(true, "not a JSON object; one object a line"));
		json_decref(request);
		return;
	}
	switch (ctl_command(c->ctl->judge, request, c->who, &reply)) {
	case CTL_REPLIED:
		client_say(c, reply);
		c->answered = true;
		c->closing = c->ctl->draining;
		break;
	case CTL_STREAMS:
		client_watch(c, request);
		break;
	case CTL_ROWS:
		import_begin(c, request);
		break;
	case CTL_WAITS:
		if (c->ctl->draining)
			client_send_on(c);
		else
			c->waits = true;
		break;
	}
	json_decref(request);
}

static void client_readable(struct bufferevent *bev, void *ctx)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct ctl_client *c = ctx;
	char *line;
	size_t n;

	while (!c->closing && !c->watches && !c->waits && (line = evbuffer_readln(in, &n, EVBUFFER_EOL_LF))) {
		if (n < CTL_LINE_MAX && c->import)
			import_row(c, line, n);
		else if (n < CTL_LINE_MAX)
			client_line(c, line, n);
		else
			client_last_word(c, ctl_error(true, "line too long; %d octets at most", CTL_LINE_MAX));
		free(line);
	}
	if (c->watches || c->closing)
		evbuffer_drain(in, evbuffer_get_length(in)); /* there is nothing more to say */
	else if (evbuffer_get_length(in) >= CTL_LINE_MAX)
		client_last_word(c, ctl_error(true, "line too long; %d octets at most", CTL_LINE_MAX));
}

static void client_event(struct bufferevent *bev, short what, void *ctx)
{
	struct ctl_client *c = ctx;

	/* A reload takes its time: its client is not idle. */
	if (what & BEV_EVENT_TIMEOUT && c->waits) {
		bufferevent_enable(bev, EV_READ | EV_WRITE);
		return;
	}
	client_free(c);
}

static void name_peer(struct ctl_client *c, int fd)
{
	struct ucred peer = { 0 };
	socklen_t n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n))
		peer.uid = -1;
	snprintf(c->who, sizeof(c->who), "uid=%d pid=%d", (int)peer.uid, (int)peer.pid);
}

static void client_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int n, void *ctx)
{
	const struct timeval idle = { .tv_sec = IDLE_S };
	struct ctl *ctl = ctx;
	struct ctl_client *c = ctl->nclients < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;

	(void)l, (void)sa, (void)n;
	if (c)
		c->bev = bufferevent_socket_new(ctl->judge->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c || !c->bev) {
		log_warnx("control-busy clients=%u: connection refused", ctl->nclients);
		evutil_closesocket(fd);
		free(c);
		return;
	}
	c->ctl = ctl;
	name_peer(c, fd);
	LIST_INSERT_HEAD(&ctl->clients, c, entry);
	ctl->nclients++;
	bufferevent_setcb(c->bev, client_readable, client_flushed, client_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, 2 * CTL_LINE_MAX);
	bufferevent_set_timeouts(c->bev, &idle, &idle);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

struct ctl *ctl_open(struct judge *j, int listen_fd)
{
	struct ctl *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->judge = j;
	LIST_INIT(&c->clients);
	c->listener = evconnlistener_new(j->base, client_accept, c, LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
	if (!c->listener) {
		free(c);
		return NULL;
	}
	return c;
}

/*
 * Whoever was accepted and has not been answered yet still is: its request is on its way. Who waits for a reload waits for one
 * that the next judge hears the end of. Who has not been accepted waits in the socket's queue for the next judge.
 */
void ctl_drain(struct ctl *c)
{
	struct ctl_client *next;

	evconnlistener_disable(c->listener);
	c->draining = true;
	if (!c->nclients)
		event_base_loopexit(c->judge->base, NULL);
	for (struct ctl_client *i = LIST_FIRST(&c->clients); i; i = next) {
		next = LIST_NEXT(i, entry);
		if (i->waits)
			client_send_on(i);
		i->closing |= i->answered;
		if (i->watches || (i->answered && !evbuffer_get_length(bufferevent_get_output(i->bev))))
			client_free(i);
	}
}

/* Last words reach a client that reads: what is queued is written once, without waiting. */
void ctl_close(struct ctl *c)
{
	struct ctl_client *next;

	for (struct ctl_client *i = LIST_FIRST(&c->clients); i; i = next) {
		next = LIST_NEXT(i, entry);
		if (!i->answered && !i->watches && !i->closing)
			client_send_on(i);
		evbuffer_unfreeze(bufferevent_get_output(i->bev), 1); /* libevent lets only itself drain it */
		evbuffer_write(bufferevent_get_output(i->bev), bufferevent_getfd(i->bev));
		client_free(i);
	}
	json_decref(c->notes);
	evconnlistener_free(c->listener);
	free(c);
}

/* --- the end of a reload ------------------------------------------------------------- */

void ctl_reload_note(struct ctl *c, const char *error)
{
	char text[sizeof(((struct judge_msg *)0)->text)];

	if (!c->notes)
		c->notes = json_array();
	snprintf(text, sizeof(text), "%s", error);
	if (json_array_size(c->notes) < NOTES_MAX)
		json_array_append_new(c->notes, json_string(plain(text)));
}

void ctl_reload_done(struct ctl *c, bool ok)
{
	const char *first = json_string_value(json_array_get(c->notes, 0));
	size_t more = json_array_size(c->notes) > 1 ? json_array_size(c->notes) - 1 : 0;
	char rest[80];

	snprintf(rest, sizeof(rest), " (%zu more; `postern config check` says all)", more);
	json_t *reply = ok ? ctl_ok()
			   : ctl_error(false, "not reloaded, the old configuration stays: %s%s",
				       first ? first : "see the log", more ? rest : "");
	struct ctl_client *next;

	json_object_set_new(reply, "reloaded", json_boolean(ok));
	json_object_set_new(reply, "errors", c->notes ? c->notes : json_array());
	c->notes = NULL;
	for (struct ctl_client *i = LIST_FIRST(&c->clients); i; i = next) {
		next = LIST_NEXT(i, entry);
		if (!i->waits)
			continue;
		i->waits = false;
		i->answered = true;
		client_say(i, json_incref(reply));
	}
	json_decref(reply);
}

/* --- events ---------------------------------------------------------------------------- */

bool ctl_watched(const struct ctl *c)
{
	return c->nwatching;
}

static void stamp(json_t *event, const char *what)
{
	struct timespec now;
	struct tm tm;
	char when[40];
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when + n, sizeof(when) - n, ".%06ldZ", now.tv_nsec / 1000);
	json_object_set_new(event, "schema", json_integer(CTL_SCHEMA));
	json_object_set_new(event, "event", json_string(what));
	json_object_set_new(event, "time", json_string(when));
}

/* What a slow reader did not get is said once it reads again. */
static void client_catch_up(struct ctl_client *c)
{
	json_t *event = json_pack("{s:I}", "events", (json_int_t)c->lost);

	c->lost = 0;
	stamp(event, "lost");
	client_say(c, event);
}

static void client_event_say(struct ctl_client *c, json_t *event)
{
	size_t waiting = evbuffer_get_length(bufferevent_get_output(c->bev));

	if (waiting > WATCH_QUEUE_MAX || (c->lost && waiting > WATCH_QUEUE_MAX / 2)) {
		c->lost++;
		return;
	}
	if (c->lost)
		client_catch_up(c);
	client_say(c, json_incref(event));
}

void ctl_event_send(struct ctl *c, const struct ctl_about *about, const char *what, json_t *event)
{
	struct ctl_client *i;

	if (!event)
		return;
	stamp(event, what);
	LIST_FOREACH(i, &c->clients, entry)
		if (i->watches && ctl_watch_wants(&i->watch, about))
			client_event_say(i, event);
	json_decref(event);
}
