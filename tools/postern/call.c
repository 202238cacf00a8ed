/* SPDX-License-Identifier: BSD-2-Clause */
/* call.c: the client's end of the control socket. */
#include "tools/postern/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/postern/cli.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "user/ctl.h"

#define CALL_TIMEOUT_S 30 /* a reload with a million prefixes takes its time */
#define CALL_TRIES     20 /* of daemons that make way for one with a new configuration */

static unsigned patience_s = CALL_TIMEOUT_S;

void call_patience(unsigned seconds)
{
	patience_s = seconds;
}

static int connect_to(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = patience_s };

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

static bool send_all(int fd, const char *bytes, size_t n)
{
	size_t sent = 0;

	while (sent < n) {
		ssize_t k = send(fd, bytes + sent, n - sent, MSG_NOSIGNAL);

		if (k <= 0)
			return false;
		sent += (size_t)k;
	}
	return true;
}

static bool send_line(int fd, json_t *request)
{
	char line[CTL_LINE_MAX];
	size_t n = json_dumpb(request, line, sizeof(line) - 1, JSON_COMPACT);

	if (n >= sizeof(line))
		return false;
	line[n++] = '\n';
	return send_all(fd, line, n);
}

/* A daemon that hangs up half-way has said why: the answer is read all the same. */
static void send_rows(int fd, const struct call_rows *rows)
{
	char text[16 * CTL_LINE_MAX];
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++) {
		if (sizeof(text) - n < CTL_LINE_MAX) {
			if (!send_all(fd, text, n))
				return;
			n = 0;
		}
		n += rows->text(rows->ctx, i, text + n, CTL_LINE_MAX);
	}
	send_all(fd, text, n);
}

/* Connects and asks. rows may be NULL. A stream to read from, or NULL with *result telling why. */
static FILE *ask(json_t *request, const struct call_rows *rows, enum call_result *result)
{
	int fd = connect_to(place_socket());
	FILE *f = NULL;

	if (fd >= 0 && send_line(fd, request)) {
		if (rows)
			send_rows(fd, rows);
		f = fdopen(fd, "r");
	}
	json_decref(request);
	if (f)
		return f;
	*result = fd == -ENOENT || fd == -ECONNREFUSED ? CALL_DOWN : CALL_FAILED;
	if (fd == -EACCES || fd == -EPERM)
		out_error("%s: no permission; run as root or as a member of the control group", place_socket());
	else if (*result == CALL_FAILED)
		out_error("%s: %s", place_socket(), fd < 0 ? strerror(-fd) : "the daemon hung up");
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* One line of the daemon's: an object, or NULL at the end or after saying what is wrong. */
static json_t *read_line(FILE *f, enum call_result *result)
{
	char *line = NULL;
	size_t room = 0;
	json_error_t error;
	json_t *v = NULL;

	*result = CALL_FAILED;
	errno = 0;
	if (getline(&line, &room, f) < 0) {
		if (errno)
			out_error("%s: no answer from the daemon: %s", place_socket(),
				  errno == EAGAIN ? "timed out" : strerror(errno));
		else
			*result = CALL_DOWN;
	} else {
		v = json_loads(line, JSON_REJECT_DUPLICATES, &error);
		if (!json_is_object(v)) {
			out_error("%s: the answer is not JSON: %s", place_socket(), error.text);
			json_decref(v);
			v = NULL;
		}
	}
	free(line);
	return v;
}

/* The single errors of a reload. Returns how many. */
static size_t say_errors(json_t *reply)
{
	json_t *errors = json_object_get(reply, "errors"), *e;
	size_t i;

	if (json_is_array(errors))
		out_value("errors", NULL, errors);
	json_array_foreach(errors, i, e) {
		if (!cli.json)
			out_error("%s", json_string_value(e));
	}
	return json_array_size(errors);
}

/* A refusal is said as our own error, after the single errors (of a configuration) that led to it. */
static bool refused(json_t *reply)
{
	const char *error = json_string_value(json_object_get(reply, "error"));

	if (!error)
		return false;
	say_errors(reply);
	out_error("%s", error);
	return true;
}

/* One question and its answer, NULL = none. Takes the reference of request. */
static enum call_result ask_once(json_t *request, const struct call_rows *rows, json_t **reply)
{
	enum call_result result = CALL_OK;
	FILE *f = ask(request, rows, &result);

	*reply = NULL;
	if (!f)
		return result;
	*reply = read_line(f, &result);
	fclose(f);
	if (*reply)
		return CALL_OK;
	if (result == CALL_DOWN)
		out_error("%s: the daemon hung up without an answer", place_socket());
	return CALL_FAILED;
}

enum call_result call_rows(json_t *request, const struct call_rows *rows, json_t **reply)
{
	enum call_result result = ask_once(json_incref(request), rows, reply);

	for (int i = 0; i < CALL_TRIES && result == CALL_OK && json_is_true(json_object_get(*reply, "again")); i++) {
		json_decref(*reply);
		result = ask_once(json_incref(request), rows, reply);
	}
	json_decref(request);
	if (result != CALL_OK)
		return result;
	if (refused(*reply)) {
		json_decref(*reply);
		*reply = NULL;
		return CALL_FAILED;
	}
	return CALL_OK;
}

static int not_running(void)
{
	return out_error("posternd is not running (nobody answers on %s), and only it can do this", place_socket());
}

enum call_result call(json_t *request, json_t **reply)
{
	return call_rows(request, NULL, reply);
}

int call_daemon(json_t *request, json_t **reply)
{
	enum call_result result = call(request, reply);

	if (result == CALL_OK)
		return CLI_OK;
	return result == CALL_DOWN ? not_running() : CLI_FAILED;
}

int call_reload(const char *done)
{
	json_t *reply;
	size_t errors;
	int rc = call_daemon(json_pack("{ss}", "command", "config reload"), &reply);

	if (rc)
		return rc;
	out_bool("reloaded", NULL, json_is_true(json_object_get(reply, "reloaded")));
	errors = say_errors(reply);
	json_decref(reply);
	if (errors)
		return out_error("the configuration is reloaded, but %zu list%s could not be read", errors, errors == 1 ? "" : "s");
	out_line("%s", done);
	return CLI_OK;
}

int call_stream(json_t *request, enum call_each (*each)(json_t *line))
{
	enum call_result result = CALL_OK;
	FILE *f = ask(request, NULL, &result);
	struct timeval forever = { 0 };
	json_t *line;
	enum call_each said = CALL_ON;

	if (!f)
		return result == CALL_DOWN ? not_running() : CLI_FAILED;
	setsockopt(fileno(f), SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
	while (said == CALL_ON && (line = read_line(f, &result))) {
		said = refused(line) ? CALL_FAIL : each(line);
		json_decref(line);
	}
	fclose(f);
	if (said != CALL_ON)
		return said == CALL_ENOUGH ? CLI_OK : CLI_FAILED;
	return result == CALL_DOWN ? out_error("the daemon ended the stream") : CLI_FAILED;
}
