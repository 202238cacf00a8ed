/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

/* --- rows ---------------------------------------------------------------------------- */

static struct probe *row(struct probe *p, const char *name, const char *how, const char *found, enum probe_state s, const char *advice)
{
	*p = (struct probe){ .name = name, .how = how, .state = s };
	snprintf(p->found, sizeof(p->found), "%s", found);
	snprintf(p->advice, sizeof(p->advice), "%s", s == PROBE_OK ? "" : advice);
	return p;
}

const char *probe_state_name(enum probe_state s)
{
	static const char *const names[] = { [PROBE_OK] = "ok", [PROBE_BETTER] = "could be better", [PROBE_MISSING] = "missing",
					     [PROBE_UNKNOWN] = "unknown" };

	return names[s];
}

/* What libbpf found: 1 yes, 0 no, else -errno. */
static void probed(struct probe *p, const char *name, const char *how, int rc, enum probe_state without, const char *advice)
{
	if (rc < 0)
		row(p, name, how, strerror(-rc), PROBE_UNKNOWN, "ask as root");
	else
		row(p, name, how, rc ? "yes" : "no", rc ? PROBE_OK : without, advice);
}

/* --- BPF ---------------------------------------------------------------------------------- */

#define NEWER "needs a newer kernel: 5.18 or later has all of it"

#define PROBE_MAPS(X) X(ARRAY, "array maps") X(PERCPU_ARRAY, "per-CPU array maps") X(HASH, "hash maps") X(LPM_TRIE, "LPM trie maps")
#define PROBE_HELPERS(X) \
	X(ktime_get_coarse_ns, "coarse clock") X(xdp_adjust_tail, "packets cut and grown") X(xdp_adjust_head, "packet head moved") \
	X(csum_diff, "checksums") X(xdp_get_buff_len, "multi-buffer packets") X(xdp_load_bytes, "bytes behind the first buffer")

/* libbpf's probes take a refusal for a missing feature, so whether we may ask at all is asked first. */
static int may_ask(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, NULL, 4, 4, 1, NULL);

	if (fd >= 0)
		close(fd);
	return fd == -EPERM ? -EPERM : 0;
}

static size_t bpf_rows(struct probe *out)
{
	int no = may_ask();
	size_t n = 0;

	probed(&out[n++], "XDP programs", "loading one", no ? no : libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL), PROBE_MISSING, NEWER);
#define PROBE_X(type, name) \
	probed(&out[n++], name, "making one", no ? no : libbpf_probe_bpf_map_type(BPF_MAP_TYPE_##type, NULL), PROBE_MISSING, NEWER);
	PROBE_MAPS(PROBE_X)
#undef PROBE_X
#define PROBE_X(helper, name) \
	probed(&out[n++], name, "bpf_" #helper "()", no ? no : libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_##helper, NULL), PROBE_MISSING, NEWER);
	PROBE_HELPERS(PROBE_X)
#undef PROBE_X
	return n;
}

/* 0 or an errno: attaches a program that passes everything to lo of a network namespace that ends with this process. */
static int try_link(void)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_SKB_MODE);
	int prog;

	if (unshare(CLONE_NEWNET))
		return errno;
	prog = bpf_prog_load(BPF_PROG_TYPE_XDP, "probe", "GPL", pass, sizeof(pass) / sizeof(*pass), NULL);
	if (prog < 0)
		return errno;
	return bpf_link_create(prog, (int)if_nametoindex("lo"), BPF_XDP, &opts) < 0 ? errno : 0;
}

static void xdp_link(struct probe *p)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(try_link() & 0xff);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		status = EAGAIN << 8;
	status = WEXITSTATUS(status);
	probed(p, "bpf_link for XDP", "attaching to lo of a namespace", !status ? 1 : status == EPERM || status == EAGAIN ? -status : 0, PROBE_MISSING, NEWER);
}

/* --- the system's settings ------------------------------------------------------------------------ */

/* A number of /proc/sys; -1 = not there, or not for us to read. */
static long sysctl(const char *path)
{
	FILE *f = fopen(path, "re");
	long v = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &v) != 1)
		v = -1;
	fclose(f);
	return v;
}

