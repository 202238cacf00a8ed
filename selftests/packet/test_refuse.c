/* SPDX-License-Identifier: BSD-2-Clause */
/* test_refuse.c: the dialogue, segment in, segment out, each compared with the model; cookies, secrets, budgets. */
#include "refuse_model.h"

#include <unistd.h>

#include "selftests/unit/rnd.h"

/* --- rows ------------------------------------------------------------------------------ */

#define R550 "\1" /* in a row's text: the whole refusal */
#define R554 "\2"

static const struct turn {
	const char *in;	      /* the segment's payload */
	unsigned flags;	      /* besides ACK */
	__u32 said;	      /* before it */
	const char *say;      /* NULL = no answer */
	unsigned eaten, fin;  /* our FIN */
	unsigned class;	      /* of said afterwards */
	unsigned counter;
} turns[] = {
#define GREET PST_CNT_REFUSE_GREETING
#define REPLY PST_CNT_REFUSE_REPLY
#define RCPT  PST_CNT_REFUSE_RECIPIENT
#define MUTE  PST_CNT_REFUSE_SILENT
#define ACKED PST_CNT_REFUSE_ACK
	{ "", 0, 0, GREETING, 0, 0, 0, GREET },
	{ "", 0, 28, NULL, 0, 0, 0, MUTE }, /* an ACK alone */
	{ "", 0, 30, NULL, 0, 0, 0, MUTE },
	{ "", 0, 29, NULL, 0, 0, 0, MUTE },
	/* one command a segment */
	{ "EHLO client.example\r\n", PSH, 28, HELLO, 21, 0, 0, REPLY },
	{ "HELO client.example\r\n", PSH, 28, HELLO, 21, 0, 0, REPLY },
	{ "MAIL FROM:<a@b.example>\r\n", PSH, 48, OK, 25, 0, 0, REPLY },
	{ "mail from:<>\r\n", PSH, 48, OK, 14, 0, 0, REPLY },
	{ "RCPT TO:<c@d.example>\r\n", PSH, 56, R550, 23, 0, 0, RCPT },
	{ "Rcpt To:<c@d.example>\n", PSH, 56, R550, 22, 0, 0, RCPT },
	{ "DATA\r\n", PSH, 200, "554 No valid recipient\r\n", 6, 0, 0, REPLY },
	{ "RSET\r\n", PSH, 200, OK, 6, 0, 0, REPLY },
	{ "NOOP what ever\r\n", PSH, 200, OK, 16, 0, 0, REPLY },
	{ "QUIT\r\n", PSH, 200, "221 Bye\r\n", 6, 1, 0, REPLY },
	{ "QUIT\n", PSH, 200, "221 Bye\r\n", 5, 1, 0, REPLY },
	{ "QUIT\r", PSH, 200, "221 Bye\r\n", 5, 1, 0, REPLY }, /* cut before its end: the FIN that follows must still be known as ours */
	{ "AUTH LOGIN\r\n", PSH, 200, "502 Not available here\r\n", 12, 0, 0, REPLY },
	{ "BDAT 7 LAST\r\n", PSH, 200, "502 Not available here\r\n", 13, 0, 0, REPLY },
	{ "STARTTLS\r\n", PSH, 200, "500 Command not recognized\r\n", 10, 0, 0, REPLY },
	{ "VRFY root\r\n", PSH, 200, "502 Not available here\r\n", 11, 0, 0, REPLY },
	{ "HELP\r\n", PSH, 200, "502 Not available here\r\n", 6, 0, 0, REPLY },
	{ "FOOBAR\r\n", PSH, 200, "500 Command not recognized\r\n", 8, 0, 0, REPLY },
	{ "MAILER x\r\n", PSH, 200, "500 Command not recognized\r\n", 10, 0, 0, REPLY },
	/* what is no line of SMTP */
	{ "\r\n", PSH, 200, NULL, 0, 0, 0, MUTE },
	{ "GET / HTTP/1.1\r\n", PSH, 200, NULL, 0, 0, 0, MUTE },
	{ "\x16\x03\x01\x02\x05\x01", PSH, 200, NULL, 0, 0, 0, MUTE },
	{ "\xc5\xc8\xcc\xcf x\r\n", PSH, 200, NULL, 0, 0, 0, MUTE }, /* EHLO with every eighth bit set */
	{ "d@x.example>\r\n", PSH, 200, NULL, 0, 0, 0, MUTE }, /* the end of a line whose beginning was lost */
	/* before the greeting was known to have come */
	{ "EHLO x\r\n", PSH, 0, GREETING "\3" HELLO, 8, 0, 0, GREET },
	{ "QUIT\r\n", PSH, 0, GREETING "\3" "221 Bye\r\n", 6, 1, 0, GREET },
	{ "EH", PSH, 0, GREETING, 0, 0, 0, GREET },
	/* several in one segment */
	{ "MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n", PSH, 48, OK R550, 29, 0, 0, RCPT },
	{ "MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@b>\r\nDATA\r\n", PSH, 48,
	  OK R550 "550 5.7.1 Client is banned\r\n554 No valid recipient\r\n", 50, 0, 0, RCPT },
	{ "RSET\r\nQUIT\r\nNOOP\r\n", PSH, 48, OK "221 Bye\r\n", 18, 1, 0, REPLY }, /* QUIT is the end */
	{ "NOOP\nNOOP\nNOOP\nNOOP\nNOOP\nNOOP\nNOOP\nNOOP\nNOOP\n", PSH, 48, OK OK OK OK OK OK OK OK, 40, 0, 0, REPLY },
	{ "\r\nNOOP\r\n", PSH, 48, OK, 8, 0, 0, REPLY },
	/* cut in two */
	{ "RC", PSH, 56, NULL, 0, 0, 0, MUTE },
	{ "RCPT", PSH, 56, NULL, 0, 0, 0, MUTE },
	{ "QUIT", PSH, 56, NULL, 0, 0, 0, MUTE },
	{ "FOOBAR", PSH, 56, NULL, 0, 0, 0, MUTE },
	{ "RCPT TO:<a", PSH, 56, R550, 10, 0, MID, RCPT },
	{ "EHLO ", PSH, 28, HELLO, 5, 0, MID, REPLY },
	{ "MAIL FROM:<>\r\nRCPT TO:<a", PSH, 56, OK R550, 24, 0, MID, RCPT },
	{ "NOOP\r\nRC", PSH, 56, OK, 6, 0, 0, REPLY },
	{ "bc@d>\r\n", PSH, 58, "", 7, 0, MID, ACKED }, /* the rest: acknowledged, nothing more */
	{ "bc@d>", PSH, 58, "", 5, 0, MID, ACKED },
	{ "mime smtputf8\r\n", PSH, 58, "", 15, 0, MID, ACKED },
	{ "bc@d>\r\nDATA\r\n", PSH, 58, "554 No valid recipient\r\n", 13, 0, 0, REPLY },
	{ "DATA\r\n", PSH, 58, "554 No valid recipient\r\n", 6, 0, 0, REPLY },
	/* the end */
	{ "", TCP_FIN, 0, GREETING, 0, 1, 0, GREET },
	{ "", TCP_FIN, 28, "", 0, 1, 0, ACKED },
	{ "", TCP_FIN, 30, "", 0, 1, 0, ACKED },
	{ "", TCP_FIN, 29, "", 0, 0, 0, ACKED }, /* ours was before */
	{ "QUIT\r\n", TCP_FIN | PSH, 28, "221 Bye\r\n", 6, 1, 0, REPLY },
	{ "garbage\1", TCP_FIN | PSH, 28, "", 8, 1, 0, ACKED },
	{ "QUIT\r\n", PSH, 29, "", 6, 0, 0, ACKED },
	{ "QUIT\r\n", TCP_FIN | PSH, 29, "", 6, 0, 0, ACKED },
	{ "NOOP\r\n", PSH, 15360, OK, 6, 0, 0, REPLY },
	{ "NOOP\r\n", PSH, 15364, "421 Too many commands\r\n", 6, 1, 0, REPLY },
	{ "NOOP\r\n", PSH, 16384, "421 Too many commands\r\n", 6, 1, 0, REPLY },
	{ "NOOP\r\n", PSH, 16388, NULL, 0, 0, 0, PST_CNT_REFUSE_UNVERIFIED },
	{ "NOOP\r\n", PSH, 31, NULL, 0, 0, 0, PST_CNT_REFUSE_UNVERIFIED },
	{ "NOOP\r\n", PSH, NOBODY, NULL, 0, 0, 0, PST_CNT_REFUSE_UNVERIFIED }, /* acknowledges the SYN not even */
	{ "", TCP_RST, 28, NULL, 0, 0, 0, MUTE },
	{ "NOOP\r\n", TCP_RST, 28, NULL, 0, 0, 0, MUTE },
	{ "NOOP\r\n", TCP_SYN, 28, NULL, 0, 0, 0, PST_CNT_REFUSE_UNVERIFIED },
};

