/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_load: sends messages over many connections at once, as a mail server that waits for every reply, and says
 * how many a second and how long each took. With -t by STARTTLS, which smtp-source cannot.
 *
 *   smtp_load [-t] [-r] [-n MESSAGES] [-p PARALLEL] [-m PER_SESSION] [-l BYTES] ADDRESS PORT
 *
 * A message takes from connect() to the reply to its end where a session has one, from MAIL otherwise. -r: recipients
 * that must be refused, no content. Prints {"rate", "p50_us", "p99_us"}; anything unexpected is fatal.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

static struct {
	int tls, refused, messages, parallel, per_session;
	size_t bytes;
	struct sockaddr_storage to;
	socklen_t nto;
	SSL_CTX *ctx;
	char *content;
	size_t ncontent;
} conf = { .messages = 1000, .parallel = 1, .per_session = 1, .bytes = 1024 };

static atomic_int next_message;
static double *took_us;

struct peer {
	int fd;
	SSL *ssl;
	char in[8192];
	size_t nin;
};

static void die(const char *what, const char *said)
{
	fprintf(stderr, "smtp_load: %s: %s\n", what, said);
	exit(1);
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void put(struct peer *p, const char *data, size_t n)
{
	while (n) {
		ssize_t done = p->ssl ? SSL_write(p->ssl, data, (int)n) : write(p->fd, data, n);

		if (done <= 0)
			die("write", strerror(errno));
		data += done;
		n -= (size_t)done;
	}
}

/* The last line of a reply; the rest of the input is kept. */
static void expect(struct peer *p, const char *code, const char *where)
{
	for (;;) {
		char *end;
		ssize_t n;

		while ((end = memchr(p->in, '\n', p->nin))) {
			size_t line = (size_t)(end - p->in) + 1;
			int last = line > 4 && p->in[3] == ' ';

			if (last && strncmp(p->in, code, strlen(code))) {
				*end = 0;
				die(where, p->in);
			}
			p->nin -= line;
			memmove(p->in, end + 1, p->nin);
			if (last)
				return;
		}
		n = p->ssl ? SSL_read(p->ssl, p->in + p->nin, (int)(sizeof(p->in) - p->nin)) :
			     read(p->fd, p->in + p->nin, sizeof(p->in) - p->nin);
		if (n <= 0)
			die(where, n ? strerror(errno) : "connection closed");
		p->nin += (size_t)n;
	}
}

static void say(struct peer *p, const char *line, const char *code)
{
	put(p, line, strlen(line));
	expect(p, code, line);
}

static const char *why_tls(void)
{
	static _Thread_local char text[256];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	return text;
}

static void greet(struct peer *p)
{
	static const int on = 1;

	p->nin = 0;
	p->ssl = NULL;
	p->fd = socket(conf.to.ss_family, SOCK_STREAM, 0);
	if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&conf.to, conf.nto))
		die("connect", strerror(errno));
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	expect(p, "220", "greeting");
	say(p, "EHLO client.example.net\r\n", "250");
	if (!conf.tls)
		return;
	say(p, "STARTTLS\r\n", "220");
	SSL *ssl = SSL_new(conf.ctx);
	if (!ssl || !SSL_set_fd(ssl, p->fd) || SSL_connect(ssl) != 1)
		die("handshake", why_tls());
	p->ssl = ssl;
	say(p, "EHLO client.example.net\r\n", "250");
}

static void leave(struct peer *p)
{
	say(p, "QUIT\r\n", "221");
	SSL_free(p->ssl);
	close(p->fd);
}

static void message(struct peer *p)
{
	say(p, "MAIL FROM:<a@example.net>\r\n", "250");
	if (conf.refused) {
		say(p, "RCPT TO:<user@foreign.example>\r\n", "550");
		return;
	}
	say(p, "RCPT TO:<user@example.org>\r\n", "250");
	say(p, "DATA\r\n", "354");
	put(p, conf.content, conf.ncontent);
	expect(p, "250", "end of data");
}

static void *run(void *unused)
{
	struct peer *p = malloc(sizeof(*p));
	int i = atomic_fetch_add(&next_message, 1);

	(void)unused;
	while (i < conf.messages) {
		double begun = now_us();

		greet(p);
		for (int k = 0; k < conf.per_session && i < conf.messages; k++) {
			if (conf.per_session > 1)
				begun = now_us();
			message(p);
			took_us[i] = now_us() - begun;
			i = atomic_fetch_add(&next_message, 1);
		}
		leave(p);
	}
	free(p);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static void make_content(void)
{
	static const char head[] = "From: a@example.net\r\nSubject: load\r\n\r\n";
	size_t n = sizeof(head) - 1;

	conf.content = malloc(conf.bytes + n + 128);
	memcpy(conf.content, head, n);
	while (n < conf.bytes) {
		memset(conf.content + n, 'x', 70);
		memcpy(conf.content + n + 70, "\r\n", 2);
		n += 72;
	}
	memcpy(conf.content + n, ".\r\n", 3);
	conf.ncontent = n + 3;
}

static void parse(int argc, char **argv)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&conf.to;
	struct sockaddr_in *four = (struct sockaddr_in *)&conf.to;
	int option;

	while ((option = getopt(argc, argv, "trn:p:m:l:")) != -1) {
		switch (option) {
		case 't': conf.tls = 1; break;
		case 'r': conf.refused = 1; break;
		case 'n': conf.messages = atoi(optarg); break;
		case 'p': conf.parallel = atoi(optarg); break;
		case 'm': conf.per_session = atoi(optarg); break;
		case 'l': conf.bytes = (size_t)atol(optarg); break;
		default: exit(2);
		}
	}
	if (argc - optind != 2 || conf.messages < 1 || conf.parallel < 1 || conf.parallel > 1000 || conf.per_session < 1)
		die("usage", "smtp_load [-t] [-r] [-n MESSAGES] [-p PARALLEL] [-m PER_SESSION] [-l BYTES] ADDRESS PORT");
	if (inet_pton(AF_INET, argv[optind], &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((unsigned short)atoi(argv[optind + 1]));
		conf.nto = sizeof(*four);
	} else if (inet_pton(AF_INET6, argv[optind], &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((unsigned short)atoi(argv[optind + 1]));
		conf.nto = sizeof(*six);
	} else {
		die(argv[optind], "not an address");
	}
}

int main(int argc, char **argv)
{
	pthread_t thread[1000];
	double begun, seconds;

	parse(argc, argv);
	make_content();
	conf.ctx = SSL_CTX_new(TLS_client_method());
	took_us = calloc((size_t)conf.messages, sizeof(*took_us));
	if (!conf.ctx || !took_us || !conf.content)
		die("memory", "out of it");
	begun = now_us();
	for (int i = 0; i < conf.parallel; i++)
		if (pthread_create(&thread[i], NULL, run, NULL))
			die("thread", "cannot be made");
	for (int i = 0; i < conf.parallel; i++)
		pthread_join(thread[i], NULL);
	seconds = (now_us() - begun) / 1e6;
	qsort(took_us, (size_t)conf.messages, sizeof(*took_us), by_value);
	printf("{\"rate\": %.1f, \"p50_us\": %.0f, \"p99_us\": %.0f}\n", conf.messages / seconds, took_us[conf.messages / 2],
	       took_us[(size_t)conf.messages * 99 / 100]);
	return 0;
}
