/* The Linux riscv64 system calls that the library stands on: numbers, flags and structures. */
#ifndef LINUX_H
#define LINUX_H

#define NR_dup           23
#define NR_fcntl         25
#define NR_mknodat       33
#define NR_mkdirat       34
#define NR_unlinkat      35
#define NR_linkat        37
#define NR_ftruncate     46
#define NR_chdir         49
#define NR_chroot        51
#define NR_openat        56
#define NR_close         57
#define NR_pipe2         59
#define NR_getdents64    61
#define NR_lseek         62
#define NR_read          63
#define NR_write         64
#define NR_fstat         80
#define NR_exit_group    94
#define NR_nanosleep     101
#define NR_clock_gettime 113
#define NR_kill          129
#define NR_rt_sigaction  134
#define NR_umask         166
#define NR_getpid        172
#define NR_sysinfo       179
#define NR_munmap        215
#define NR_clone         220
#define NR_execve        221
#define NR_mmap          222
#define NR_madvise       233
#define NR_wait4         260
#define NR_prlimit64     261
#define NR_close_range   436
#define NR_getcwd        17
#define NR_pgaccess      0x2000

#define AT_FDCWD     -100
#define AT_REMOVEDIR 0x200

#define LINUX_O_CREAT     0x40
#define LINUX_O_EXCL      0x80
#define LINUX_O_TRUNC     0x200
#define LINUX_O_DIRECTORY 0x10000

#define F_DUPFD      0
#define F_SETPIPE_SZ 1031

#define PROT_RW         3
#define MAP_SHARED      0x01
#define MAP_PRIVATE     0x02
#define MAP_FIXED       0x10
#define MAP_ANONYMOUS   0x20
#define MAP_NORESERVE   0x4000
#define MAP_POPULATE    0x8000
#define MADV_NOHUGEPAGE 15

#define SIGKILL 9
#define SIGPIPE 13
#define SIGCHLD 17
#define SIGXFSZ 25

#define RLIMIT_FSIZE  1
#define RLIMIT_NOFILE 7

#define EINTR    4
#define EISDIR   21
#define ESRCH    3
#define EPERM    1
#define SEEK_SET 0
#define SEEK_CUR 1

#define S_IFMT  0170000
#define S_IFDIR 0040000
#define S_IFREG 0100000
#define S_IFCHR 0020000
#define S_IFBLK 0060000

struct linux_stat {
	uint64 dev, ino;
	uint mode, nlink, uid, gid;
	uint64 rdev, pad1;
	long size;
	int blksize, pad2;
	long blocks;
	long times[6];
	uint unused[2];
};

struct linux_dirent {
	uint64 ino;
	long off; /* of the entry after this one */
	ushort reclen;
	uchar type;
	char name[];
};

struct linux_time {
	long sec, nsec;
};

struct linux_rlimit {
	uint64 soft, hard;
};

struct linux_sysinfo {
	long uptime;
	uint64 loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	ushort procs, pad;
	uint64 totalhigh, freehigh;
	uint mem_unit;
};

/* One system call: its result, or -errno. */
static inline long linux_call(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
	register long r0 __asm__("a0") = a0;
	register long r1 __asm__("a1") = a1;
	register long r2 __asm__("a2") = a2;
	register long r3 __asm__("a3") = a3;
	register long r4 __asm__("a4") = a4;
	register long r5 __asm__("a5") = a5;
	register long r7 __asm__("a7") = nr;

	__asm__ volatile("ecall" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(r7) : "memory");
	return r0;
}

#define call0(nr)                   linux_call(nr, 0, 0, 0, 0, 0, 0)
#define call1(nr, a)                linux_call(nr, (long)(a), 0, 0, 0, 0, 0)
#define call2(nr, a, b)             linux_call(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define call3(nr, a, b, c)          linux_call(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define call4(nr, a, b, c, d)       linux_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define call5(nr, a, b, c, d, e)    linux_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define call6(nr, a, b, c, d, e, f) linux_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* The classic answer to a call: no errno, only -1. */
static inline int classic(long result)
{
	return result < 0 ? -1 : (int)result;
}

#endif
