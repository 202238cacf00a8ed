/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.c INTERFACE DESTINATION-MAC IPV4-DESTINATION IPV6-DESTINATION: the packets of one source at a time, about 20,000 a second, for
 * the ban latency bench. They are acknowledgments from port 9 that belong to no connection. A line on standard input is a
 * command, answered by a line; the end of input ends the program:
 *   send ADDRESS   from now on its packets; answered when the first is out
 *   stop           nobody's
 *   ban ADDRESS    made_ns and first_ns of its ban, or an empty line when that has not refused a packet
 */
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/prctl.h>
#include <time.h>

#include "selftests/bench/wire.h"
#include "user/ban.h"

#define EVERY_NS 50000

static int out;

static struct pst_addr parsed(const char *text)
{
	struct pst_addr a = { { [10] = 0xff, 0xff } };

	if (inet_pton(AF_INET, text, a.b + 12) != 1 && inet_pton(AF_INET6, text, a.b) != 1) {
		fprintf(stderr, "stream: %s is no address\n", text);
		exit(2);
	}
	return a;
}

static void open_interface(const char *name)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name) };

	out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (out < 0 || !to.sll_ifindex || bind(out, (struct sockaddr *)&to, sizeof(to)))
		die(name);
}

static struct frame packet_of(const char *source, const unsigned char mac[6], char **to)
{
	struct frame_spec s = { .src = parsed(source), .sport = 9, .dport = WIRE_PORT, .flags = TCP_ACK };
	struct frame f;

	s.net = strchr(source, ':') ? NET_IP6 : NET_IP4;
	s.dst = parsed(to[s.net == NET_IP6]);
	frame_build(&f, &s);
	memcpy(f.b, mac, 6);
	if (s.net == NET_IP4)
		frame_be16(f.b + f.l3 + 10, frame_fold(frame_sum(0, f.b + f.l3, 20)));
	return f;
}

static void tell_ban(const char *address)
{
	static struct kern_maps maps;
	struct pst_addr a = parsed(address);
	struct pst_prefix p;
	struct pst_ban b;

	if (!maps.bans)
		must(kern_open(KERN_PIN_DIR, true, &maps, NULL), "the gate's maps");
	if (!ban_find(&maps, &a, kern_now_ns(), &p, &b, NULL) && b.first_ns)
		printf("%llu %llu", (unsigned long long)b.made_ns, (unsigned long long)b.first_ns);
}

/* Carries out one line; "ban" leaves the stream as it is. */
static void obey(struct frame *f, char *line, const unsigned char mac[6], char **to)
{
	line[strcspn(line, "\n")] = '\0';
	if (!strncmp(line, "ban ", 4))
		tell_ban(line + 4);
	else if (!strncmp(line, "send ", 5))
		*f = packet_of(line + 5, mac, to);
	else
		f->n = 0;
}

int main(int argc, char **argv)
{
	const struct timespec pause = { 0, EVERY_NS };
	struct pollfd in = { .fd = 0, .events = POLLIN };
	struct frame f = { .n = 0 };
	unsigned char mac[6];
	char line[128];

	if (argc != 5 || sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
		return 2;
	open_interface(argv[1]);
	prctl(PR_SET_TIMERSLACK, 1);
	setvbuf(stdin, NULL, _IONBF, 0);
	for (;;) {
		bool told = poll(&in, 1, f.n ? 0 : -1) > 0;

		if (told && !fgets(line, sizeof(line), stdin))
			return 0;
		if (told)
			obey(&f, line, mac, argv + 3);
		if (f.n && send(out, f.b, f.n, 0) != (ssize_t)f.n && errno != ENOBUFS)
			die("sending");
		if (told) {
			puts("");
			fflush(stdout);
		}
		if (f.n)
			nanosleep(&pause, NULL);
	}
}
