/*
 * The classic user interface on Vitrine: what user/xv6/lib offers to programs. Calls return -1 for
 * every failure; there is no errno. docs/xv6.md tells where the meaning differs from Linux's.
 */
#ifndef XV6_USER_H
#define XV6_USER_H

#define SBRK_ERROR ((char *)-1)

struct stat;

/* ---- system calls ---- */

int fork(void);
int exit(int) __attribute__((noreturn));
int wait(int *);
int pipe(int *);
int write(int, const void *, int);
int read(int, void *, int);
int close(int);
int kill(int);
int exec(const char *, char **);
int open(const char *, int);
int mknod(const char *, short, short);
int unlink(const char *);
int fstat(int, struct stat *);
int link(const char *, const char *);
int mkdir(const char *);
int chdir(const char *);
int dup(int);
int getpid(void);
char *sys_sbrk(int, int);
int pause(int); /* ticks of 0.1 s */
int sleep(int); /* the same under its older name */
int uptime(void);

/* ---- the page-table work ---- */

int ugetpid(void);
int pgaccess(void *, int, void *);
uint64 pgpte(void *); /* the leaf that maps an address, 0: none */
void kpgtbl(void);    /* prints this process's page table */

/* ---- library ---- */

int stat(const char *, struct stat *);
char *strcpy(char *, const char *);
void *memmove(void *, const void *, int);
char *strchr(const char *, char c);
int strcmp(const char *, const char *);
char *gets(char *, int max);
uint strlen(const char *);
void *memset(void *, int, uint);
int atoi(const char *);
int memcmp(const void *, const void *, uint);
void *memcpy(void *, const void *, uint);
char *sbrk(int);
char *sbrklazy(int);
void *malloc(uint);
void free(void *);

/* Conversions: %d %u %x %ld %lu %lx %lld %llu %llx %l %p %s %c %% */
void fprintf(int, const char *, ...);
void printf(const char *, ...);

#endif