static void sysctl_row(struct probe *p, const char *name, const char *key, const char *path, long bad, const char *advice)
{
	long v = sysctl(path);
	char found[32];

	snprintf(found, sizeof(found), v < 0 ? "not there" : "%ld", v);
	row(p, name, key, found, v < 0 ? PROBE_UNKNOWN : v == bad ? PROBE_BETTER : PROBE_OK, v < 0 ? "" : advice);
}

/* A line of the kernel's configuration: "y", "m", "n" (not set), or "" when there is no configuration. */
static void kernel_config(const char *release, const char *key, char value[8], const char **how)
{
	char path[256], line[256];
	size_t n = strlen(key);
	gzFile f = gzopen("/proc/config.gz", "re");

	*how = "/proc/config.gz";
	value[0] = 0;
	if (!f) {
		snprintf(path, sizeof(path), "/boot/config-%s", release);
		f = gzopen(path, "re"); /* plain text is read as it is */
		*how = "/boot/config-*";
	}
	if (!f)
		return;
	strcpy(value, "n");
	while (gzgets(f, line, sizeof(line)))
		if (!strncmp(line, key, n) && line[n] == '=')
			snprintf(value, 8, "%.*s", (int)strcspn(line + n + 1, "\n"), line + n + 1);
	gzclose_r(f);
}

static void config_row(struct probe *p, const char *release, const char *name, const char *key, enum probe_state without, const char *advice)
{
	const char *how;
	char value[8];

	kernel_config(release, key, value, &how);
	if (!*value)
		row(p, name, how, "no configuration to read", PROBE_UNKNOWN, "");
	else
		row(p, name, how, value, *value == 'n' ? without : PROBE_OK, advice);
}

static void kernel_row(struct probe *p, const char *release)
{
	unsigned major = 0, minor = 0;

	sscanf(release, "%u.%u", &major, &minor);
	row(p, "kernel", "uname", release, major > 5 || (major == 5 && minor >= 18) ? PROBE_OK : PROBE_MISSING, NEWER);
}

static void bpffs_row(struct probe *p)
{
	struct statfs fs;
	bool is = !statfs("/sys/fs/bpf", &fs) && fs.f_type == BPF_FS_MAGIC;

	row(p, "bpf file system", "statfs", is ? "/sys/fs/bpf" : "not on /sys/fs/bpf", is ? PROBE_OK : PROBE_BETTER,
	    "mount -t bpf bpf /sys/fs/bpf, or set pin_dir to a folder on another one");
}

static void btf_row(struct probe *p)
{
	bool is = !access("/sys/kernel/btf/vmlinux", R_OK);

	row(p, "BTF", "/sys/kernel/btf/vmlinux", is ? "yes" : "no", is ? PROBE_OK : PROBE_BETTER, "the gate works without; tools show less of it");
}

size_t probe_system(struct probe out[PROBES_MAX])
{
	struct utsname u = { .release = "?" };
	size_t n = 0;

	uname(&u);
	libbpf_set_print(NULL); /* what fails is a finding here */
	kernel_row(&out[n++], u.release);
	btf_row(&out[n++]);
	bpffs_row(&out[n++]);
	n += bpf_rows(&out[n]);
	xdp_link(&out[n++]);
	sysctl_row(&out[n++], "JIT", "net.core.bpf_jit_enable", "/proc/sys/net/core/bpf_jit_enable", 0,
		   "sysctl net.core.bpf_jit_enable=1, or every packet is interpreted");
	sysctl_row(&out[n++], "unprivileged BPF", "kernel.unprivileged_bpf_disabled", "/proc/sys/kernel/unprivileged_bpf_disabled", 0,
		   "everybody may load programs: sysctl kernel.unprivileged_bpf_disabled=2");
	config_row(&out[n++], u.release, "SYN cookies", "CONFIG_SYN_COOKIES", PROBE_BETTER,
		   "a kernel with CONFIG_SYN_COOKIES=y keeps answering when the queue of half-open connections is full");
	sysctl_row(&out[n++], "SYN cookies in use", "net.ipv4.tcp_syncookies", "/proc/sys/net/ipv4/tcp_syncookies", 0, "sysctl net.ipv4.tcp_syncookies=1");
	return n;
}
