/*
 * The programs of the guided walks (view/walks, ./vitrine walk): each does one thing at a time, says what the reader on the host
 * needs to know, and stands still until Enter.
 */
#ifndef WALK_H
#define WALK_H

#include <stddef.h>

#define PAGE      4096UL
#define HUGE_PAGE (2UL << 20)

/* Prints "NAME: ..." as one line, and returns when Enter was pressed; at the end of the input the program ends. */
void stand_still(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Ends the program with what went wrong, and errno. */
void give_up(const char *what) __attribute__((noreturn));

/* Private anonymous memory in pages of 4 KiB. */
char *map_small(size_t len);

int walk_cow(void);
int walk_isolation(void);
int walk_lazy(void);
int walk_mmap(void);
int walk_pgaccess(void);
int walk_stack(void);
int walk_superpage(void);
int walk_swap(void);
int walk_swap_shared(void);
int walk_usyscall(void);
int walk_vmprint(void);

#endif
