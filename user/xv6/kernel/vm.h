/* How sys_sbrk() gives memory: at once, or page by page as it is touched. */
#ifndef XV6_VM_H
#define XV6_VM_H

#define SBRK_EAGER 1
#define SBRK_LAZY  2

#endif
