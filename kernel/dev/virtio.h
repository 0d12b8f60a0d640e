/*
 * Virtio devices behind memory-mapped registers, and their split virtqueues
 * (Virtual I/O Device specification 1.2, sections 2.7 and 4.2). Only version 2
 * ("modern") devices; VIRTIO_F_VERSION_1 is always acknowledged.
 *
 * A queue is its driver's: the driver serialises all calls on one queue by its own lock.
 */
#pragma once

#include "lib/types.h"

#define VIRTIO_ID_BLOCK   2
#define VIRTIO_ID_ENTROPY 4

#define VIRTIO_F_VERSION_1 BIT(32)

#define VIRTQ_SIZE 128 /* at most; descriptors, avail and used ring fit one page */

struct virtio_device {
	volatile void *regs;
	u32 id;       /* VIRTIO_ID_* */
	u32 source;   /* interrupt */
	u64 features; /* agreed */
};

struct virtq_piece {
	paddr_t pa;
	u32 len;
	enum virtq_dir { VIRTQ_TO_DEVICE, VIRTQ_FROM_DEVICE } dir;
};

struct virtq {
	struct virtio_device *dev;
	u32 index, size;
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	u16 free_head, nr_free;
	u16 next_used;
	void *cookie[VIRTQ_SIZE]; /* by head descriptor */
};

/* 0 and *dev filled when a usable device is in this slot; -ENODEV: empty slot; -ENOTSUP: legacy. */
int virtio_probe(struct virtio_device *dev, paddr_t pa, u64 len, u32 source);
/* Resets it and agrees on `wanted` as far as it offers them. -EIO when it refuses. */
int virtio_negotiate(struct virtio_device *dev, u64 wanted);
int virtq_init(struct virtq *q, struct virtio_device *dev, u32 index); /* -ENOMEM, -ENODEV */
void virtio_start(struct virtio_device *dev);                          /* DRIVER_OK */
void virtio_fail(struct virtio_device *dev);
u32 virtio_config32(struct virtio_device *dev, u32 offset);
u64 virtio_config64(struct virtio_device *dev, u32 offset);
/* Reads and acknowledges the interrupt's cause. */
void virtio_ack(struct virtio_device *dev);

/* Hands a chain to the device (seen at the next virtq_kick). -ENOSPC when descriptors are short. */
int virtq_add(struct virtq *q, const struct virtq_piece *pieces, u32 nr, void *cookie);
void virtq_kick(struct virtq *q);
/* The next finished chain's cookie, or NULL; *len: bytes the device wrote. */
void *virtq_next_done(struct virtq *q, u32 *len);
