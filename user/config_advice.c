/* SPDX-License-Identifier: BSD-2-Clause */
/* config_advice.c: what may be meant, and is a mistake more often. Said by a check alone; it stops nothing. */
#include "user/config_int.h"

static void advise_listener(struct config_reader *r, const struct conf_listener *l)
{
	if (l->port == 25 && l->sess.tls == SESS_REQUIRE)
		config_warn(r, l->line, "listener \"%s\": tls = require on port 25 turns away every mail server that has no TLS (RFC 3207 section 4: a "
					"public server must not); use offer, and tls = require in the routes that need it", l->name);
	if (l->sess.auth != SESS_OFF && l->sess.auth_cleartext && l->sess.tls != SESS_REQUIRE)
		config_warn(r, l->line, "listener \"%s\": auth_cleartext = yes lets passwords cross the wire as they are; use tls", l->name);
}

static bool names_blank(const struct sender_list *l)
{
	for (size_t i = 0; i < l->nrules; i++)
		if (!l->rule[i].key.n)
			return true;
	return false;
}

static void advise_senders(struct config_reader *r, const struct conf *c)
{
	for (size_t i = 0; i < c->senders.nlists; i++) {
		const struct sender_list *l = &c->senders.list[i];

		if (l->action >= SENDER_REFUSE && names_blank(l))
			config_warn(r, l->line, "sender \"%s\": \"<>\" is every bounce and every receipt; null_rcpts in limits is the milder way", l->name);
	}
}

static void advise_allow(struct config_reader *r, const struct conf *c)
{
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < c->nallow; i++) {
		const struct pst_prefix *p = &c->allow[i];

		if (prefix_is_wide(p))
			config_warn(r, config_line(r, "", "allow"), "allow: nobody in %s is ever refused or judged, and that is more than anybody has; name the networks that you know",
				    prefix_text(p, text));
	}
}

void config_advise(struct config_reader *r, const struct conf *c)
{
	advise_allow(r, c);
	for (size_t i = 0; i < c->nlisteners; i++)
		advise_listener(r, &c->listener[i]);
	advise_senders(r, c);
	if (!c->ninterfaces)
		config_warn(r, config_line(r, "", "interface"), "no interface: nothing is refused at a network card; set interface = { \"eth0\" }");
}
