/* Device numbers, for those programs that make the console's node. */
#ifndef XV6_FILE_H
#define XV6_FILE_H

#define major(dev)  ((dev) >> 16 & 0xFFFF)
#define minor(dev)  ((dev)&0xFFFF)
#define mkdev(m, n) ((uint)((m) << 16 | (n)))

#define CONSOLE 1

#endif
