/*
 * Structures that cross the system-call boundary, as Linux lays them out for
 * riscv64 (the asm-generic ABI). Sizes are asserted: they are the contract.
 */
#pragma once

#include "lib/types.h"

#define AT_FDCWD            (-100)
#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_REMOVEDIR        0x200u
#define AT_EACCESS          0x200u
#define AT_SYMLINK_FOLLOW   0x400u
#define AT_EMPTY_PATH       0x1000u

struct abi_timespec {
	s64 sec;
	s64 nsec;
};

struct abi_timeval {
	s64 sec;
	s64 usec;
};

struct abi_itimerspec {
	struct abi_timespec interval;
	struct abi_timespec value;
};

struct abi_itimerval {
	struct abi_timeval interval;
	struct abi_timeval value;
};

struct abi_stat {
	u64 dev;
	u64 ino;
	u32 mode;
	u32 nlink;
	u32 uid;
	u32 gid;
	u64 rdev;
	u64 pad1;
	s64 size;
	s32 blksize;
	s32 pad2;
	s64 blocks;
	struct abi_timespec atime;
	struct abi_timespec mtime;
	struct abi_timespec ctime;
	u32 unused[2];
};
static_assert(sizeof(struct abi_stat) == 128, "struct stat");

struct abi_statx_time {
	s64 sec;
	u32 nsec;
	s32 pad;
};

struct abi_statx {
	u32 mask;
	u32 blksize;
	u64 attributes;
	u32 nlink;
	u32 uid;
	u32 gid;
	u16 mode;
	u16 pad1;
	u64 ino;
	u64 size;
	u64 blocks;
	u64 attributes_mask;
	struct abi_statx_time atime, btime, ctime, mtime;
	u32 rdev_major, rdev_minor;
	u32 dev_major, dev_minor;
	u64 mnt_id;
	u64 spare[13];
};
static_assert(sizeof(struct abi_statx) == 256, "struct statx");
#define STATX_BASIC_STATS 0x7ffu

struct abi_statfs {
	u64 type, bsize, blocks, bfree, bavail, files, ffree;
	u32 fsid[2];
	u64 namelen, frsize, flags, spare[4];
};
static_assert(sizeof(struct abi_statfs) == 120, "struct statfs");

struct abi_dirent {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
} __attribute__((packed));
#define DIRENT_NAME_OFFSET 19u

struct abi_rusage {
	struct abi_timeval utime, stime;
	s64 maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals, nvcsw,
		nivcsw;
};
static_assert(sizeof(struct abi_rusage) == 144, "struct rusage");

struct abi_utsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

struct abi_sysinfo {
	s64 uptime;
	u64 loads[3];
	u64 totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs;
	u16 pad;
	u32 pad2;
	u64 totalhigh, freehigh;
	u32 mem_unit;
	u32 pad3;
};
static_assert(sizeof(struct abi_sysinfo) == 112, "struct sysinfo");

struct abi_tms {
	s64 utime, stime, cutime, cstime;
};

struct abi_clone_args {
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

struct abi_sigevent {
	u64 value;
	s32 signo;
	s32 notify;
	s32 tid;
	s32 pad[11];
};
static_assert(sizeof(struct abi_sigevent) == 64, "struct sigevent");

struct abi_open_how {
	u64 flags, mode, resolve;
};
