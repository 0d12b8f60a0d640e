/*
 * Terminal settings as Linux riscv64 lays them out (asm-generic/termbits.h), and the numbers in them.
 */
#pragma once

#include "lib/types.h"

#define NCCS 19

/* struct termios2 of the kernel ABI; TCGETS and TCSETS move it without the two speeds (TERMIOS_OLD_SIZE bytes). */
struct termios {
	u32 iflag, oflag, cflag, lflag;
	u8 line;
	u8 cc[NCCS];
	u32 ispeed, ospeed;
};
#define TERMIOS_OLD_SIZE 36u
static_assert(sizeof(struct termios) == 44, "struct termios2");

struct winsize {
	u16 rows, cols, xpixel, ypixel;
};

/* cc[] */
#define VINTR    0
#define VQUIT    1
#define VERASE   2
#define VKILL    3
#define VEOF     4
#define VTIME    5
#define VMIN     6
#define VSTART   8
#define VSTOP    9
#define VSUSP    10
#define VEOL     11
#define VREPRINT 12
#define VWERASE  14
#define VLNEXT   15
#define VEOL2    16

/* iflag */
#define PARMRK  010u
#define ISTRIP  040u
#define INLCR   0100u
#define IGNCR   0200u
#define ICRNL   0400u
#define IUCLC   01000u
#define IXON    02000u
#define IXANY   04000u
#define IMAXBEL 020000u
#define IUTF8   040000u

/* oflag */
#define OPOST  01u
#define OLCUC  02u
#define ONLCR  04u
#define OCRNL  010u
#define ONOCR  020u
#define ONLRET 040u
#define TABDLY 014000u
#define XTABS  014000u

/* cflag */
#define B38400  017u
#define B115200 010002u
#define CBAUD   010017u
#define CS8     060u
#define CREAD   0200u
#define HUPCL   02000u
#define CLOCAL  04000u

/* lflag */
#define ISIG    01u
#define ICANON  02u
#define ECHO    010u
#define ECHOE   020u
#define ECHOK   040u
#define ECHONL  0100u
#define NOFLSH  0200u
#define TOSTOP  0400u
#define ECHOCTL 01000u
#define ECHOKE  04000u
#define IEXTEN  0100000u
#define EXTPROC 0200000u