static const struct turn banners[] = {
	{ "", 0, 0, R554, 0, 1, 0, GREET },
	{ "EHLO x\r\n", PSH, 0, R554, 8, 1, 0, GREET },
	{ "", TCP_FIN, 0, R554, 0, 1, 0, GREET },
	{ "QUIT\r\n", PSH, 101, "", 6, 0, 0, ACKED },
	{ "", TCP_FIN, 101, "", 0, 0, 0, ACKED },
	{ "", 0, 100, NULL, 0, 0, 0, MUTE },
	{ "NOOP\r\n", PSH, 100, R554, 6, 1, 0, REPLY }, /* a dialogue that was begun under refuse */
};

/* A row's text: \1 and \2 stand for the refusals, \3 pads what is before it. */
static unsigned say_text(char *out, size_t size, const struct turn *t, const struct frame_spec *s, const char *what)
{
	unsigned n = 0;

	for (const char *c = t->say; *c; c++) {
		if (*c == *R550 || *c == *R554)
			model_refusal(out + n, size - n, s, *c == *R550 ? 550 : 554, what);
		else if (*c == 3)
			n = model_pad(out, n, t->said, 0);
		else
			snprintf(out + n, size - n, "%c", *c);
		n += (unsigned)strlen(out + n);
	}
	return t->say[0] == '2' && !strcmp(t->say, GREETING) ? model_pad(out, n, 0, 0) : model_pad(out, n, t->said, t->class);
}

