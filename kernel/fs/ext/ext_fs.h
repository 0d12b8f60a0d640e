/* The ext file systems, as fs_init starts them. */
#pragma once

/* Registers the types ext2, ext3 and ext4: one driver, which goes by the features on disk. After the inode cache. */
void ext_init(void);
