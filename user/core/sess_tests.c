/* SPDX-License-Identifier: BSD-2-Clause */
/* sess_tests.c: tests of what a client says of itself and of how it behaves; what is done about it is sess_triage.c's. */
#include "user/core/addr.h"
#include "user/core/sess_internal.h"

/* The address in "[192.0.2.1]" or "[IPv6:2001:db8::1]", or in a name that is nothing but an address. */
static bool address_of(struct str helo, struct pst_addr *a)
{
	if (helo.n > 2 && helo.p[0] == '[') {
		helo = str_sub(helo, 1, helo.n - 1);
		if (str_istarts(helo, STR("IPv6:")))
			helo = str_sub(helo, 5, helo.n);
	}
	return addr_parse(helo, a);
}

/* The name of this host, its address, or a domain of ours that is named as such: one below ".example.org" may be anybody's mail server. */
static bool is_ours(const struct sess *s, struct str helo)
{
	static const struct pst_addr unknown;
	const struct relay_rules *r = s->conf->relay;
	struct pst_addr a;

	if (str_ieq(helo, str_of(s->conf->hostname)))
		return true;
	if (address_of(helo, &a))
		return memcmp(&s->peer.local, &unknown, sizeof(a)) && !memcmp(&s->peer.local, &a, sizeof(a));
	for (size_t i = 0; i < r->ndomains; i++)
		if (str_ieq(r->domain[i].name, helo))
			return true;
	return false;
}

/* Whoever may relay is one of us. One whose name would tell, and is not known yet, is asked again with MAIL. */
static void own_name(struct sess *s, struct sess_step *step, struct str helo)
{
	struct relay_client client = client_of(s);
	bool would_tell = s->conf->relay->relay.named && (s->peer.naming || s->peer.unsure);

	if (!is_ours(s, helo) || relay_trusts(s->conf->relay, &client))
		test_pass(s, TEST_HELO_OWN);
	else if (!would_tell)
		found(s, step, PST_RSN_HELO_OWN, helo);
}

void test_helo(struct sess *s, struct sess_step *step)
{
	struct str helo = { s->helo, s->nhelo };
	bool literal = helo.n && helo.p[0] == '[', dotted = helo.n && memchr(helo.p, '.', helo.n);
	struct relay_client client = client_of(s);

	if (relay_trusts(s->conf->relay, &client)) /* one of us may call itself what it likes */
		return;
	if (literal)
		found(s, step, PST_RSN_HELO_LITERAL, helo);
	else
		test_pass(s, TEST_HELO_LITERAL);
	if (!s->final && !literal && !dotted)
		found(s, step, PST_RSN_HELO_NAME, helo);
	else if (!s->final)
		test_pass(s, TEST_HELO_NAME);
	if (!s->final)
		own_name(s, step, helo);
}

/*
 * A stranger who comes to the backup first, though the primary would have served it: spammers hope that it is guarded less. Whoever
 * was at the primary has the pass of that. Without the judge's word nobody is a stranger.
 */
static void backup_first(struct sess *s, struct sess_step *step)
{
	if (s->conf->backup && s->heard && !s->good && !s->known && !s->authenticated && test_due(s, TEST_BACKUP))
		found(s, step, PST_RSN_BACKUP, STR(""));
}

void test_mail(struct sess *s, struct sess_step *step)
{
	if (test_due(s, TEST_HELO_OWN) && s->nhelo)
		own_name(s, step, (struct str){ s->helo, s->nhelo });
	if (!s->final)
		backup_first(s, step);
}

void test_command(struct sess *s, struct sess_step *step, enum smtp_verb verb)
{
	switch (verb) {
	case SMTP_MAIL: /* what it leads to has bounds of its own: errors, recipients, messages */
	case SMTP_RCPT:
	case SMTP_DATA:
	case SMTP_BDAT:
	case SMTP_AUTH:
	case SMTP_STARTTLS:
	case SMTP_QUIT:
		return;
	default:
		break;
	}
	if (s->messages != s->idle_messages)
		s->idle = 0;
	s->idle_messages = s->messages;
	if (++s->idle > s->conf->commands_max && s->conf->commands_max && !s->authenticated)
		found(s, step, PST_RSN_COMMANDS, STR(""));
}

void test_hangup(struct sess *s, struct sess_step *step)
{
	if (!s->final && !s->messages && s->state != S_TLS && s->state != S_CLIENT)
		condemn(s, step, PST_RSN_HANGUP, STR(""), STR(""));
}
