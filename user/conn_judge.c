/* SPDX-License-Identifier: BSD-2-Clause */
/* conn_judge.c: records for the judge. It is never waited for: what it is too slow to take is counted and dropped. */
#include "user/conn_int.h"

#include "user/ipc.h"
#include "user/kern.h"

#define STATES_MAX 512 /* told at once; the others in a second */
#define RETELL_NS  (60 * 1000000000ull) /* another judge may have come that knows nothing */

static void tell(struct conns *cs, struct ipc_record *r)
{
	r->serial = ++cs->serial;
	if (cs->judge_fd >= 0 && ipc_send(cs->judge_fd, r))
		cs->unsaid++;
}

void conn_judge_opened(struct conn *c)
{
	struct ipc_record r;

	memset(&r, 0, sizeof(r));
	c->opened_ns = kern_now_ns();
	c->told = 0;
	c->score = 0;
	r.tag = IPC_OPENED;
	r.session = c->who.id;
	r.addr = c->who.addr;
	tell(c->cs, &r);
}

void conn_judge_finding(struct conn *c, const struct finding *f)
{
	struct ipc_record r;

	memset(&r, 0, sizeof(r));
	r.tag = IPC_FINDING;
	r.session = c->who.id;
	r.addr = c->who.addr;
	r.finding = *f;
	c->score += c->cs->conf->policy.points[f->reason];
	tell(c->cs, &r);
}

static void put_name(const struct conn *c, struct ipc_record *r)
{
	if (c->sess.nname < sizeof(r->name))
		memcpy(r->name, c->sess.name, c->sess.nname);
}

void conn_judge_grey(struct conn *c, const __u64 key[2])
{
	struct ipc_record r;

	memset(&r, 0, sizeof(r));
	r.tag = IPC_GREY;
	r.session = c->who.id;
	r.addr = c->who.addr;
	r.key[0] = key[0];
	r.key[1] = key[1];
	put_name(c, &r);
	tell(c->cs, &r);
}

void conn_judge_message(struct conn *c)
{
	struct ipc_record r;

	memset(&r, 0, sizeof(r));
	r.tag = IPC_MESSAGE;
	r.session = c->who.id;
	r.addr = c->who.addr;
	r.messages = c->sess.messages - c->told_messages;
	r.rcpts = c->totals.rcpts - c->told_rcpts;
	put_name(c, &r);
	c->told_messages = c->sess.messages;
	c->told_rcpts = c->totals.rcpts;
	tell(c->cs, &r);
}

void conn_judge_charge(struct conn *c, const struct sess_step *step)
{
	struct ipc_record r;

	memset(&r, 0, sizeof(r));
	r.tag = IPC_CHARGE;
	r.session = c->who.id;
	r.addr = c->who.addr;
	r.messages = step->charge[QUOTA_MESSAGES];
	r.rcpts = step->charge[QUOTA_RCPTS];
	quota_key(step->account, r.key);
	tell(c->cs, &r);
}

/* Whole seconds: a pass that is about to end is none. */
static __u32 left_s(__u64 until_ns)
{
	__u64 now_ns = kern_now_ns();

	return until_ns > now_ns ? (__u32)((until_ns - now_ns) / 1000000000ull) : 0;
}

void conn_judge_closed(struct conn *c)
{
	struct ipc_record r;

	if (c->totals.rcpts != c->told_rcpts) /* recipients who got no message */
		conn_judge_message(c);
	memset(&r, 0, sizeof(r));
	r.tag = IPC_CLOSED;
	r.passes = sess_passes(&c->sess);
	r.seconds = left_s(c->sess.lists.until_ns);
	r.zone.print = c->cs->lists_print;
	r.session = c->who.id;
	r.addr = c->who.addr;
	r.messages = c->sess.messages;
	r.rcpts = c->totals.rcpts;
	tell(c->cs, &r);
}

/* --- how far the sessions are ------------------------------------------------- */

static void copy_text(char *out, size_t size, const char *text)
{
	memcpy(out, text, strnlen(text, size - 1));
}

static void state_of(const struct conn *c, struct ipc_record *r)
{
	const char *backend = c->backend ? backend_name(c->backend) : NULL;

	memset(r, 0, sizeof(*r));
	r->tag = IPC_STATE;
	r->session = c->who.id;
	r->addr = c->who.addr;
	r->messages = c->sess.messages;
	r->rcpts = c->totals.rcpts;
	r->state.since_ns = c->opened_ns;
	r->state.phase = sess_phase(&c->sess);
	r->state.traits = (c->sess.tls ? IPC_TLS : 0) | (c->sess.authenticated ? IPC_LOGGED_IN : 0);
	copy_text(r->state.helo, sizeof(r->state.helo), c->sess.helo);
	copy_text(r->state.backend, sizeof(r->state.backend), backend ? backend : "");
}

/* What may change, in one number (FNV-1a); 0 is kept for "nothing was told". */
static __u64 short_of(const struct ipc_record *r)
{
	const unsigned char *p = (const unsigned char *)&r->state;
	__u64 h = 0xcbf29ce484222325ull ^ r->messages ^ (__u64)r->rcpts << 32;

	for (size_t i = 0; i < sizeof(r->state); i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return h | 1;
}

/* False when the judge has no room. */
static bool tell_state(struct conn *c, __u64 now_ns, unsigned *told)
{
	struct ipc_record r;
	__u64 now;

	if (c->phase >= FLUSH)
		return true;
	state_of(c, &r);
	now = short_of(&r);
	if (now == c->told && now_ns - c->told_ns < RETELL_NS)
		return true;
	if (ipc_send(c->cs->judge_fd, &r))
		return false;
	c->told = now;
	c->told_ns = now_ns;
	++*told;
	return true;
}

void conn_judge_states(struct conns *cs)
{
	__u64 now_ns = kern_now_ns();
	struct roster_entry *e;
	unsigned told = 0;

	LIST_FOREACH(e, &cs->roster.all, all)
		if (cs->judge_fd < 0 || told >= STATES_MAX || !tell_state((struct conn *)e, now_ns, &told))
			return;
}