static void take_turn(const struct turn *t, struct frame_spec s, const char *what)
{
	char text[1024] = "";
	struct frame f, want;
	struct outcome o;
	__u32 cookie;
	unsigned n = (unsigned)strlen(t->in);

	s.flags = (__u8)(TCP_ACK | t->flags);
	s.seq = SEQ;
	build(&f, &s, "", 0);
	cookie = model_cookie(&s, key, slot_now());
	s.ack = cookie + 1 + t->said;
	build(&f, &s, t->in, n);
	run_frame(&r, &f, &o);
	if (!t->say) {
		assert_dropped((int)(t - turns), &o, &f, t->counter);
		return;
	}
	if (o.verdict != XDP_TX || o.counter != t->counter)
		fail_msg("\"%s\" after %u: %u %s", t->in, t->said, o.verdict, counter_name(o.counter));
	n = say_text(text, sizeof(text), t, &s, what);
	model_frame(&want, &s, f.n,
		    &(struct model_reply){ .seq = s.ack,
					   .ack = SEQ + t->eaten + !!(t->flags & TCP_FIN),
					   .flags = TCP_ACK | (n ? PSH : 0) | (t->fin ? TCP_FIN : 0),
					   .data = text,
					   .n = n });
	assert_frame((int)(t - turns), &o, &want);
}

static const struct shape {
	unsigned tags, exts;
	enum frame_net net;
} shapes[] = {
	{ 0, 0, NET_IP4 }, { 1, 0, NET_IP4 }, { 2, 0, NET_IP4 }, { 0, 0, NET_IP4_OPTIONS }, { 2, 0, NET_IP4_OPTIONS },
	{ 0, 0, NET_IP6 }, { 1, 0, NET_IP6 }, { 2, 0, NET_IP6 }, { 0, 3, NET_IP6 },	    { 2, 8, NET_IP6 },
};

