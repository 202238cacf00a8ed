/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/cage_filter.h"

#define CAP_BIT(cap) (UINT64_C(1) << (cap))
#define CAP_HIGHEST  63 /* the kernel says where its own end is */

/*
 * What a warden has in force. START: what loading the kernel half takes besides; it then is in reach and not in force, and comes back with
 * the exec of a new version. ADMIN: for who shares its interfaces: libxdp finds programs by their ids.
 */
enum need { NEED_ALWAYS, NEED_START, NEED_ADMIN };

#define CAP_ROW(cap, need) { cap, need, #cap }
static const struct {
	int cap;
	enum need need;
	const char *name;
} warden_caps[] = {
	CAP_ROW(CAP_BPF, NEED_ALWAYS),
	CAP_ROW(CAP_NET_ADMIN, NEED_ALWAYS),
	CAP_ROW(CAP_NET_BIND_SERVICE, NEED_ALWAYS),
	CAP_ROW(CAP_SETUID, NEED_ALWAYS),
	CAP_ROW(CAP_SETGID, NEED_ALWAYS),
	CAP_ROW(CAP_PERFMON, NEED_START),
	CAP_ROW(CAP_SYS_ADMIN, NEED_ADMIN),
};
#undef CAP_ROW

/* --- descriptors ------------------------------------------------------------ */

static bool is_kept(unsigned fd, const int *keep, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (keep[i] >= 0 && (unsigned)keep[i] == fd)
			return true;
	return false;
}

static unsigned highest(const int *keep, size_t n)
{
	unsigned top = 2;

	for (size_t i = 0; i < n; i++)
		if (keep[i] > (int)top)
			top = (unsigned)keep[i];
	return top;
}

int cage_fds(const int *keep, size_t n)
{
	unsigned top = highest(keep, n);

	for (unsigned fd = 3; fd < top; fd++)
		if (!is_kept(fd, keep, n))
			close((int)fd);
	return close_range(top + 1, ~0u, 0) ? -errno : 0;
}

/* --- capabilities and identity ---------------------------------------------- */

/* In force, and in reach of this process and of what it executes. */
static int caps_set(uint64_t effective, uint64_t permitted)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)effective, .permitted = (uint32_t)permitted },
		{ .effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32) },
	};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) || syscall(SYS_capset, &head, data))
		return -errno;
	return 0;
}

/* True when the kernel says that exactly these are held and nothing can be inherited. */
static bool caps_are(uint64_t effective, uint64_t permitted)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return false;
	for (int i = 0; i < 2; i++)
		if (data[i].effective != (uint32_t)(effective >> 32 * i) || data[i].permitted != (uint32_t)(permitted >> 32 * i) || data[i].inheritable)
			return false;
	for (int cap = 0; cap <= CAP_HIGHEST; cap++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) > 0)
			return false;
	return true;
}

/* Needs CAP_SETPCAP for what is still in the bounding set. */
static int bounding_keep(uint64_t caps)
{
	for (int cap = 0; cap <= CAP_HIGHEST; cap++) {
		if (caps & CAP_BIT(cap) || prctl(PR_CAPBSET_READ, cap, 0, 0, 0) <= 0)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			return -errno;
	}
	return 0;
}

static int no_new_privs(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -EPERM;
}

static bool ids_are(uid_t uid, gid_t gid)
{
	uid_t u[3];
	gid_t g[3];

	return !getresuid(&u[0], &u[1], &u[2]) && !getresgid(&g[0], &g[1], &g[2]) && u[0] == uid && u[1] == uid && u[2] == uid &&
	       g[0] == gid && g[1] == gid && g[2] == gid && getgroups(0, NULL) == 0;
}

/* For good: no capability is left with which to come back, and none to be had by exec. */
static int become(uid_t uid, gid_t gid)
{
	int err;

	if (uid == 0 || gid == 0)
		return -EINVAL;
	/* The warden's own bounding set is small already and it no longer holds CAP_SETPCAP; no_new_privs makes the rest moot. */
	err = bounding_keep(0);
	if (err && err != -EPERM)
		return err;
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	err = caps_set(0, 0);
	if (!err)
		err = no_new_privs();
	if (err)
		return err;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	return ids_are(uid, gid) && caps_are(0, 0) && setuid(0) < 0 ? 0 : -EPERM;
}

/* --- landlock --------------------------------------------------------------- */

/* As of ABI 6; older kernels take a shorter one. Own copy: the distribution's header may be older than the kernel. */
struct ruleset {
	uint64_t fs, net, scoped;
};

#define LANDLOCK_VERSION_FLAG 1
#define FS_ABI1	    ((UINT64_C(1) << 13) - 1) /* execute ... make symlink */
#define FS_REFER    (UINT64_C(1) << 13)	      /* ABI 2 */
#define FS_TRUNCATE (UINT64_C(1) << 14)	      /* ABI 3 */
#define FS_IOCTL    (UINT64_C(1) << 15)	      /* ABI 5 */
#define SCOPE_ALL   UINT64_C(3)		      /* ABI 6: abstract unix sockets, signals */

