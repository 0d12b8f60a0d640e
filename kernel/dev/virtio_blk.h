/* Disks behind virtio-mmio. */
#pragma once

struct virtio_device;

/* Takes over the device: registers /dev/vdX. 0 or -errno (the device is then left failed). */
int virtio_blk_attach(const struct virtio_device *dev);
