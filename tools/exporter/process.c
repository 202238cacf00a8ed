/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/exporter/process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

void process_begin(struct process *p)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	p->start_ms = (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	p->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

static void print_head(FILE *f, const char *family, const char *type, const char *help)
{
	fprintf(f, "# TYPE process_%s %s\n# HELP process_%s %s.\n", family, type, family, help);
}

static void print_cpu(FILE *f, bool open)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u))
		return;
	timeradd(&u.ru_utime, &u.ru_stime, &u.ru_utime);
	print_head(f, open ? "cpu_seconds" : "cpu_seconds_total", "counter", "Processor time that the exporter has used, in seconds");
	fprintf(f, "process_cpu_seconds_total %lld.%06ld\n", (long long)u.ru_utime.tv_sec, (long)u.ru_utime.tv_usec);
}

/* Pages: of address space, and of memory. */
static void print_memory(FILE *f, int statm)
{
	unsigned long long all, resident, page = (unsigned long long)sysconf(_SC_PAGESIZE);
	char text[128];
	ssize_t n = statm < 0 || lseek(statm, 0, SEEK_SET) ? -1 : read(statm, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	if (sscanf(text, "%llu %llu", &all, &resident) != 2)
		return;
	print_head(f, "virtual_memory_bytes", "gauge", "Address space of the exporter");
	fprintf(f, "process_virtual_memory_bytes %llu\n", all * page);
	print_head(f, "resident_memory_bytes", "gauge", "Memory that the exporter is in");
	fprintf(f, "process_resident_memory_bytes %llu\n", resident * page);
}

/* The limit is low (lock_up() in exporter.c), so each number is tried. */
static void print_files(FILE *f)
{
	struct rlimit limit;
	unsigned n = 0;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	for (rlim_t fd = 0; fd < limit.rlim_cur; fd++)
		n += fcntl((int)fd, F_GETFD) >= 0;
	print_head(f, "open_fds", "gauge", "Descriptors that the exporter has open");
	fprintf(f, "process_open_fds %u\n", n);
	print_head(f, "max_fds", "gauge", "Descriptors that it may have open");
	fprintf(f, "process_max_fds %llu\n", (unsigned long long)limit.rlim_cur);
}

void process_print(FILE *f, const struct process *p, bool open)
{
	print_head(f, "start_time_seconds", "gauge", "When the exporter was started, in seconds since 1970");
	fprintf(f, "process_start_time_seconds %lld.%03lld\n", p->start_ms / 1000, p->start_ms % 1000);
	print_cpu(f, open);
	print_memory(f, p->statm);
	print_files(f);
}
