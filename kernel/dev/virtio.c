/* Virtio over MMIO; see virtio.h. Offsets and bits: specification 1.2, table 4.1 and section 2.1. */
#include "dev/virtio.h"

#include "arch/riscv/arch.h"
#include "dev/io.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "mm/frame.h"

#define REG_MAGIC               0x000
#define REG_VERSION             0x004
#define REG_DEVICE_ID           0x008
#define REG_DEVICE_FEATURES     0x010
#define REG_DEVICE_FEATURES_SEL 0x014
#define REG_DRIVER_FEATURES     0x020
#define REG_DRIVER_FEATURES_SEL 0x024
#define REG_QUEUE_SEL           0x030
#define REG_QUEUE_NUM_MAX       0x034
#define REG_QUEUE_NUM           0x038
#define REG_QUEUE_READY         0x044
#define REG_QUEUE_NOTIFY        0x050
#define REG_INTERRUPT_STATUS    0x060
#define REG_INTERRUPT_ACK       0x064
#define REG_STATUS              0x070
#define REG_QUEUE_DESC          0x080
#define REG_QUEUE_DRIVER        0x090
#define REG_QUEUE_DEVICE        0x0a0
#define REG_CONFIG_GENERATION   0x0fc
#define REG_CONFIG              0x100

#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER      2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u
#define STATUS_FAILED      128u

#define DESC_NEXT  1u
#define DESC_WRITE 2u

#define VIRTIO_MAGIC 0x74726976u /* "virt" */

struct virtq_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

struct virtq_avail {
	u16 flags;
	u16 idx;
	u16 ring[VIRTQ_SIZE];
	u16 used_event;
};

struct virtq_used {
	u16 flags;
	u16 idx;
	struct {
		u32 id;
		u32 len;
	} ring[VIRTQ_SIZE];
	u16 avail_event;
};

/* Places of the three parts in the queue's page. */
#define AVAIL_OFFSET (VIRTQ_SIZE * sizeof(struct virtq_desc))
#define USED_OFFSET  ALIGN_UP(AVAIL_OFFSET + sizeof(struct virtq_avail), 4)
static_assert(USED_OFFSET + sizeof(struct virtq_used) <= PAGE_SIZE, "a queue fits one page");

static u32 reg_read(struct virtio_device *dev, u32 reg)
{
	return io_read32(io_at(dev->regs, reg));
}

static void reg_write(struct virtio_device *dev, u32 reg, u32 value)
{
	io_write32(io_at(dev->regs, reg), value);
}

static void reg_write_pa(struct virtio_device *dev, u32 reg, paddr_t pa)
{
	reg_write(dev, reg, (u32)pa);
	reg_write(dev, reg + 4, (u32)(pa >> 32));
}

int virtio_probe(struct virtio_device *dev, paddr_t pa, u64 len, u32 source)
{
	dev->regs = arch_map_device(pa, len);
	if (!dev->regs)
		return -ENOMEM;
	dev->source = source;
	dev->features = 0;
	if (reg_read(dev, REG_MAGIC) != VIRTIO_MAGIC)
		return -ENODEV;
	dev->id = reg_read(dev, REG_DEVICE_ID);
	if (dev->id == 0)
		return -ENODEV;
	return reg_read(dev, REG_VERSION) == 2 ? 0 : -ENOTSUP;
}

