# Running: all of it goes through the launcher, so that make and ./vitrine do the same.

RUN_FLAGS = --harts $(CPUS) --mem $(MEM) --variant $(V) --kernel $(KERNEL)

.PHONY: qemu qemu-gdb gdb test grade bench check
qemu: kernel images
	@$(PYTHON) tools/run.py $(RUN_FLAGS)

# Waits for gdb; then, in another terminal: make gdb.
qemu-gdb: kernel images
	@$(PYTHON) tools/gdb.py --serve $(RUN_FLAGS)

gdb: kernel
	@$(PYTHON) tools/gdb.py --attach $(RUN_FLAGS)

test:
	@./vitrine test

# GRADE: names of checks, all when empty.
grade: kernel images
	@VITRINE_BUILD=$(abspath $(B)) $(PYTHON) tools/grade.py $(RUN_FLAGS) $(GRADE)

bench: kernel images
	@$(PYTHON) tools/bench.py

check:
	@$(PYTHON) tools/check-layers
	@$(PYTHON) tools/check-size
