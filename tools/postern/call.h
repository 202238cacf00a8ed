/* SPDX-License-Identifier: BSD-2-Clause */
/* call.h: one request on the daemon's control socket (user/ctl.h). */
#ifndef CALL_H
#define CALL_H

#include <jansson.h>

enum call_result {
	CALL_OK,     /* *reply is the caller's */
	CALL_DOWN,   /* no daemon answers; nothing was said yet */
	CALL_FAILED, /* said already: no permission, a refusal, a broken answer */
};

/* From now on answers are waited for so many seconds, instead of 30. */
void call_patience(unsigned seconds);
/* Sends request (its reference is taken) and waits for the reply. */
enum call_result call(json_t *request, json_t **reply);
/* Lines that follow a request, written into text (newline included, CTL_LINE_MAX at most); returns their length. */
struct call_rows {
	size_t n;
	size_t (*text)(void *ctx, size_t i, char *text, size_t size);
	void *ctx;
};

/* call() with rows behind the request. */
enum call_result call_rows(json_t *request, const struct call_rows *rows, json_t **reply);
/* The same for what only the daemon knows: says that it is not running. 0 or CLI_FAILED. */
int call_daemon(json_t *request, json_t **reply);
/* Asks for a reload and says how it went: done when all is well, and what is wrong with single lists. 0 or CLI_FAILED. */
int call_reload(const char *done);
enum call_each { CALL_ON, CALL_ENOUGH, CALL_FAIL };
/* Sends request, then gives every line that comes to each, as long as it says CALL_ON. 0 after CALL_ENOUGH, or CLI_FAILED. */
int call_stream(json_t *request, enum call_each (*each)(json_t *line));

#endif
