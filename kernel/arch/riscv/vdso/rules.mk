# The vDSO: a shared library for user programs, so built for their ABI, and embedded by vdso_image.S.
VDSO := kernel/arch/riscv/vdso/src
VDSO_SOURCES := $(VDSO)/clock.c $(VDSO)/calls.S

$(O)/generated/vdso.so: $(VDSO_SOURCES) $(VDSO)/vdso.lds $(VDSO)/vdso.map kernel/arch/riscv/vdso_data.h kernel/arch/riscv/vdso/rules.mk
	$(call say,VDSO,$@)
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc -std=gnu17 -O2 -march=rv64gc -mabi=lp64d -fPIC -ffreestanding -nostdlib -shared -Ikernel \
		-fno-stack-protector -fno-asynchronous-unwind-tables -fvisibility=hidden -Wall -Wextra \
		-Wl,-soname=linux-vdso.so.1 -Wl,--hash-style=both -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
		-Wl,-z,noexecstack -Wl,--no-undefined -Wl,--version-script=$(VDSO)/vdso.map -Wl,-T,$(VDSO)/vdso.lds \
		$(VDSO_SOURCES) -o $@.new
	$(Q)$(CROSS)objcopy -S $@.new $@
	$(Q)rm -f $@.new

$(O)/obj/kernel/arch/riscv/vdso_image.S.o: $(O)/generated/vdso.so