int virtio_negotiate(struct virtio_device *dev, u64 wanted)
{
	u64 offered;

	reg_write(dev, REG_STATUS, 0);
	reg_write(dev, REG_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	reg_write(dev, REG_DEVICE_FEATURES_SEL, 0);
	offered = reg_read(dev, REG_DEVICE_FEATURES);
	reg_write(dev, REG_DEVICE_FEATURES_SEL, 1);
	offered |= (u64)reg_read(dev, REG_DEVICE_FEATURES) << 32;
	dev->features = offered & (wanted | VIRTIO_F_VERSION_1);
	reg_write(dev, REG_DRIVER_FEATURES_SEL, 0);
	reg_write(dev, REG_DRIVER_FEATURES, (u32)dev->features);
	reg_write(dev, REG_DRIVER_FEATURES_SEL, 1);
	reg_write(dev, REG_DRIVER_FEATURES, (u32)(dev->features >> 32));
	reg_write(dev, REG_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	if (!(dev->features & VIRTIO_F_VERSION_1) || !(reg_read(dev, REG_STATUS) & STATUS_FEATURES_OK)) {
		virtio_fail(dev);
		return -EIO;
	}
	return 0;
}

void virtio_start(struct virtio_device *dev)
{
	reg_write(dev, REG_STATUS, reg_read(dev, REG_STATUS) | STATUS_DRIVER_OK);
}

void virtio_fail(struct virtio_device *dev)
{
	reg_write(dev, REG_STATUS, reg_read(dev, REG_STATUS) | STATUS_FAILED);
}

u32 virtio_config32(struct virtio_device *dev, u32 offset)
{
	return reg_read(dev, REG_CONFIG + offset);
}

u64 virtio_config64(struct virtio_device *dev, u32 offset)
{
	u32 generation;
	u64 value;

	/* Section 2.5.1: a 64-bit field is whole only if the generation did not move. */
	do {
		generation = reg_read(dev, REG_CONFIG_GENERATION);
		value = reg_read(dev, REG_CONFIG + offset);
		value |= (u64)reg_read(dev, REG_CONFIG + offset + 4) << 32;
	} while (generation != reg_read(dev, REG_CONFIG_GENERATION));
	return value;
}

void virtio_ack(struct virtio_device *dev)
{
	reg_write(dev, REG_INTERRUPT_ACK, reg_read(dev, REG_INTERRUPT_STATUS));
}

int virtq_init(struct virtq *q, struct virtio_device *dev, u32 index)
{
	struct frame *f;
	u32 max;

	reg_write(dev, REG_QUEUE_SEL, index);
	max = reg_read(dev, REG_QUEUE_NUM_MAX);
	if (max == 0)
		return -ENODEV;
	f = frame_alloc(0, FRAME_KERNEL, ALLOC_ZERO);
	if (!f)
		return -ENOMEM;
	q->dev = dev;
	q->index = index;
	q->size = MIN(max, (u32)VIRTQ_SIZE);
	q->desc = frame_kva(f);
	q->avail = (void *)((u8 *)frame_kva(f) + AVAIL_OFFSET);
	q->used = (void *)((u8 *)frame_kva(f) + USED_OFFSET);
	q->free_head = 0;
	q->nr_free = q->size;
	q->next_used = 0;
	for (u32 i = 0; i < q->size; i++)
		q->desc[i].next = i + 1;
	reg_write(dev, REG_QUEUE_NUM, q->size);
	reg_write_pa(dev, REG_QUEUE_DESC, frame_pa(f));
	reg_write_pa(dev, REG_QUEUE_DRIVER, frame_pa(f) + AVAIL_OFFSET);
	reg_write_pa(dev, REG_QUEUE_DEVICE, frame_pa(f) + USED_OFFSET);
	reg_write(dev, REG_QUEUE_READY, 1);
	return 0;
}

int virtq_add(struct virtq *q, const struct virtq_piece *pieces, u32 nr, void *cookie)
{
	u16 head = q->free_head, d = head;

	if (nr == 0 || nr > q->nr_free)
		return -ENOSPC;
	for (u32 i = 0; i < nr; i++) {
		struct virtq_desc *desc = &q->desc[d];

		desc->addr = pieces[i].pa;
		desc->len = pieces[i].len;
		desc->flags = (pieces[i].dir == VIRTQ_FROM_DEVICE ? DESC_WRITE : 0) | (i + 1 < nr ? DESC_NEXT : 0);
		d = desc->next;
	}
	q->free_head = d;
	q->nr_free -= nr;
	q->cookie[head] = cookie;
	q->avail->ring[q->avail->idx % q->size] = head;
	/* The ring entry must be visible before the index that publishes it (section 2.7.13). */
	__atomic_store_n(&q->avail->idx, q->avail->idx + 1, __ATOMIC_RELEASE);
	return 0;
}

void virtq_kick(struct virtq *q)
{
	reg_write(q->dev, REG_QUEUE_NOTIFY, q->index);
}

void *virtq_next_done(struct virtq *q, u32 *len)
{
	u16 head, d;
	u32 nr = 1;
	void *cookie;

	if (q->next_used == __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE))
		return NULL;
	head = q->used->ring[q->next_used % q->size].id;
	*len = q->used->ring[q->next_used % q->size].len;
	q->next_used++;
	if (head >= q->size || !q->cookie[head]) {
		pr_err("virtio: the device returned a chain it was not given (%u)", head);
		return NULL;
	}
	for (d = head; q->desc[d].flags & DESC_NEXT; d = q->desc[d].next)
		nr++;
	q->desc[d].next = q->free_head;
	q->free_head = head;
	q->nr_free += nr;
	cookie = q->cookie[head];
	q->cookie[head] = NULL;
	return cookie;
}
