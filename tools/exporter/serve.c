/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/exporter/serve.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/exporter/page.h"
#include "user/ban.h"
#include "user/core/names.h"
#include "user/stats.h"
#include "user/stats_named.h"

#define OPENMETRICS "application/openmetrics-text"

/* --- what is told ------------------------------------------------------------- */

static void read_now(struct serve *s)
{
	s->readable = !stats_read(&s->maps, &s->stats) && !stats_named_read(&s->maps, s->named);
}

static enum pst_mode mode_of(const struct serve *s)
{
	struct pst_conf c;

	return gate_conf_get(&s->maps, &c) || c.mode >= PST_MODE_MAX ? PST_MODE_OFF : (enum pst_mode)c.mode;
}

/* What no counter tells. */
static void print_facts(FILE *f, const struct serve *s)
{
	fprintf(f, "# TYPE postern_build_info gauge\n# HELP postern_build_info Always 1: the exporter's version, its libbpf's and the kernel's.\n"
		   "postern_build_info{version=\"%s\",libbpf=\"%u.%u\",kernel=\"%s\"} 1\n",
		POSTERN_VERSION, libbpf_major_version(), libbpf_minor_version(), s->kernel.release);
	fputs("# TYPE postern_gate_mode gauge\n# HELP postern_gate_mode 1 for the mode that the gate is in.\n", f);
	for (unsigned m = 0; m < PST_MODE_MAX; m++)
		fprintf(f, "postern_gate_mode{mode=\"%s\"} %d\n", mode_name(m), m == mode_of(s));
}

/* How much a media range of an Accept field is liked (RFC 9110, 12.4.2), in thousandths: 1000 when it does not say. */
static int weight_of(const char *range)
{
	const char *q = strcasestr(range, ";q=");
	double w = q ? strtod(q + 3, NULL) : 1;

	return w >= 0 && w <= 1 ? (int)(w * 1000) : 0;
}

/* Is it "TYPE" or "TYPE;..."? */
static bool is_type(const char *range, const char *type)
{
	size_t n = strlen(type);

	return !strncasecmp(range, type, n) && (!range[n] || range[n] == ';');
}

/* Of OpenMetrics there is version 1.0.0 alone. */
static bool is_openmetrics(const char *range)
{
	const char *version = strcasestr(range, ";version=");

	return is_type(range, OPENMETRICS) && (!version || !strncmp(version + 9, "1.0.0", 5));
}

/* A scraper that takes OpenMetrics, and likes nothing better, says so; who says nothing gets the format that everybody reads. */
static bool wants_openmetrics(struct evhttp_request *r)
{
	const char *accept = evhttp_find_header(evhttp_request_get_input_headers(r), "Accept");
	char plain[1024], *save = NULL;
	int open = 0, text = 0;
	size_t n = 0;

	for (; accept && *accept && n < sizeof(plain) - 1; accept++)
		if (*accept != ' ' && *accept != '\t')
			plain[n++] = *accept;
	plain[n] = 0;
	for (char *range = strtok_r(plain, ",", &save); range; range = strtok_r(NULL, ",", &save)) {
		int w = weight_of(range);

		if (is_openmetrics(range) && w > open)
			open = w;
		else if (is_type(range, "text/plain") && w > text)
			text = w;
	}
	return open && open >= text;
}

/* --- answers -------------------------------------------------------------------- */

