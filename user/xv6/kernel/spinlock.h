/* Programs include this before kernel/file.h, and use nothing of it: locks are the kernel's affair. */
#ifndef XV6_SPINLOCK_H
#define XV6_SPINLOCK_H
#endif
