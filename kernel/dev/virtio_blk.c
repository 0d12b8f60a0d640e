/*
 * virtio-blk (specification 1.2, section 5.2): one queue; requests that find
 * no free descriptors wait on a list and are issued as others complete.
 *
 *   submitted → (waiting list) → in the ring → done() in the interrupt handler, lock dropped
 */
#include "dev/virtio_blk.h"

#include "dev/block.h"
#include "dev/irq.h"
#include "dev/virtio.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "mm/frame.h"
#include "mm/slab.h"
#include "sync/spinlock.h"

#define F_SEG_MAX BIT(2)
#define F_RO      BIT(5)
#define F_FLUSH   BIT(9)

#define CONFIG_CAPACITY 0
#define CONFIG_SEG_MAX  12

#define TYPE_IN    0u
#define TYPE_OUT   1u
#define TYPE_FLUSH 4u

#define MAX_SEGS         64u
#define VIRTIO_BLK_MAJOR 254u

struct vblk_header {
	u32 type;
	u32 reserved;
	u64 sector;
};

/* What the device reads and writes besides the data; one for each possible head descriptor. */
struct vblk_slot {
	struct vblk_header header;
	struct blk_req *rq;
	u32 in_use;
	u8 status;
};

struct vblk {
	struct blkdev bd;
	struct virtio_device dev;
	struct spinlock lock; /* queue, slots, waiting */
	struct virtq queue;
	struct list waiting;
	struct vblk_slot *slots;
	u32 next_slot;
	u32 has_flush;
};

static struct vblk_slot *slot_take(struct vblk *vb)
{
	for (u32 i = 0; i < vb->queue.size; i++) {
		struct vblk_slot *s = &vb->slots[(vb->next_slot + i) % vb->queue.size];

		if (!s->in_use) {
			vb->next_slot = (u32)(s - vb->slots) + 1;
			s->in_use = 1;
			return s;
		}
	}
	return NULL;
}

/* Puts rq in the ring. -ENOSPC: later. */
static int issue(struct vblk *vb, struct blk_req *rq)
{
	static const u32 types[] = {[BLK_READ] = TYPE_IN, [BLK_WRITE] = TYPE_OUT, [BLK_FLUSH] = TYPE_FLUSH};
	struct virtq_piece pieces[MAX_SEGS + 2];
	struct vblk_slot *s;
	u32 n = 0;
	int err;

	if (vb->queue.nr_free < rq->nr_segs + 2)
		return -ENOSPC;
	s = slot_take(vb);
	if (!s)
		return -ENOSPC;
	s->rq = rq;
	s->status = 0xff;
	s->header = (struct vblk_header){.type = types[rq->op], .sector = rq->sector};
	pieces[n++] = (struct virtq_piece){kva_to_phys(&s->header), sizeof(s->header), VIRTQ_TO_DEVICE};
	for (u32 i = 0; i < rq->nr_segs; i++)
		pieces[n++] = (struct virtq_piece){
			rq->segs[i].pa, rq->segs[i].len, rq->op == BLK_READ ? VIRTQ_FROM_DEVICE : VIRTQ_TO_DEVICE};
	pieces[n++] = (struct virtq_piece){kva_to_phys(&s->status), 1, VIRTQ_FROM_DEVICE};
	err = virtq_add(&vb->queue, pieces, n, s);
	if (err < 0)
		s->in_use = 0;
	return err;
}

/* -errno when rq must not reach the device. */
static int check_request(const struct vblk *vb, const struct blk_req *rq)
{
	u64 sectors = 0;

	for (u32 i = 0; i < rq->nr_segs; i++)
		sectors += rq->segs[i].len >> SECTOR_SHIFT;
	if (rq->nr_segs > vb->bd.max_segs)
		return -EINVAL;
	if (rq->sector > vb->bd.nr_sectors || sectors > vb->bd.nr_sectors - rq->sector)
		return -EIO;
	if (rq->op == BLK_WRITE && vb->bd.read_only)
		return -EROFS;
	return 0;
}

