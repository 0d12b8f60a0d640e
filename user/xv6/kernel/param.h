/* The classic kernel's fixed sizes. Those that a program can notice are kept by user/xv6/lib; see docs/xv6.md. */
#ifndef XV6_PARAM_H
#define XV6_PARAM_H

#define NPROC       64 /* processes at a time, in one session */
#define NCPU        8
#define NOFILE      16 /* open files of a process */
#define NFILE       100
#define NINODE      50
#define NDEV        10
#define ROOTDEV     1
#define MAXARG      32 /* arguments of exec, the closing null included */
#define MAXOPBLOCKS 10
#define LOGSIZE     (MAXOPBLOCKS * 3)
#define LOGBLOCKS   (MAXOPBLOCKS * 3)
#define NBUF        (MAXOPBLOCKS * 3)
#define FSSIZE      2000
#define MAXPATH     128 /* bytes of a path, the closing 0 included */
#ifndef USERSTACK
#define USERSTACK 1 /* pages; ./vitrine xv6 --stack N changes it */
#endif

#endif