static void answer(struct evhttp_request *r, int code, const char *type, const char *text, size_t n)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(r);
	bool head = evhttp_request_get_command(r) == EVHTTP_REQ_HEAD;
	struct evbuffer *body = head ? NULL : evbuffer_new();
	char length[24];

	evhttp_add_header(out, "Content-Type", type);
	evhttp_add_header(out, "Cache-Control", "no-store");
	evhttp_add_header(out, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(out, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
	if (head) {
		snprintf(length, sizeof(length), "%zu", n);
		evhttp_add_header(out, "Content-Length", length);
	} else if (body) {
		evbuffer_add(body, text, n);
	}
	evhttp_send_reply(r, code, code == 200 ? "OK" : code == 404 ? "Not Found" : "Service Unavailable", body);
	if (body)
		evbuffer_free(body);
}

static void on_metrics(struct evhttp_request *r, void *ctx)
{
	struct serve *s = ctx;
	bool open = wants_openmetrics(r);
	char *text = NULL;
	size_t n = 0;
	FILE *f;

	read_now(s);
	f = s->readable ? open_memstream(&text, &n) : NULL;
	if (!f) {
		answer(r, 503, "text/plain; charset=utf-8", "the counters cannot be read\n", 28);
		return;
	}
	print_facts(f, s);
	process_print(f, &s->process, open);
	(open ? stats_print_prom : stats_print_prom_004)(f, &s->stats, s->named);
	fclose(f);
	answer(r, 200, open ? OPENMETRICS "; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8", text, n);
	free(text);
}

static void on_page(struct evhttp_request *r, void *ctx)
{
	struct serve *s = ctx;
	struct page_facts facts = { mode_name(mode_of(s)), POSTERN_VERSION, 0 };
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	read_now(s);
	facts.readable = s->readable;
	if (!f) {
		answer(r, 503, "text/plain; charset=utf-8", "out of memory\n", 14);
		return;
	}
	page_print(f, &facts, &s->stats, &s->history);
	fclose(f);
	answer(r, 200, "text/html; charset=utf-8", text, n);
	free(text);
}

static void on_health(struct evhttp_request *r, void *ctx)
{
	struct serve *s = ctx;

	read_now(s);
	if (s->readable)
		answer(r, 200, "text/plain; charset=utf-8", "ok\n", 3);
	else
		answer(r, 503, "text/plain; charset=utf-8", "the counters cannot be read\n", 28);
}

/* Ready: packets are judged. A gate that was unloaded left its mode off. */
static void on_ready(struct evhttp_request *r, void *ctx)
{
	if (mode_of(ctx) != PST_MODE_OFF)
		answer(r, 200, "text/plain; charset=utf-8", "ready\n", 6);
	else
		answer(r, 503, "text/plain; charset=utf-8", "the gate is off or not loaded\n", 30);
}

static void on_other(struct evhttp_request *r, void *ctx)
{
	(void)ctx;
	answer(r, 404, "text/plain; charset=utf-8", "there are /, /metrics, /healthz and /readyz\n", 44);
}

static const struct {
	const char *path;
	void (*answer)(struct evhttp_request *, void *);
} routes[] = { { "/", on_page }, { "/metrics", on_metrics }, { "/healthz", on_health }, { "/readyz", on_ready } };

/* --- the socket ------------------------------------------------------------------- */

static int listen_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, err;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, path);
	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || chmod(path, 0660) || listen(fd, SERVE_CLIENTS_MAX)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int listen_tcp(const char *where)
{
	struct sockaddr_storage a;
	int length = sizeof(a), fd, one = 1, err;

	if (evutil_parse_sockaddr_port(where, (struct sockaddr *)&a, &length))
		return -EINVAL;
	if (!(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port : ((struct sockaddr_in6 *)&a)->sin6_port))
		return -EINVAL;
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, (socklen_t)length) || listen(fd, SERVE_CLIENTS_MAX)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int serve_listen(const char *where)
{
	return strncmp(where, "unix:", 5) ? listen_tcp(where) : listen_unix(where + 5);
}

static void on_resume(evutil_socket_t fd, short what, void *listener)
{
	(void)fd, (void)what;
	evconnlistener_enable(listener);
}

/* Out of descriptors: who waits goes on waiting until some client has been timed out, and the loop does not spin. */
static void on_accept_error(struct evconnlistener *l, void *ctx)
{
	static const struct timeval soon = { .tv_sec = 1 };

	(void)ctx;
	if (!event_base_once(evconnlistener_get_base(l), -1, EV_TIMEOUT, on_resume, l, &soon))
		evconnlistener_disable(l);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct serve *s = ctx;

	(void)fd, (void)what;
	read_now(s);
	if (s->readable)
		history_add(&s->history, &s->stats, kern_now_ns());
}

int serve_begin(struct serve *s, int listen_fd)
{
	static const struct timeval step = { .tv_sec = HISTORY_STEP_S };
	struct evhttp *http = evhttp_new(s->base);
	struct evhttp_bound_socket *bound = http ? evhttp_accept_socket_with_handle(http, listen_fd) : NULL;

	if (!bound)
		return -ENOMEM;
	evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(bound), on_accept_error);
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(http, 8192);
	evhttp_set_max_body_size(http, 0);
	evhttp_set_timeout(http, SERVE_TIMEOUT_S);
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		evhttp_set_cb(http, routes[i].path, routes[i].answer, s);
	evhttp_set_gencb(http, on_other, s);
	s->tick = event_new(s->base, -1, EV_PERSIST, on_tick, s);
	if (!s->tick || event_add(s->tick, &step))
		return -ENOMEM;
	on_tick(-1, 0, s);
	uname(&s->kernel); /* now: it gives up the call, too */
	return 0;
}
