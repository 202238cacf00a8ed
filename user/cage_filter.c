/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/cage_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define NROWS(t) (sizeof(t) / sizeof((t)[0]))

/* What libevent, OpenSSL, malloc, stdio and our own code need once everything is open. */
static const int worker_calls[] = {
	/* bytes */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg), SCMP_SYS(close), SCMP_SYS(shutdown), SCMP_SYS(lseek), SCMP_SYS(fstat),
	/* sockets */
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt), SCMP_SYS(fcntl),
	/* the loop */
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
	SCMP_SYS(eventfd2), SCMP_SYS(pipe2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(poll), SCMP_SYS(ppoll),
	/* time, chance, self */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(prlimit64), SCMP_SYS(getrlimit), SCMP_SYS(setrlimit), SCMP_SYS(sysinfo), SCMP_SYS(getrusage),
	SCMP_SYS(sched_yield), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
	/* memory and signals */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
};

/* What none of ours ever does: whoever tries is not us any more. */
static const int deadly[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(unshare), SCMP_SYS(setns),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(add_key),
	SCMP_SYS(request_key), SCMP_SYS(keyctl), SCMP_SYS(personality), SCMP_SYS(open_by_handle_at), SCMP_SYS(io_uring_setup),
};

/* The judge makes no process either, but a library that asks is told no and lives. */
static const int judge_refused[] = {
	SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(setuid), SCMP_SYS(setgid),
	SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(capset), SCMP_SYS(mknod), SCMP_SYS(mknodat),
};

/* What the judge may do with the map descriptors that it holds. */
static const unsigned judge_bpf[] = {
	BPF_MAP_LOOKUP_ELEM,	 BPF_MAP_UPDATE_ELEM,	   BPF_MAP_DELETE_ELEM,		    BPF_MAP_GET_NEXT_KEY,
	BPF_OBJ_GET_INFO_BY_FD,	 BPF_MAP_LOOKUP_BATCH,	   BPF_MAP_LOOKUP_AND_DELETE_BATCH, BPF_MAP_UPDATE_BATCH,
	BPF_MAP_DELETE_BATCH,	 BPF_MAP_LOOKUP_AND_DELETE_ELEM,
};

/* What LMDB and setting files aside need besides a worker's calls. Which files is landlock's business. */
static const int store_calls[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(flock), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(stat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(uname), SCMP_SYS(msync),
	SCMP_SYS(mlock), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(get_robust_list),
};

static const unsigned store_bpf[] = { BPF_MAP_LOOKUP_ELEM, BPF_MAP_LOOKUP_BATCH, BPF_OBJ_GET_INFO_BY_FD };

#define BPF_COMMANDS 64 /* more than any kernel has; those above are refused as one */

static int add_all(scmp_filter_ctx f, uint32_t action, const int *call, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = seccomp_rule_add(f, action, call[i], 0);
	return err;
}

/* Calls that are harmless with some arguments only. */
static int worker_sockets(scmp_filter_ctx f, bool datagrams)
{
	static const int family[] = { AF_INET, AF_INET6 };
	const uint64_t type = ~(uint64_t)(SOCK_NONBLOCK | SOCK_CLOEXEC);
	int err = 0;

	for (size_t i = 0; i < NROWS(family) && !err; i++) {
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, family[i]),
				       SCMP_A1(SCMP_CMP_MASKED_EQ, type, SOCK_STREAM));
		if (!err && datagrams)
			err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, family[i]),
					       SCMP_A1(SCMP_CMP_MASKED_EQ, type, SOCK_DGRAM));
	}
	return err ? err : seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
}

static int quiet_arguments(scmp_filter_ctx f)
{
	int err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD));
	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* glibc's fstat() */
	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	/* abort() signals itself */
	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	return err;
}

/* What workers and exporter have alike: what is not named here does not exist. */
static int allow_quiet_calls(scmp_filter_ctx f)
{
	int err = add_all(f, SCMP_ACT_ALLOW, worker_calls, NROWS(worker_calls));

	if (!err)
		err = add_all(f, SCMP_ACT_KILL_PROCESS, deadly, NROWS(deadly));
	return err ? err : quiet_arguments(f);
}

int cage_filter_worker(bool datagrams)
{
	/* ENOSYS and not EPERM: libraries that probe for a newer call then fall back. */
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int err = f ? allow_quiet_calls(f) : -ENOMEM;

	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(bpf), 0);
	if (!err)
		err = worker_sockets(f, datagrams);
	if (!err)
		err = seccomp_load(f);
	seccomp_release(f);
	return err;
}

int cage_filter_exporter(void)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int err = f ? allow_quiet_calls(f) : -ENOMEM;

	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1, SCMP_A0_32(SCMP_CMP_EQ, BPF_MAP_LOOKUP_ELEM));
	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 0);
	if (!err)
		err = seccomp_load(f);
	seccomp_release(f);
	return err;
}

/* LMDB copies with a second thread; no process. */
static int store_arguments(scmp_filter_ctx f)
{
	int err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	for (size_t i = 0; i < NROWS(store_bpf) && !err; i++)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1, SCMP_A0_32(SCMP_CMP_EQ, store_bpf[i]));
	return err ? err : seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 0);
}

int cage_filter_store(void)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int err = f ? allow_quiet_calls(f) : -ENOMEM;

	if (!err)
		err = add_all(f, SCMP_ACT_ALLOW, store_calls, NROWS(store_calls));
	if (!err)
		err = store_arguments(f);
	if (!err)
		err = seccomp_load(f);
	seccomp_release(f);
	return err;
}

static bool judge_may_bpf(unsigned command)
{
	for (size_t i = 0; i < NROWS(judge_bpf); i++)
		if (judge_bpf[i] == command)
			return true;
	return false;
}

static int judge_arguments(scmp_filter_ctx f)
{
	int err = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX));

	for (unsigned command = 0; command < BPF_COMMANDS && !err; command++)
		if (!judge_may_bpf(command))
			err = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(bpf), 1, SCMP_A0_32(SCMP_CMP_EQ, command));
	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(bpf), 1, SCMP_A0_32(SCMP_CMP_GE, BPF_COMMANDS));
	return err;
}

int cage_filter_judge(void)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int err = f ? 0 : -ENOMEM;

	if (!err)
		err = add_all(f, SCMP_ACT_KILL_PROCESS, deadly, NROWS(deadly));
	if (!err)
		err = add_all(f, SCMP_ACT_ERRNO(EPERM), judge_refused, NROWS(judge_refused));
	if (!err)
		err = judge_arguments(f);
	if (!err)
		err = seccomp_load(f);
	seccomp_release(f);
	return err;
}
