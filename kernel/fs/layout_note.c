/* What a reader of RAM must know to name a mapped file: see lib/layout.h. */
#include "fs/file.h"
#include "fs/fs.h"
#include "fs/inode.h"
#include "fs/pagecache.h"
#include "lib/layout.h"
#include "lib/list.h"

LAYOUT_IS_FIELD(file, inode);
LAYOUT_IS_FIELD(file, path.mount);
LAYOUT_IS_FIELD(file, path.dentry);
LAYOUT_IS_FIELD(hlist_node, link);
LAYOUT_IS_FIELD(dentry, hash_link);
LAYOUT_IS_FIELD(dentry, parent);
LAYOUT_IS_FIELD(dentry, name);
LAYOUT_IS_FIELD(dentry, len);
LAYOUT_IS_FIELD(mount, root);
LAYOUT_IS_FIELD(mount, parent);
LAYOUT_IS_FIELD(mount, mountpoint);
LAYOUT_IS_FIELD(inode, ino);
LAYOUT_IS_FIELD(inode, sb);
LAYOUT_IS_FIELD(superblock, dev);
LAYOUT_IS_FIELD(pagecache, inode);
LAYOUT_IS_FIELD(pagecache, nr_pages);
