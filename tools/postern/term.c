/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/term.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* The other screen, no cursor, no wrapping at the last column; and back. */
static const char enter[] = "\033[?1049h\033[?25l\033[?7l\033[2J", leave[] = "\033[0m\033[?7h\033[?25h\033[?1049l";

static struct {
	struct termios before;
	bool open, registered;
	volatile sig_atomic_t resized, ended;
} term;

/* Only what a signal handler may do. */
static void give_back(void)
{
	ssize_t ignored = write(STDOUT_FILENO, leave, sizeof(leave) - 1);

	(void)ignored;
	tcsetattr(STDIN_FILENO, TCSANOW, &term.before);
}

static int take(void)
{
	struct termios raw = term.before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		return -errno;
	return write(STDOUT_FILENO, enter, sizeof(enter) - 1) < 0 ? -errno : 0;
}

static void heard(int signal)
{
	if (signal == SIGWINCH)
		term.resized = 1;
	else
		term.ended = 1;
}

/* Stopped, the shell gets its screen; continued, we take ours again and draw anew. */
static void stopped(int signal)
{
	int before = errno;

	give_back();
	raise(SIGSTOP);
	take();
	term.resized = 1;
	errno = before;
	(void)signal;
}

static void watch(int number, void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = handler == heard && number != SIGWINCH ? 0 : SA_RESTART };

	sigaction(number, &sa, NULL);
}

bool term_usable(void)
{
	const char *name = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && name && *name && strcmp(name, "dumb");
}

bool term_colour(void)
{
	const char *no = getenv("NO_COLOR");

	return term_usable() && !(no && *no);
}

int term_open(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
	int rc;

	if (tcgetattr(STDIN_FILENO, &term.before))
		return -errno;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		watch(ends[i], heard);
	watch(SIGWINCH, heard);
	watch(SIGTSTP, stopped);
	rc = take();
	term.open = !rc;
	if (!term.registered)
		atexit(term_close);
	term.registered = true;
	return rc;
}

void term_close(void)
{
	if (!term.open)
		return;
	fflush(stdout);
	give_back();
	term.open = false;
}

void term_size(unsigned *columns, unsigned *rows)
{
	struct winsize w = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
	*columns = w.ws_col ? w.ws_col : 80;
	*rows = w.ws_row ? w.ws_row : 24;
}

/* What follows ESC of an arrow or a function key: "[" or "O", and on to a letter or "~". It comes in one piece, or as good as. */
static void swallow_sequence(void)
{
	char c = 0;

	if (read(STDIN_FILENO, &c, 1) != 1 || (c != '[' && c != 'O'))
		return;
	while (read(STDIN_FILENO, &c, 1) == 1 && (c < '@' || c > '~'))
		;
}

enum term_heard term_wait(int ms, char *key)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int ready = 0;

	if (!term.resized && !term.ended)
		ready = poll(&in, 1, ms);
	if (term.ended)
		return TERM_ENDED;
	if (term.resized) {
		term.resized = 0;
		return TERM_RESIZED;
	}
	if (ready <= 0)
		return TERM_TIME;
	if (read(STDIN_FILENO, key, 1) != 1)
		return TERM_ENDED;
	if (*key == 27)
		swallow_sequence();
	return TERM_KEY;
}