static void every_turn(void **state)
{
	struct pst_addr ban4 = frame_ip4(192, 0, 2, 1), ban6 = frame_ip6(1, 1), list4 = frame_ip4(192, 0, 2, 9), list6 = frame_ip6(2, 9);

	(void)state;
	run_ban(&r, run_prefix(ban4, 128), PST_ACT_REFUSE, 3600);
	run_ban(&r, run_prefix(ban6, 64), PST_ACT_REFUSE, 3600);
	run_list(&r, run_prefix(list4, 128), 3, PST_ACT_REFUSE);
	run_list(&r, run_prefix(list6, 128), 3, PST_ACT_REFUSE);
	for (size_t i = 0; i < NROWS(turns) * NROWS(shapes) * 2; i++) {
		const struct shape *sh = &shapes[i / NROWS(turns) % NROWS(shapes)];
		bool listed = i / NROWS(turns) / NROWS(shapes), v6 = sh->net == NET_IP6;
		struct frame_spec s = { .tags = sh->tags, .exts = sh->exts, .net = sh->net,
					.src = listed ? (v6 ? list6 : list4) : v6 ? ban6 : ban4 };

		take_turn(&turns[i % NROWS(turns)], s, listed ? "list list 3" : "relay-attempt");
	}
}

static void every_banner(void **state)
{
	struct pst_addr ban4 = frame_ip4(192, 0, 2, 1), ban6 = frame_ip6(1, 1);

	(void)state;
	run_ban(&r, run_prefix(ban4, 128), PST_ACT_BANNER, 3600);
	run_ban(&r, run_prefix(ban6, 64), PST_ACT_BANNER, 3600);
	for (size_t i = 0; i < NROWS(banners) * NROWS(shapes); i++) {
		const struct shape *sh = &shapes[i / NROWS(banners)];

		take_turn(&banners[i % NROWS(banners)],
			  (struct frame_spec){ .tags = sh->tags, .exts = sh->exts, .net = sh->net, .src = sh->net == NET_IP6 ? ban6 : ban4 },
			  "relay-attempt");
	}
}

/* --- the handshake ---------------------------------------------------------------------- */

static struct pst_addr bad4, bad6;

static int fresh_with_bans(void **state)
{
	bad4 = frame_ip4(192, 0, 2, 1);
	bad6 = frame_ip6(1, 1);
	fresh(state);
	run_ban(&r, run_prefix(bad4, 128), PST_ACT_REFUSE, 3600);
	run_ban(&r, run_prefix(bad6, 64), PST_ACT_REFUSE, 3600);
	return 0;
}

/* A SYN without options, with one, and with data (RFC 7413): the answer is never longer than what came. */
static void syn_is_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < NROWS(shapes) * 3 * 2; i++) {
		const struct shape *sh = &shapes[i % NROWS(shapes)];
		bool v6 = sh->net == NET_IP6, option = i / NROWS(shapes) % 3 != 0, ecn = i / NROWS(shapes) >= 3;
		struct frame_spec s = { .tags = sh->tags, .exts = sh->exts, .net = sh->net, .src = v6 ? bad6 : bad4, .seq = SEQ,
					.flags = (__u8)(TCP_SYN | (ecn ? 0xc0 : 0)) };
		struct frame f, want;
		struct outcome o;

		build(&f, &s, "EHLO x\r\n", i / NROWS(shapes) % 3 == 2 ? 8 : 0);
		if (!option) { /* without its option */
			f.n -= 4;
			f.b[f.l4 + 12] = 5 << 4;
			frame_be16(f.b + f.l3 + (v6 ? 4 : 2), v6 ? f.n - f.l3 - 40 : f.n - f.l3);
		}
		run_frame(&r, &f, &o);
		assert_int_equal(o.verdict, XDP_TX);
		assert_int_equal(o.counter, PST_CNT_REFUSE_SYNACK);
		assert_true(o.nout <= f.n);
		model_frame(&want, &s, f.n,
			    &(struct model_reply){ .seq = model_cookie(&s, key, slot_now()), .ack = SEQ + 1, .flags = TCP_SYN | TCP_ACK, .data = "",
						   /* extension headers and options that go make room */
						   .mss = option || sh->exts || sh->net == NET_IP4_OPTIONS });
		assert_frame((int)i, &o, &want);
	}
}

