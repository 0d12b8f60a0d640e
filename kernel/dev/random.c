/*
 * The kernel's random generator: ChaCha20 with fast key erasure (lib/rand.h),
 * seeded from the device tree's rng-seed and from virtio-rng, and stirred by
 * the entropy device again now and then.
 *
 *   UNSEEDED --rng-seed or first virtio-rng answer--> SEEDED
 *
 * Without either source the timer's jitter at boot is all there is: that is
 * said in the log, and programs get what there is rather than none.
 */
#include "dev/random.h"

#include "arch/riscv/arch.h"
#include "dev/chardev.h"
#include "dev/dev.h"
#include "dev/irq.h"
#include "dev/virtio.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/log.h"
#include "lib/rand.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sync/spinlock.h"
#include "sync/waitq.h"

#define POOL_BYTES   64
#define STOCK_BYTES  224        /* generated at once for small requests; with the next key: four blocks */
#define RESEED_BYTES (1u << 20) /* ask the device again after this much output */

static struct {
	struct spinlock lock;
	struct rand_state state;
	u32 seeded;
	u32 waiting_device; /* an answer of virtio-rng is due */
	u64 generated;      /* since the last reseed */
	u32 left;           /* bytes of stock not given out yet: its last ones */
	u8 stock[STOCK_BYTES];
	struct waitq ready;
} rng = {.lock = SPINLOCK_INIT("random", RANK_RAND), .ready = WAITQ_INIT(rng.ready, "random")};

static struct {
	struct virtio_device dev;
	struct virtq queue;
	u8 *buffer; /* one request is in flight at a time; [rng.lock] */
} source;

static void stir_locked(const void *bytes, size_t len)
{
	rand_reseed(&rng.state, bytes, len);
	rng.generated = 0;
	rng.left = 0;
}

void random_stir(const void *bytes, size_t len)
{
	u64 flags = spin_lock_irqsave(&rng.lock);

	rand_reseed(&rng.state, bytes, len);
	rng.left = 0;
	spin_unlock_irqrestore(&rng.lock, flags);
}

/* Asks the device for a poolful. */
static void request_locked(void)
{
	struct virtq_piece piece = {kva_to_phys(source.buffer), POOL_BYTES, VIRTQ_FROM_DEVICE};

	if (!source.buffer || rng.waiting_device)
		return;
	if (virtq_add(&source.queue, &piece, 1, source.buffer) == 0) {
		rng.waiting_device = 1;
		virtq_kick(&source.queue);
	}
}

static void source_interrupt(void *arg)
{
	u32 len;
	u32 got = 0;

	virtio_ack(&source.dev);
	spin_lock(&rng.lock);
	while (virtq_next_done(&source.queue, &len)) {
		rng.waiting_device = 0;
		if (len == 0 || len > POOL_BYTES)
			continue;
		stir_locked(source.buffer, len);
		memset(source.buffer, 0, POOL_BYTES);
		rng.seeded = 1;
		got = 1;
	}
	spin_unlock(&rng.lock);
	if (got)
		waitq_wake_all(&rng.ready);
}

int virtio_rng_attach(const struct virtio_device *dev)
{
	u8 *buffer;
	u64 flags;
	int err;

	if (source.buffer)
		return -EBUSY; /* one source is enough */
	source.dev = *dev;
	err = virtio_negotiate(&source.dev, 0);
	if (err < 0)
		return err;
	err = virtq_init(&source.queue, &source.dev, 0);
	if (err < 0)
		return err;
	buffer = kmalloc(POOL_BYTES, 0);
	if (!buffer)
		return -ENOMEM;
	err = irq_register(source.dev.source, "rng", source_interrupt, NULL);
	if (err < 0) {
		kfree(buffer);
		return err;
	}
	virtio_start(&source.dev);
	flags = spin_lock_irqsave(&rng.lock);
	source.buffer = buffer;
	request_locked();
	spin_unlock_irqrestore(&rng.lock, flags);
	return 0;
}

void random_init(const struct fdt *fdt)
{
	u64 times[2] = {cycles_now(), instret_now()};
	u32 len = 0;
	const void *seed = fdt_prop(fdt, fdt_find_path(fdt, "/chosen"), "rng-seed", &len);

	rand_seed(&rng.state, times, sizeof(times));
	if (seed && len >= 32) {
		rand_reseed(&rng.state, seed, len);
		rng.seeded = 1;
	}
}

void random_settle(void)
{
	if (!rng.seeded && !source.buffer) {
		pr_warn("random: no rng-seed in the device tree and no virtio-rng: random numbers are guessable");
		rng.seeded = 1;
	}
}

u32 random_ready(void)
{
	return READ_ONCE(rng.seeded);
}

int random_wait_ready(void)
{
	return wait_event_interruptible(&rng.ready, random_ready());
}

/* What was given out is wiped: nobody who reads memory later learns it. Locks: rng.lock. */
static void stock_take_locked(void *buf, u32 len)
{
	u8 *from;

	if (rng.left < len) {
		rand_generate(&rng.state, rng.stock, STOCK_BYTES);
		rng.left = STOCK_BYTES;
	}
	from = rng.stock + STOCK_BYTES - rng.left;
	memcpy(buf, from, len);
	memset(from, 0, len);
	rng.left -= len;
}

void random_bytes(void *buf, size_t len)
{
	u64 flags;

	if (unlikely(!random_ready()))
		wait_event(&rng.ready, random_ready());
	flags = spin_lock_irqsave(&rng.lock);
	if (len <= STOCK_BYTES / 4)
		stock_take_locked(buf, (u32)len);
	else
		rand_generate(&rng.state, buf, len);
	rng.generated += len;
	if (rng.generated >= RESEED_BYTES)
		request_locked();
	spin_unlock_irqrestore(&rng.lock, flags);
}

u64 random_u64(void)
{
	u64 v;

	random_bytes(&v, sizeof(v));
	return v;
}
