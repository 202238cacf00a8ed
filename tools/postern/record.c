/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/record.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "user/core/logline.h"
#include "user/core/names.h"

#define S_NS 1000000000ull
#define DAY_S 86400

static void bad(struct record_event *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void bad(struct record_event *out, const char *fmt, ...)
{
	va_list ap;

	out->kind = RECORD_BAD;
	va_start(ap, fmt);
	vsnprintf(out->flaw, sizeof(out->flaw), fmt, ap);
	va_end(ap);
}

/* --- moments ------------------------------------------------------------------------------ */

/* Nanoseconds of ".123456", 0 when there are none; *p moves behind them. */
static __u64 fraction(const char **p)
{
	__u64 ns = 0, unit = S_NS / 10;

	if (**p != '.' && **p != ',')
		return 0;
	for ((*p)++; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
		ns += (__u64)(**p - '0') * unit;
	return ns;
}

/* "Z", "+02:00", "+0200" or nothing, which is UTC. Seconds east of Greenwich. */
static long zone(const char **p)
{
	int hours, minutes, n = 0;
	char sign = **p;

	if (sign == 'Z') {
		(*p)++;
		return 0;
	}
	if ((sign != '+' && sign != '-') || (sscanf(*p + 1, "%2d:%2d%n", &hours, &minutes, &n) != 2 && sscanf(*p + 1, "%2d%2d%n", &hours, &minutes, &n) != 2))
		return 0;
	*p += 1 + n;
	return (sign == '-' ? -1 : 1) * (hours * 3600L + minutes * 60L);
}

/* RFC 3339 at the head of *p, which moves behind it. 0 = there is none. */
static __u64 iso_moment(const char **p)
{
	const char *at;
	struct tm tm = { 0 };
	__u64 ns;
	long long s;

	at = strptime(*p, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!at)
		return 0;
	ns = fraction(&at);
	s = (long long)timegm(&tm) - zone(&at);
	*p = at;
	return s > 0 && (__u64)s < ~0ull / S_NS / 2 ? (__u64)s * S_NS + ns : 0;
}

/* "Nov 28 20:00:00" of syslog, local time: the latest such moment that is not after tomorrow. */
static __u64 syslog_moment(const char **p, long long now_s)
{
	time_t now = (time_t)now_s, then;
	struct tm tm, stamp = { 0 };
	const char *at = strptime(*p, "%b %d %H:%M:%S", &stamp);

	if (!at || !localtime_r(&now, &tm))
		return 0;
	*p = at;
	stamp.tm_year = tm.tm_year;
	stamp.tm_isdst = -1;
	then = mktime(&stamp);
	if (then > now + DAY_S) {
		stamp.tm_year--;
		stamp.tm_isdst = -1;
		then = mktime(&stamp);
	}
	return then > 0 ? (__u64)then * S_NS : 0;
}

/* --- what was found ------------------------------------------------------------------------- */

static void set_finding(struct record_event *out, __u64 when_ns, const char *addr, const char *reason, const char *session)
{
	struct finding *f = &out->finding;
	int number = reason ? reason_by_name(str_of(reason)) : -1;

	if (!when_ns)
		bad(out, "a finding without a time; of the journal, -o short-iso-precise or -o json has it");
	else if (!addr || !addr_parse(str_of(addr), &f->addr))
		bad(out, "\"%.60s\" is no address", addr ? addr : "");
	else if (number < 0)
		bad(out, "reason \"%.60s\" is not known", reason ? reason : "");
	else
		out->kind = RECORD_FINDING;
	if (out->kind != RECORD_FINDING)
		return;
	f->when_ns = when_ns;
	f->reason = (__u16)number;
	f->session = session ? strtoull(session, NULL, 16) : 0;
}

static void set_unban(struct record_event *out, const char *prefix)
{
	if (prefix && prefix_parse(str_of(prefix), &out->unban) == PREFIX_OK)
		out->kind = RECORD_UNBAN;
	else
		bad(out, "\"%.60s\" is no address or network", prefix ? prefix : "");
}

/* --- forms of a line --------------------------------------------------------------------------- */

static const char *member(json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void copy(struct str s, char *out, size_t size)
{
	snprintf(out, size, STR_FMT, (int)(s.n < size ? s.n : size - 1), s.p);
}

/* "EVENT key=value ..." as it left the daemon. */
static void read_event(const char *text, __u64 when_ns, struct record_event *out)
{
	char addr[64], reason[64], session[32], command[32];
	struct logline l;

	if (!logline_open(str_of(text), &l))
		return;
	if (str_eq(l.event, STR("finding"))) {
		copy(logline_get(&l, "addr"), addr, sizeof(addr));
		copy(logline_get(&l, "reason"), reason, sizeof(reason));
		copy(logline_get(&l, "session"), session, sizeof(session));
		set_finding(out, when_ns, addr, reason, session);
	} else if (str_eq(l.event, STR("control"))) {
		copy(logline_get(&l, "command"), command, sizeof(command));
		copy(logline_get(&l, "prefix"), addr, sizeof(addr));
		if (!strcmp(command, "ban del") && str_eq(logline_get(&l, "result"), STR("done")))
			set_unban(out, addr);
	}
}

/* "judge: " stands in front where the journal's own fields do not tell the processes apart. */
static const char *behind_role(const char *text)
{
	return strncmp(text, "judge: ", 7) ? text : text + 7;
}

static void read_json(const char *line, struct record_event *out)
{
	json_error_t error;
	json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	const char *time = member(o, "time"), *event = member(o, "event"), *message = member(o, "MESSAGE"), *stamp = member(o, "__REALTIME_TIMESTAMP");
	unsigned long long micro;

	if (!json_is_object(o)) {
		bad(out, "not JSON: %.100s", error.text);
	} else if (message && stamp && str_u64(str_of(stamp), &micro)) { /* journalctl -o json */
		if (*message == '{')
			read_json(message, out);
		else
			read_event(behind_role(message), micro * 1000, out);
	} else if (event && !strcmp(event, "finding")) {
		const char *addr = member(o, "address");

		set_finding(out, time ? iso_moment(&time) : 0, addr ? addr : member(o, "addr"), member(o, "reason"), member(o, "session"));
	} else if (event && !strcmp(event, "unban")) {
		set_unban(out, member(o, "prefix"));
	} else if (event && !strcmp(event, "control") && !strcmp(member(o, "command") ? member(o, "command") : "", "ban del") &&
		   !strcmp(member(o, "result") ? member(o, "result") : "", "done")) {
		set_unban(out, member(o, "prefix"));
	}
	json_decref(o);
}

/* Of a text line, what is behind "postern-judge[123]: ", "postern[123]: judge: " and the like: the last of these. */
static const char *behind_program(const char *line)
{
	const char *at = strstr(line, "postern"), *colon;

	if (!at)
		return line;
	colon = strstr(at, ": ");
	if (!colon)
		return line;
	return behind_role(colon + 2);
}

/* "TIME finding    address=... reason=..." as `postern monitor` prints it for people has its fields under other names. */
static void read_monitor(const char *text, __u64 when_ns, struct record_event *out)
{
	char addr[64], reason[64], session[32];
	struct logline l;
	char line[512];
	size_t event = strcspn(text, " ");

	snprintf(line, sizeof(line), "%.*s %s", (int)event, text, text + event + strspn(text + event, " "));
	if (!logline_open(str_of(line), &l))
		return;
	if (str_eq(l.event, STR("unban"))) {
		copy(logline_get(&l, "prefix"), addr, sizeof(addr));
		set_unban(out, addr);
		return;
	}
	copy(logline_get(&l, "address"), addr, sizeof(addr));
	if (!str_eq(l.event, STR("finding")) || !*addr)
		return;
	copy(logline_get(&l, "reason"), reason, sizeof(reason));
	copy(logline_get(&l, "session"), session, sizeof(session));
	set_finding(out, when_ns, addr, reason, session);
}

static void read_text(const char *line, long long now_s, struct record_event *out)
{
	__u64 when_ns = iso_moment(&line);

	if (!when_ns)
		when_ns = syslog_moment(&line, now_s);
	line += strspn(line, " ");
	if (when_ns)
		read_monitor(line, when_ns, out);
	line = behind_program(line);
	if (out->kind == RECORD_OTHER && *line == '{')
		read_json(line, out);
	else if (out->kind == RECORD_OTHER)
		read_event(line, when_ns, out);
}

void record_read(const char *line, long long now_s, struct record_event *out)
{
	*out = (struct record_event){ .kind = RECORD_OTHER };
	line += strspn(line, " \t");
	if (*line == '{')
		read_json(line, out);
	else if (*line && *line != '#')
		read_text(line, now_s, out);
}