/* Whatever an unverified source sends, it gets nothing or fewer octets than it sent: random flags, numbers and lengths. */
static void nobody_is_amplified_at(void **state)
{
	__u64 in = 0, out = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		bool v6 = rnd_below(2);
		char text[600] = "MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n";
		struct frame_spec s = { .tags = rnd_below(3), .net = v6 ? NET_IP6 : NET_IP4, .src = v6 ? bad6 : bad4, .seq = (__u32)rnd(),
					.ack = (__u32)rnd(), .flags = (__u8)(1 + rnd_below(255)), .sport = (__u16)(1 + rnd_below(65535)) };
		struct frame f;
		struct outcome o;

		build(&f, &s, text, rnd_below(sizeof(text)));
		run_frame(&r, &f, &o);
		in += f.n;
		out += o.verdict == XDP_TX ? o.nout : 0;
		if (o.verdict == XDP_TX && o.counter != PST_CNT_REFUSE_SYNACK) { /* a guess, one in 2^17: it must have been right */
			assert_true(s.ack - model_cookie(&s, key, slot_now()) <= 16385);
			continue;
		}
		assert_true(o.verdict == XDP_DROP || o.nout <= f.n);
		assert_int_equal(o.verdict == XDP_TX, (s.flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_SYN);
	}
	assert_true(out < in);
}

/* A cookie is good for its own connection, for eight time slots, and for the key it was made with. */
static void cookies(void **state)
{
	static const struct {
		int age;
		bool good;
	} ages[] = { { 0, true }, { 1, true }, { 4, true }, { 7, true }, { 8, false }, { 9, false }, { -1, false }, { 4096, false } };
	struct frame_spec s = { .src = bad4, .flags = TCP_ACK, .seq = SEQ }, other;
	struct frame f;
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < NROWS(ages); i++) {
		build(&f, &s, "", 0);
		s.ack = 1 + model_cookie(&s, key, slot_now() - (__u64)(long long)ages[i].age);
		build(&f, &s, "", 0);
		run_frame(&r, &f, &o);
		assert_int_equal(o.counter, ages[i].good ? PST_CNT_REFUSE_GREETING : PST_CNT_REFUSE_UNVERIFIED);
	}
	other = s;
	other.sport = 40001;
	s.ack = 1 + model_cookie(&other, key, slot_now());
	build(&f, &s, "", 0);
	run_frame(&r, &f, &o);
	assert_int_equal(o.counter, PST_CNT_REFUSE_UNVERIFIED);
}

/* refuse_rotate(): the new key from a slot to come, the old one for the slots before; never two in one lifetime. */
static void rotation(void **state)
{
	struct frame_spec s = { .src = bad4, .flags = TCP_ACK, .seq = SEQ };
	struct pst_secret before, after;
	__u32 only = 0;
	__u64 now = kern_now_ns();
	struct frame f;
	struct outcome o;
	unsigned back;

	(void)state;
	assert_int_equal(refuse_tick(&r.maps, now), 1);
	assert_int_equal(bpf_map_lookup_elem(r.maps.secret, &only, &after), 0);
	assert_memory_equal(after.gen[0].key, key, 16);
	assert_int_equal(after.gen[1].from_slot, (now >> PST_SLOT_SHIFT) + 2);
	assert_int_equal(refuse_rotate(&r.maps, now), -EAGAIN);
	assert_int_equal(refuse_rotate(&r.maps, now + (9ull << PST_SLOT_SHIFT)), -EAGAIN);
	assert_int_equal(refuse_tick(&r.maps, now + (12ull << PST_SLOT_SHIFT)), 0);
	build(&f, &s, "", 0);
	s.ack = 1 + model_cookie(&s, key, slot_now());
	build(&f, &s, "", 0);
	run_frame(&r, &f, &o);
	assert_int_equal(o.counter, PST_CNT_REFUSE_GREETING);

	while (slot_now() < 1) /* slots are counted from the machine's start; it may be new */
		usleep(100000);
	back = slot_now() > 3 ? 3 : (unsigned)slot_now() - 1;
	before = after; /* as if it had been made some slots ago: what is older goes on under the old key */
	after.gen[1].from_slot = slot_now() - back;
	assert_int_equal(bpf_map_update_elem(r.maps.secret, &only, &after, BPF_ANY), 0);
	for (unsigned age = 0; age < 8 && age <= slot_now(); age++) {
		s.ack = 1 + model_cookie(&s, age <= back ? after.gen[1].key : before.gen[0].key, slot_now() - age);
		build(&f, &s, "", 0);
		run_frame(&r, &f, &o);
		assert_int_equal(o.counter, PST_CNT_REFUSE_GREETING);
		s.ack = 1 + model_cookie(&s, age > back ? after.gen[1].key : before.gen[0].key, slot_now() - age);
		build(&f, &s, "", 0);
		run_frame(&r, &f, &o);
		assert_int_equal(o.counter, PST_CNT_REFUSE_UNVERIFIED);
	}
	assert_int_equal(refuse_rotate(&r.maps, now + (12ull << PST_SLOT_SHIFT)), 0);
	assert_int_equal(bpf_map_lookup_elem(r.maps.secret, &only, &before), 0);
	assert_memory_equal(before.gen[1].key, after.gen[1].key, 16); /* the elder one was written over */
	assert_memory_not_equal(before.gen[0].key, key, 16);
}

