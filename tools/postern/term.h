/* SPDX-License-Identifier: BSD-2-Clause */
/* term.h: a terminal taken over for a full-screen view and given back, whatever ends the program. ANSI and termios alone. */
#ifndef TERM_H
#define TERM_H

#include <stdbool.h>

/* True when a view can be shown: standard input and output are a terminal that is not dumb. */
bool term_usable(void);
/* Takes it: no echo, no lines, its other screen. 0 or -errno. It is given back by term_close(), at exit(), and at a signal that ends or stops the program. */
int term_open(void);
void term_close(void);
/* Columns and rows, at least 1 each; 80 and 24 when it does not tell. */
void term_size(unsigned *columns, unsigned *rows);

enum term_heard { TERM_TIME, TERM_KEY, TERM_RESIZED, TERM_ENDED };

/* Waits for a key, for at most ms. Of a key that sends an escape sequence *key is 27. TERM_ENDED: a signal, or the terminal has gone. */
enum term_heard term_wait(int ms, char *key);
/* Whether colours are wanted: a terminal, and neither NO_COLOR nor TERM=dumb. */
bool term_colour(void);

#endif
