/* Device discovery, in the order in which later steps need earlier ones. */
#include "dev/dev.h"

#include "arch/riscv/arch.h"
#include "dev/irq.h"
#include "dev/memdev.h"
#include "dev/random.h"
#include "dev/rtc.h"
#include "dev/tty.h"
#include "dev/uart.h"
#include "dev/virtio.h"
#include "dev/virtio_blk.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/log.h"

static struct fdt fdt;

static void attach(const struct virtio_device *dev, paddr_t pa)
{
	int err = -ENODEV;

	if (dev->id == VIRTIO_ID_BLOCK)
		err = virtio_blk_attach(dev);
	else if (dev->id == VIRTIO_ID_ENTROPY)
		err = virtio_rng_attach(dev);
	else
		pr_info("virtio: device type %u at 0x%lx has no driver", dev->id, pa);
	if (err < 0 && err != -ENODEV)
		pr_err("virtio: device type %u at 0x%lx did not start: error %d", dev->id, pa, -err);
}

/*
 * Slots are tried from the highest address down: QEMU fills them so that the
 * first -device on its command line is in the last slot, hence this order
 * names disks as the user listed them.
 */
static void probe_virtio(void)
{
	paddr_t below = ~0ul;

	for (;;) {
		struct virtio_device dev;
		paddr_t best = 0, pa;
		u64 len = 0, size;
		int node, best_node = -1, err;

		fdt_for_each_compatible(&fdt, node, "virtio,mmio")
		{
			if (fdt_reg(&fdt, node, 0, &pa, &size) == 0 && pa < below && pa >= best &&
				fdt_enabled(&fdt, node)) {
				best = pa;
				best_node = node;
				len = size;
			}
		}
		if (best_node < 0)
			return;
		below = best;
		err = virtio_probe(&dev, best, len, irq_of_node(&fdt, best_node));
		if (err == 0)
			attach(&dev, best);
		else if (err == -ENOTSUP)
			pr_err("virtio: the device at 0x%lx is a legacy one; start QEMU with "
			       "-global virtio-mmio.force-legacy=false",
				best);
	}
}

void dev_init(void)
{
	if (fdt_open(&fdt, boot_info.fdt, fdt_blob_size(boot_info.fdt)) < 0) {
		pr_err("dev: the device tree is damaged; no devices");
		return;
	}
	irq_init(&fdt);
	if (uart_init(&fdt) == 0)
		log_set_console(console_write, LOG_REPLAY_NONE);
	rtc_init(&fdt);
	random_init(&fdt);
	memdev_init();
	probe_virtio();
	random_settle();
	tty_init();
}

void dev_start_hart(void)
{
	irq_start_hart();
}
