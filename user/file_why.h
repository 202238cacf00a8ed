/* SPDX-License-Identifier: BSD-2-Clause */
/* file_why.h: why a file could not be opened or read, as an administrator needs to hear it. */
#ifndef FILE_WHY_H
#define FILE_WHY_H

/*
 * strerror(err), and for a permission that is lacking also who lacks it, unless that is root: who reads the words is often root, and finds
 * nothing wrong with the file. err is a positive errno. The text is the function's own, and good until the next call; errno stays as it is.
 */
const char *file_why(int err);

#endif
