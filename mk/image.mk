# Disk images: build/KIND.img, where KIND is disk or test, then -ext2, then -1k for 1 KiB blocks.

DISK_IMAGES := $(patsubst %,$(B)/%.img,disk disk-ext2 disk-1k disk-ext2-1k)
TEST_IMAGES := $(patsubst %,$(B)/%.img,test test-ext2 test-1k test-ext2-1k)
IMAGE_TOOLS := tools/mkimage tools/fetch-deb tools/busybox-source $(wildcard tools/image/* tools/image/*/*)

.PHONY: images test-images
images: $(B)/disk.img
test-images: $(TEST_IMAGES)

$(DISK_IMAGES): $(USER_BINS)
$(TEST_IMAGES): $(USER_BINS) $(GUEST_BINS)
$(DISK_IMAGES) $(TEST_IMAGES): $(IMAGE_TOOLS)
	$(call say,IMAGE,$@)
	$(Q)$(PYTHON) tools/mkimage --build $(B) $@
