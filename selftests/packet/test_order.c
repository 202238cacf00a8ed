/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_order.c: a whole refused dialogue over a link that swaps, repeats and loses segments. The client is a small TCP
 * that speaks in turns, cuts a line where chance wills and sends again what was not acknowledged. However
 * the link behaves, it must have heard every reply once, in order, and have ended by FIN.
 */
#include "refuse_model.h"

#include <ctype.h>

#include "selftests/unit/rnd.h"

#define LINK_MAX   64
#define ROUNDS_MAX 4000

struct segment {
	struct frame_spec s;
	char data[256];
	unsigned n;
};

static const char *const lines[] = { "EHLO client.example\r\n", "MAIL FROM:<a@b.example>\r\n", "RCPT TO:<c@d.example>\r\n", "QUIT\r\n" };

static struct client {
	struct frame_spec own; /* addresses and ports */
	char out[256];	       /* all that it has to say so far */
	unsigned nout;	       /* octets of it */
	__u32 acked;	       /* octets of it, and its FIN */
	char in[1024];
	unsigned nin;
	__u32 isn; /* the gate's */
	unsigned turn, cut_turn;
	bool heard_fin, said_fin;
} c;

static struct segment way[LINK_MAX]; /* under way to the gate, in no order */
static unsigned nway;

static void send_segment(unsigned flags, unsigned from, unsigned n)
{
	struct segment *g = &way[nway < LINK_MAX ? nway++ : rnd_below(LINK_MAX)];

	g->s = c.own;
	g->s.flags = (__u8)(TCP_ACK | flags);
	g->s.seq = SEQ + 1 + from;
	g->s.ack = c.isn + 1 + c.nin + c.heard_fin;
	g->n = n;
	memcpy(g->data, c.out + from, n);
}

/*
 * May the line be cut here? The gate remembers nothing, so two things it cannot tell: a second half that comes first and looks like a
 * command from a command; and, behind a line that was answered early, parts of the next from its rest. So one line is cut.
 */
static bool may_cut(const char *rest, unsigned n)
{
	if (c.turn != c.cut_turn)
		return false;
	for (unsigned i = 0; i < 4 && i < n; i++)
		if (!isalpha((unsigned char)rest[i]))
			return true;
	return n < 4;
}

/* What was not acknowledged, in one segment or two; an ACK alone when all was. */
static void send_rest(void)
{
	unsigned from = c.acked < c.nout ? c.acked : c.nout, n = c.nout - from, cut = n > 1 ? rnd_below(n) : 0;
	bool fin = c.said_fin && c.acked <= c.nout;

	if (cut && !may_cut(c.out + from + cut, n - cut))
		cut = 0;
	if (cut)
		send_segment(PSH, from, cut);
	if (n || fin)
		send_segment((n ? PSH : 0) | (fin ? TCP_FIN : 0), from + cut, n - cut);
	else
		send_segment(0, from, 0);
}

static unsigned replies_heard(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c.nin; i++)
		n += c.in[i] == '\n';
	return n;
}

/* Its turn: the next line when the last one is answered, its FIN when the gate's has come. */
static void take_turn(void)
{
	if (c.turn < NROWS(lines) && replies_heard() == c.turn + 1) {
		const char *line = lines[c.turn++];

		memcpy(c.out + c.nout, line, strlen(line));
		c.nout += (unsigned)strlen(line);
		send_rest();
	}
	if (c.heard_fin && !c.said_fin) {
		c.said_fin = true;
		send_rest();
	}
}