static void no_secret_no_answer(void **state)
{
	struct pst_secret none = { 0 };
	struct frame_spec s = { .src = bad4 };
	__u32 only = 0;
	struct frame f;
	struct outcome o;

	(void)state;
	assert_int_equal(bpf_map_update_elem(r.maps.secret, &only, &none, BPF_ANY), 0);
	build(&f, &s, "", 0);
	run_frame(&r, &f, &o);
	assert_dropped(0, &o, &f, PST_CNT_REFUSE_SILENT);
}

/* --- budgets ---------------------------------------------------------------------------- */

static unsigned answered(struct pst_addr src, unsigned n)
{
	unsigned sent = 0;

	for (unsigned i = 0; i < n; i++) {
		struct frame_spec s = { .net = addr_is4(&src) ? NET_IP4 : NET_IP6, .src = src };
		struct frame f;
		struct outcome o;

		build(&f, &s, "", 0);
		run_frame(&r, &f, &o);
		sent += o.verdict == XDP_TX;
		if (o.verdict != XDP_TX)
			assert_dropped((int)i, &o, &f, PST_CNT_REFUSE_BUDGET);
	}
	return sent;
}

/* A burst, then nothing, whatever the clock does in a millionth of a second. One source's excess is not another's loss. */
static void budgets(void **state)
{
	struct pst_reply_budget slow = { .cost_ns = 1000000000000ull, .burst_ns = 10000000000000ull };
	struct pst_addr near6 = bad6, list6 = frame_ip6(9, 1);
	__u32 source = PST_REPLY_SOURCE, all = PST_REPLY_ALL;

	(void)state;
	near6.b[15] = 99;
	run_list(&r, run_prefix(list6, 32), 1, PST_ACT_REFUSE);
	assert_int_equal(bpf_map_update_elem(r.maps.reply_budget, &source, &slow, BPF_ANY), 0);
	assert_int_equal(answered(bad4, 100), 10);
	assert_int_equal(answered(bad6, 6) + answered(near6, 100), 10); /* one /64 */
	assert_int_equal(answered(list6, 100), 10);
	assert_int_equal(bpf_map_update_elem(r.maps.reply_budget, &all, &slow, BPF_ANY), 0);
	for (unsigned i = 0, sent = 0; i < 30; i++) {
		sent += answered(frame_ip6(100 + i, 1), 1);
		assert_int_equal(sent, i < 10 ? i + 1 : 10);
	}
}

