/* SPDX-License-Identifier: BSD-2-Clause */
/* conn_ask.c: what a session wants to know of DNS, and the answers on their way to every session that they are about. */
#include "user/conn_int.h"

#include "user/core/addr.h"
#include "user/kern.h"

static void hear_lists(struct conn *c, const struct dnsl_verdict *v)
{
	struct sess_step step;

	if (c->phase >= FLUSH)
		return;
	conn_log_before(&c->sess, &c->totals);
	sess_listed(&c->sess, v, kern_now_ns(), &step);
	conn_obey(c, &step);
}

void conn_ask_lists(struct conn *c)
{
	struct dnsl_verdict v;

	if (c->cs->lists && zones_ask(c->cs->lists, &c->who.addr, &v))
		hear_lists(c, &v);
}

static void name_one(struct roster_entry *e)
{
	struct conn *c = (struct conn *)e;
	struct sess_step step;

	if (c->phase >= FLUSH)
		return;
	conn_log_before(&c->sess, &c->totals);
	sess_named(&c->sess, c->cs->name, c->cs->lack, kern_now_ns(), &step);
	conn_obey(c, &step);
	conn_drive(c);
}

void conn_named(struct conns *cs, const struct pst_addr *addr, struct str name, enum sess_lack lack)
{
	struct pst_prefix one = prefix_of(addr, 128);

	cs->name = name;
	cs->lack = lack;
	roster_each(&cs->roster, &one, name_one);
}

static void hear_led(struct conn *c, struct str name, bool leads, bool unsure)
{
	struct sess_step step;

	if (c->phase >= FLUSH)
		return;
	conn_log_before(&c->sess, &c->totals);
	sess_helo_led(&c->sess, name, leads, unsure, kern_now_ns(), &step);
	conn_obey(c, &step);
}

void conn_ask_helo(struct conn *c)
{
	if (!resolve_leads(c->cs->names, &c->who.addr, c->sess.helo))
		hear_led(c, str_of(c->sess.helo), false, true);
}

static void led_one(struct roster_entry *e)
{
	struct conn *c = (struct conn *)e;

	hear_led(c, c->cs->name, c->cs->leads, c->cs->unsure);
	if (c->phase < FLUSH)
		conn_drive(c);
}

void conn_led(struct conns *cs, const struct pst_addr *addr, struct str name, bool leads, bool unsure)
{
	struct pst_prefix one = prefix_of(addr, 128);

	cs->name = name;
	cs->leads = leads;
	cs->unsure = unsure;
	roster_each(&cs->roster, &one, led_one);
}

static void list_one(struct roster_entry *e)
{
	struct conn *c = (struct conn *)e;

	hear_lists(c, c->cs->verdict);
	if (c->phase < FLUSH)
		conn_drive(c);
}

void conn_listed(struct conns *cs, const struct pst_addr *addr, const struct dnsl_verdict *v)
{
	struct pst_prefix one = prefix_of(addr, 128);

	cs->verdict = v;
	roster_each(&cs->roster, &one, list_one);
}
