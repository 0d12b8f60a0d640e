/*
 * Sizes and records of the classic file system. On Vitrine the files lie on ext4; of this, programs see
 * the length limit MAXFILE and what reading a directory gives.
 */
#ifndef XV6_FS_H
#define XV6_FS_H

#define ROOTINO   1
#define BSIZE     1024
#define FSMAGIC   0x10203040
#define NDIRECT   12
#define NINDIRECT (BSIZE / sizeof(uint))
#define MAXFILE   (NDIRECT + NINDIRECT) /* blocks of the longest file */

struct superblock {
	uint magic;
	uint size;
	uint nblocks;
	uint ninodes;
	uint nlog;
	uint logstart;
	uint inodestart;
	uint bmapstart;
};

struct dinode {
	short type;
	short major;
	short minor;
	short nlink;
	uint size;
	uint addrs[NDIRECT + 1];
};

#define IPB           (BSIZE / sizeof(struct dinode))
#define IBLOCK(i, sb) ((i) / IPB + (sb).inodestart)
#define BPB           (BSIZE * 8)
#define BBLOCK(b, sb) ((b) / BPB + (sb).bmapstart)

#define DIRSIZ 14

/* A directory is read as an array of these. inum 0: a free place. */
struct dirent {
	ushort inum;
	char name[DIRSIZ]; /* ends with 0 only when it is shorter */
};

#endif