/* A reply, as RFC 9293 would have it: what is known is dropped, what is new is taken, and both are acknowledged. */
static void hear(const struct outcome *o)
{
	bool v6 = c.own.net == NET_IP6;
	unsigned l3 = 14, total = v6 ? 40 + frame_get16(o->out + l3 + 4) : frame_get16(o->out + l3 + 2);
	const __u8 *tcp = o->out + l3 + (v6 ? 40 : 20), *data = tcp + 20;
	unsigned n = total - (unsigned)(data - (o->out + l3));
	__u32 at = frame_get32(tcp + 4) - (c.isn + 1), ack = frame_get32(tcp + 8) - (SEQ + 1);

	assert_false(tcp[13] & TCP_RST);
	assert_true(at <= c.nin + c.heard_fin); /* no reply leaves a hole */
	if (ack > c.acked && ack <= c.nout + c.said_fin)
		c.acked = ack;
	if (!c.heard_fin && at + n > c.nin) {
		assert_true(at + n < sizeof(c.in));
		memcpy(c.in + c.nin, data + (c.nin - at), at + n - c.nin);
		c.nin = at + n;
	}
	if ((tcp[13] & TCP_FIN) && at + n == c.nin)
		c.heard_fin = true;
	if (n && rnd_below(2))
		send_segment(0, c.nout, 0);
	take_turn();
}

/* One segment, any of those under way, comes to the gate; of ten one comes again later, and with losses one is lost. */
static void deliver(bool losses)
{
	unsigned i = rnd_below(nway);
	struct segment g = way[i];
	struct frame f;
	struct outcome o;

	if (rnd_below(10))
		way[i] = way[--nway];
	if (losses && !rnd_below(10))
		return;
	build(&f, &g.s, g.data, g.n);
	run_frame(&r, &f, &o);
	if (o.verdict != XDP_TX) {
		assert_dropped((int)c.turn, &o, &f, PST_CNT_REFUSE_SILENT);
		return;
	}
	if (!losses || rnd_below(10))
		hear(&o);
}

/* The handshake, whose last segment must not be lost: the gate does not know then that there is somebody. */
static void shake(void)
{
	struct frame_spec syn = c.own;
	struct frame f;
	struct outcome o;

	syn.flags = TCP_SYN;
	syn.seq = SEQ;
	build(&f, &syn, "", 0);
	run_frame(&r, &f, &o);
	assert_int_equal(o.counter, PST_CNT_REFUSE_SYNACK);
	c.isn = frame_get32(o.out + f.l4 + 4);
	send_segment(0, 0, 0);
	while (!c.nin)
		deliver(false);
}

/* Without the padding of the replies. */
static void unpad(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		while (from[0] == '\r' && to > text && to[-1] == ' ')
			to--;
		*to++ = *from;
	}
	*to = '\0';
}

static void converse(bool v6, bool losses, unsigned cut_turn, unsigned port)
{
	char want[1024] = GREETING HELLO OK;
	unsigned rounds = 0, n = (unsigned)strlen(want);

	memset(&c, 0, sizeof(c));
	nway = 0;
	c.cut_turn = cut_turn;
	c.own = (struct frame_spec){ .net = v6 ? NET_IP6 : NET_IP4, .src = v6 ? frame_ip6(1, 1) : frame_ip4(192, 0, 2, 1), .sport = (__u16)port };
	shake();
	while (!(c.said_fin && c.acked == c.nout + 1)) {
		if (++rounds > ROUNDS_MAX)
			fail_msg("port %u: stuck in turn %u, %u octets heard, %u of %u acknowledged", port, c.turn, c.nin, c.acked, c.nout);
		if (nway)
			deliver(losses);
		else
			send_rest(); /* its clock has run out */
	}
	model_refusal(want + n, sizeof(want) - n, &c.own, 550, "relay-attempt");
	strcat(want, "221 Bye\r\n");
	unpad(c.in);
	assert_string_equal(c.in, want);
}

static void any_order(void **state)
{
	(void)state;
	run_ban(&r, run_prefix(frame_ip4(192, 0, 2, 1), 128), PST_ACT_REFUSE, 3600);
	run_ban(&r, run_prefix(frame_ip6(1, 1), 64), PST_ACT_REFUSE, 3600);
	for (unsigned i = 0; i < 2000; i++)
		converse(i & 1, i & 2, i / 4 % (NROWS(lines) + 1), 20000 + i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_order, fresh, gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