static void vblk_submit(struct blkdev *bd, struct blk_req *rq)
{
	struct vblk *vb = bd->private;
	int err = check_request(vb, rq);
	u64 flags;

	if (err < 0 || (rq->op == BLK_FLUSH && !vb->has_flush)) {
		rq->done(rq, err);
		return;
	}
	flags = spin_lock_irqsave(&vb->lock);
	if (!list_empty(&vb->waiting) || issue(vb, rq) < 0)
		list_add_tail(&rq->link, &vb->waiting);
	else
		virtq_kick(&vb->queue);
	spin_unlock_irqrestore(&vb->lock, flags);
}

static void issue_waiting(struct vblk *vb)
{
	u32 issued = 0;

	while (!list_empty(&vb->waiting)) {
		struct blk_req *rq = list_first_entry(&vb->waiting, struct blk_req, link);

		if (issue(vb, rq) < 0)
			break;
		list_del(&rq->link);
		issued++;
	}
	if (issued)
		virtq_kick(&vb->queue);
}

static void vblk_interrupt(void *arg)
{
	struct vblk *vb = arg;
	struct list done = LIST_INIT(done);
	struct vblk_slot *s;
	struct blk_req *rq;
	u32 len;

	virtio_ack(&vb->dev);
	spin_lock(&vb->lock);
	while ((s = virtq_next_done(&vb->queue, &len)) != NULL) {
		rq = s->rq;
		rq->error = s->status == 0 ? 0 : -EIO;
		s->in_use = 0;
		list_add_tail(&rq->link, &done);
	}
	issue_waiting(vb);
	spin_unlock(&vb->lock);
	/* Without the lock: done() may submit more, or take locks of the page cache. */
	while (!list_empty(&done)) {
		rq = list_first_entry(&done, struct blk_req, link);
		list_del(&rq->link);
		if (rq->error < 0 && rq->op != BLK_FLUSH)
			pr_err("%s: I/O error, %s sector %lu", vb->bd.name, rq->op == BLK_READ ? "read" : "write",
				rq->sector);
		rq->done(rq, rq->error);
	}
}

static const struct blkdev_ops vblk_ops = {.submit = vblk_submit};

static void describe(struct vblk *vb)
{
	static u32 nr_disks;
	struct blkdev *bd = &vb->bd;
	u32 seg_max = vb->dev.features & F_SEG_MAX ? virtio_config32(&vb->dev, CONFIG_SEG_MAX) : 1;

	snprintf(bd->name, sizeof(bd->name), "vd%c", 'a' + (char)nr_disks);
	bd->rdev = VIRTIO_BLK_MAJOR << 8 | nr_disks * 16;
	bd->nr_sectors = virtio_config64(&vb->dev, CONFIG_CAPACITY);
	bd->max_segs = MIN(MIN(seg_max, MAX_SEGS), vb->queue.size - 2);
	bd->read_only = (vb->dev.features & F_RO) != 0;
	bd->ops = &vblk_ops;
	bd->private = vb;
	vb->has_flush = (vb->dev.features & F_FLUSH) != 0;
	nr_disks++;
}

int virtio_blk_attach(const struct virtio_device *dev)
{
	struct vblk *vb = kzalloc(sizeof(*vb), 0);
	int err = -ENOMEM;

	if (!vb)
		return -ENOMEM;
	vb->dev = *dev;
	spin_init(&vb->lock, "virtio-blk", RANK_VIRTIO);
	list_init(&vb->waiting);
	err = virtio_negotiate(&vb->dev, F_SEG_MAX | F_RO | F_FLUSH);
	if (err < 0)
		goto out_free;
	err = virtq_init(&vb->queue, &vb->dev, 0);
	if (err < 0)
		goto out_fail;
	vb->slots = kzalloc(vb->queue.size * sizeof(*vb->slots), 0);
	if (!vb->slots) {
		err = -ENOMEM;
		goto out_fail;
	}
	describe(vb);
	err = irq_register(vb->dev.source, vb->bd.name, vblk_interrupt, vb);
	if (err < 0)
		goto out_fail;
	virtio_start(&vb->dev);
	blk_register(&vb->bd);
	pr_info("%s: %lu MiB%s", vb->bd.name, vb->bd.nr_sectors >> 11, vb->bd.read_only ? ", read-only" : "");
	return 0;

out_fail:
	/* The device may still know the queue's page: it is not given back. */
	virtio_fail(&vb->dev);
out_free:
	kfree(vb);
	return err;
}