/* Resets, which an invented sender's victim would get, have the same budgets; what is due none costs none. */
static void budgets_of_resets(void **state)
{
	struct pst_reply_budget slow = { .cost_ns = 1000000000000ull, .burst_ns = 10000000000000ull };
	__u32 source = PST_REPLY_SOURCE, all = PST_REPLY_ALL;
	struct pst_addr list6 = frame_ip6(9, 1);
	struct frame_spec rst = { .src = bad4, .flags = TCP_RST };
	struct frame f;
	struct outcome o;

	(void)state;
	run_ban(&r, run_prefix(bad4, 128), PST_ACT_RESET, 3600);
	run_list(&r, run_prefix(list6, 32), 1, PST_ACT_RESET);
	assert_int_equal(bpf_map_update_elem(r.maps.reply_budget, &source, &slow, BPF_ANY), 0);
	for (int i = 0; i < 50; i++) {
		build(&f, &rst, "", 0);
		run_frame(&r, &f, &o);
		assert_dropped(i, &o, &f, PST_CNT_DROP_BANNED);
	}
	assert_int_equal(answered(bad4, 6), 6);
	run_ban(&r, run_prefix(bad4, 128), PST_ACT_REFUSE, 3600); /* one account for both */
	assert_int_equal(answered(bad4, 100), 4);
	assert_int_equal(answered(list6, 100), 10);
	assert_int_equal(bpf_map_update_elem(r.maps.reply_budget, &all, &slow, BPF_ANY), 0);
	for (unsigned i = 0, sent = 0; i < 30; i++) {
		sent += answered(frame_ip6(100 + i, 1), 1);
		assert_int_equal(sent, i < 10 ? i + 1 : 10);
	}
}

/* Frames that are no segment of a connection: nothing to answer. */
static void no_answer(void **state)
{
	struct frame_spec s = { .src = bad4 }, frag = { .src = bad4, .frag = FRAG_FIRST };
	struct frame f;
	struct outcome o;

	(void)state;
	build(&f, &frag, "", 0);
	run_frame(&r, &f, &o);
	assert_dropped(0, &o, &f, PST_CNT_REFUSE_SILENT);
	build(&f, &s, "", 0);
	f.b[0] |= 1; /* to a group of stations */
	run_frame(&r, &f, &o);
	assert_dropped(1, &o, &f, PST_CNT_REFUSE_SILENT);
	build(&f, &s, "", 0);
	frame_be16(f.b + f.l3 + 2, 1500); /* longer than the frame */
	run_frame(&r, &f, &o);
	assert_dropped(2, &o, &f, PST_CNT_REFUSE_SILENT);
}

/* The address in the text, in the notation of RFC 5952, against inet_ntop(). */
static void addresses(void **state)
{
	static const struct turn rcpt = { "RCPT TO:<a@b>\r\n", PSH, 56, R550, 15, 0, 0, RCPT };

	(void)state;
	run_list(&r, run_prefix(frame_ip6(0, 0), 16), 1, PST_ACT_REFUSE);
	run_list(&r, run_prefix(frame_ip4(0, 0, 0, 0), 96), 1, PST_ACT_REFUSE);
	for (unsigned i = 0; i < 4000; i++) {
		struct frame_spec s = { .net = i % 2 ? NET_IP6 : NET_IP4, .src = i % 2 ? frame_ip6(0, 0) : rnd_addr4() };

		for (unsigned g = 2; i % 2 && g < 16; g++) /* many zeros, so that runs of all lengths and places come */
			s.src.b[g] = rnd_below(3) ? 0 : (__u8)rnd();
		take_turn(&rcpt, s, "list list 1");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(syn_is_answered, fresh_with_bans, gone),
		cmocka_unit_test_setup_teardown(nobody_is_amplified_at, fresh_with_bans, gone),
		cmocka_unit_test_setup_teardown(cookies, fresh_with_bans, gone),
		cmocka_unit_test_setup_teardown(no_secret_no_answer, fresh_with_bans, gone),
		cmocka_unit_test_setup_teardown(budgets, fresh_with_bans, gone),
		cmocka_unit_test_setup_teardown(budgets_of_resets, fresh_with_bans, gone),
		cmocka_unit_test_setup_teardown(no_answer, fresh_with_bans, gone),
		cmocka_unit_test_setup_teardown(addresses, fresh, gone),
		cmocka_unit_test_setup_teardown(every_turn, fresh, gone),
		cmocka_unit_test_setup_teardown(every_banner, fresh, gone),
		cmocka_unit_test_setup_teardown(rotation, fresh_with_bans, gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
