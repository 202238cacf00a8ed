/* SPDX-License-Identifier: BSD-2-Clause */
/* config_file.c: the files that the configuration consists of, opened so that a reload never waits and read whole before they are parsed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/config_int.h"
#include "user/file_why.h"

#define FILE_BYTES_MAX (16u << 20)

FILE *config_open(const char *path, const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer would wait for one */
	struct stat st;
	FILE *f = NULL;

	*why = NULL;
	if (fd >= 0 && !fstat(fd, &st) && !S_ISREG(st.st_mode))
		*why = S_ISDIR(st.st_mode) ? "it is a folder" : "it is not a regular file";
	else if (fd >= 0 && st.st_size > FILE_BYTES_MAX)
		*why = "it is larger than 16 MiB";
	else if (fd >= 0)
		f = fdopen(fd, "r");
	if (f)
		return f;
	if (!*why)
		*why = file_why(errno);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static unsigned lines_before(const char *text, const char *end)
{
	unsigned line = 1;

	while ((text = memchr(text, '\n', end - text))) {
		line++;
		text++;
	}
	return line;
}

/* What libconfuse would not see. */
static bool has_nul(struct config_reader *r, const char *path, const char *text, size_t n)
{
	const char *nul = memchr(text, 0, n);

	if (nul)
		config_err(r, path, lines_before(text, nul), "a NUL byte; save the file as plain UTF-8 text");
	return nul;
}

char *config_text(struct config_reader *r, const char *path)
{
	const char *why;
	FILE *f = config_open(path, &why);
	char *text;
	size_t n;

	if (!f) {
		config_err(r, path, 1, path == r->path ? "cannot read: %s; name a readable file with -c" : "cannot read: %s; make it readable, or rename it", why);
		return NULL;
	}
	text = malloc(FILE_BYTES_MAX + 1); /* untouched pages cost nothing */
	if (!text) {
		r->no_memory = true;
		fclose(f);
		return NULL;
	}
	n = fread(text, 1, FILE_BYTES_MAX, f);
	text[n] = 0;
	if (!strncmp(text, "\xef\xbb\xbf", 3)) /* the mark that some editors put before UTF-8 */
		memset(text, ' ', 3);
	if (ferror(f))
		config_err(r, path, lines_before(text, text + n), "cannot read: %s; name a readable file with -c", strerror(errno));
	else if (!has_nul(r, path, text, n)) {
		fclose(f);
		return text;
	}
	fclose(f);
	free(text);
	return NULL;
}

/* Not what editors and package managers leave beside a file. */
static int is_ours(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return *e->d_name != '.' && n > 5 && !strcmp(e->d_name + n - 5, ".conf");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* alphasort() goes by the locale */
}

static void file_add(struct config_reader *r, const char *folder, const char *name)
{
	size_t size = strlen(folder) + strlen(name) + 2;
	char *path = config_alloc(r, size);

	if (!path)
		return;
	snprintf(path, size, "%s/%s", folder, name);
	r->file[r->nfiles++] = path;
}

bool config_files(struct config_reader *r)
{
	struct dirent **found = NULL;
	char folder[4096];
	int n;

	r->file[r->nfiles++] = r->path;
	snprintf(folder, sizeof(folder), "%s.d", r->path);
	n = scandir(folder, &found, is_ours, by_name);
	if (n < 0 && errno != ENOENT && errno != ENOTDIR)
		config_err(r, folder, 1, "cannot read: %s; make the folder readable, or remove it", file_why(errno));
	if (n >= CONF_FILES_MAX)
		config_err(r, folder, 1, "%d files; %d at most", n, CONF_FILES_MAX - 1);
	for (int i = 0; i < n; i++) {
		if (!r->errors)
			file_add(r, folder, found[i]->d_name);
		free(found[i]);
	}
	free(found);
	return !r->errors && !r->no_memory;
}