/* What a folder of data needs: files are written, read, made and removed. */
#define FS_DATA (UINT64_C(1) << 1 | UINT64_C(1) << 2 | UINT64_C(1) << 3 | UINT64_C(1) << 5 | UINT64_C(1) << 8 | FS_TRUNCATE)

struct beneath { /* as the kernel has it: packed */
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

/* A folder that is not there is nothing to be reached. */
static int allow_dir(int ruleset, const char *dir, uint64_t handled)
{
	struct beneath b = { .allowed = FS_DATA & handled, .fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) };
	int err = 0;

	if (b.fd < 0)
		return 0;
	if (syscall(SYS_landlock_add_rule, ruleset, 1 /* beneath a path */, &b, 0))
		err = -errno;
	close(b.fd);
	return err;
}

/* Every right handled, and none granted but in dir, which may be NULL: nothing else can be opened, renamed or run. */
static int landlock_but(const char *dir)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);
	struct ruleset r = { .fs = FS_ABI1 };
	size_t size = abi >= 6 ? sizeof(r) : sizeof(r.fs);
	int fd, err = 0;

	if (abi < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? -ENOSYS : -errno;
	r.fs |= (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL : 0);
	r.scoped = abi >= 6 ? SCOPE_ALL : 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
	if (fd < 0)
		return -errno;
	if (dir)
		err = allow_dir(fd, dir, r.fs);
	if (!err && syscall(SYS_landlock_restrict_self, fd, 0))
		err = -errno;
	close(fd);
	if (err)
		return err;
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	close(fd);
	return -EPERM;
}

/* --- the cages -------------------------------------------------------- */

/* A filter that lets this through is not in force. */
static int socket_refused(int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno == EPERM ? 0 : -errno;
	close(fd);
	return -EPERM;
}

static int worker(uid_t uid, gid_t gid, bool datagrams)
{
	int err = become(uid, gid);

	if (!err)
		err = landlock_but(NULL);
	if (err && err != -ENOSYS)
		return err;
	err = cage_filter_worker(datagrams);
	return err ? err : socket_refused(AF_UNIX);
}

int cage_worker(uid_t uid, gid_t gid)
{
	return worker(uid, gid, false);
}

int cage_worker_names(uid_t uid, gid_t gid)
{
	return worker(uid, gid, true);
}

int cage_judge(uid_t uid, gid_t gid)
{
	int err = become(uid, gid);

	if (!err)
		err = cage_filter_judge();
	return err ? err : socket_refused(AF_INET);
}

int cage_store(uid_t uid, gid_t gid, const char *dir)
{
	int err = become(uid, gid);

	if (!err)
		err = landlock_but(dir);
	if (err && err != -ENOSYS)
		return err;
	err = cage_filter_store();
	return err ? err : socket_refused(AF_INET);
}

/* Whoever it is already, it stays; what it was started with beyond that goes. */
static int stay(void)
{
	int err = caps_set(0, 0);

	if (!err)
		err = no_new_privs();
	if (!err && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		err = -errno;
	return err ? err : geteuid() && caps_are(0, 0) && setuid(0) < 0 ? 0 : -EPERM;
}

int cage_exporter(uid_t uid, gid_t gid)
{
	int err = geteuid() ? stay() : become(uid, gid);

	if (!err)
		err = landlock_but(NULL);
	if (err && err != -ENOSYS)
		return err;
	err = cage_filter_exporter();
	return err ? err : socket_refused(AF_INET);
}

/* --- the warden ----------------------------------------------------------- */

static uint64_t caps_of(enum need need)
{
	uint64_t caps = 0;

	for (size_t i = 0; i < sizeof(warden_caps) / sizeof(*warden_caps); i++)
		if (warden_caps[i].need == need)
			caps |= CAP_BIT(warden_caps[i].cap);
	return caps;
}

const char *cage_warden_lacks(bool admin)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	uint64_t has;

	syscall(SYS_capget, &head, data); /* fails for no reason that leaves any */
	has = data[0].permitted | (uint64_t)data[1].permitted << 32;
	for (size_t i = 0; i < sizeof(warden_caps) / sizeof(*warden_caps); i++)
		if ((admin || warden_caps[i].need != NEED_ADMIN) && !(has & CAP_BIT(warden_caps[i].cap)))
			return warden_caps[i].name;
	return NULL;
}

int cage_warden_passes_on(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	for (int i = 0; i < 2; i++)
		data[i].inheritable = data[i].permitted;
	if (syscall(SYS_capset, &head, data))
		return -errno;
	for (int cap = 0; cap <= CAP_HIGHEST; cap++)
		if (data[cap / 32].permitted >> cap % 32 & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0))
			return -errno;
	return 0;
}

int cage_warden(bool admin)
{
	const uint64_t caps = caps_of(NEED_ALWAYS) | (admin ? caps_of(NEED_ADMIN) : 0), reach = caps | caps_of(NEED_START);
	int err = bounding_keep(reach);

	if (!err)
		err = caps_set(caps, reach);
	if (!err)
		err = no_new_privs();
	if (err)
		return err;
	for (int cap = 0; cap <= CAP_HIGHEST; cap++)
		if (!(reach & CAP_BIT(cap)) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) > 0)
			return -EPERM;
	return caps_are(caps, reach) ? 0 : -EPERM;
}
