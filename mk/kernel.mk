# The kernel: every .c and .S beneath kernel/, linked twice so that it can carry its own symbol table.

variant := $(V)$(if $(filter clang,$(CC_KIND)),-clang)
O := $(B)/$(variant)
KERNEL := $(O)/vitrine.elf

ifeq ($(filter $(V),release debug),)
$(error V is release or debug, not "$(V)")
endif
ifeq ($(filter $(CC_KIND),gcc clang),)
$(error CC_KIND is gcc or clang, not "$(CC_KIND)")
endif

# Where struct thread keeps the stack protector's value (kernel/arch/riscv/thread.h).
THREAD_CANARY := 24

KERNEL_LD := $(CROSS)ld
ifeq ($(CC_KIND),clang)
KERNEL_CC := clang --target=riscv64-linux-gnu
# Old clangs know neither the names of these two extensions nor do they ask for them.
KERNEL_ARCH := $(shell $(KERNEL_CC) -march=rv64imac_zicsr_zifencei -x c -c /dev/null -o /dev/null 2>/dev/null \
	&& echo rv64imac_zicsr_zifencei || echo rv64imac)
else
KERNEL_CC := $(CROSS)gcc
KERNEL_ARCH := rv64imac_zicsr_zifencei
endif

GUARD_FLAGS := -fstack-protector-strong -mstack-protector-guard=tls -mstack-protector-guard-reg=tp \
	-mstack-protector-guard-offset=$(THREAD_CANARY)
# A compiler without a guard relative to tp (clang before 20) builds without one.
ifneq ($(shell $(KERNEL_CC) -march=$(KERNEL_ARCH) -mabi=lp64 $(GUARD_FLAGS) -x c -c /dev/null -o /dev/null 2>&1),)
GUARD_FLAGS := -fno-stack-protector
endif

# 0: without the rings of events (arch/riscv/trace.h).
TRACE ?= 1
KERNEL_FLAGS := -march=$(KERNEL_ARCH) -mabi=lp64 -mcmodel=medany -g -ffreestanding -nostdlib -fno-pic \
	-I$(O)/generated -Ikernel -ffile-prefix-map=$(CURDIR)=. -DTRACE=$(TRACE)
KERNEL_CFLAGS := -std=gnu17 -O2 $(KERNEL_FLAGS) -nostdinc -isystem $(shell $(KERNEL_CC) -print-file-name=include) \
	-fno-omit-frame-pointer -fno-strict-aliasing -fno-common \
	-fno-asynchronous-unwind-tables -fno-delete-null-pointer-checks -ffunction-sections -fdata-sections \
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter $(GUARD_FLAGS)
ifeq ($(V),debug)
KERNEL_FLAGS += -DVITRINE_DEBUG=1
# Without tail calls a backtrace names every caller.
KERNEL_CFLAGS += -DVITRINE_DEBUG=1 -fno-optimize-sibling-calls
UBSAN_FLAGS := -fsanitize=undefined -fno-sanitize=alignment,shift-base,null,vptr
endif
# These run before the kernel has an address space, or report what the sanitizer found.
UNCHECKED := kernel/lib/ubsan.c kernel/lib/symbols.c kernel/arch/riscv/boot.c kernel/arch/riscv/early.c
ifeq ($(CC_KIND),clang)
# ~BIT(n) on a u32 is how flags are cleared here; gcc says nothing of it either.
KERNEL_CFLAGS += -Wno-constant-conversion
endif
WERROR_FLAGS := $(if $(filter 1,$(WERROR)),-Werror)

# find, not wildcard: rooms have sub-folders. tests/ inside a room belongs to the host.
KERNEL_SOURCES := $(sort $(shell find kernel -name tests -prune -o \( -name '*.c' -o -name '*.S' \) -print 2>/dev/null))
KERNEL_SOURCES := $(filter-out kernel/arch/riscv/asm-offsets.c kernel/arch/riscv/vdso/%,$(KERNEL_SOURCES))
ifeq ($(V),debug)
# Checks that need the machine are part of the debug kernel, and run by boot argument.
KERNEL_SOURCES += $(sort $(wildcard tests/ktest/*.c))
endif
KERNEL_OBJECTS := $(patsubst %,$(O)/obj/%.o,$(KERNEL_SOURCES))
ASM_OFFSETS := $(if $(wildcard kernel/arch/riscv/asm-offsets.c),$(O)/generated/asm-offsets.h)

.PHONY: kernel
kernel: $(KERNEL)

# A change of compiler, flags or source list rebuilds what it touches.
$(O)/flags: FORCE
	$(call write-if-changed,$@,$(KERNEL_CC) $(KERNEL_CFLAGS) $(UBSAN_FLAGS))
$(O)/objects: FORCE
	$(call write-if-changed,$@,$(KERNEL_OBJECTS))

$(O)/obj/%.c.o: %.c $(O)/flags | $(ASM_OFFSETS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(KERNEL_CC) $(KERNEL_CFLAGS) $(if $(filter $<,$(UNCHECKED)),-fno-stack-protector,$(UBSAN_FLAGS)) $(WERROR_FLAGS) \
		-MMD -MP -c $< -o $@

$(O)/obj/%.S.o: %.S $(O)/flags | $(ASM_OFFSETS)
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(KERNEL_CC) $(KERNEL_FLAGS) -D__ASSEMBLER__ $(WERROR_FLAGS) -MMD -MP -c $< -o $@

# Structure offsets for assembly: the compiler writes "->NAME value" lines into its assembly output.
$(O)/generated/asm-offsets.h: kernel/arch/riscv/asm-offsets.c $(O)/flags
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$(KERNEL_CC) $(KERNEL_CFLAGS) -g0 -fno-stack-protector $(if $(filter clang,$(CC_KIND)),-fno-integrated-as) $(WERROR_FLAGS) -MMD -MP -MT $@ -MF $(O)/generated/asm-offsets.d -S $< -o $(O)/generated/asm-offsets.s
	$(Q)sed -n 's/.*->\([A-Za-z_][A-Za-z0-9_]*\) *#*\(-\{0,1\}[0-9][0-9]*\).*/#define \1 \2/p' $(O)/generated/asm-offsets.s >$@.new
	$(Q)mv $@.new $@

KERNEL_LINK = $(KERNEL_LD) -m elf64lriscv -static -nostdlib --gc-sections --no-warn-mismatch --build-id=none \
	-z max-page-size=4096 -z noexecstack -T kernel/kernel.lds

# Pass one has no symbol table; pass two appends it behind all other read-only data, which moves no function.
# mksyms --verify proves that.
$(O)/pass1.elf: $(KERNEL_OBJECTS) $(O)/objects kernel/kernel.lds
	$(call say,LD,$@)
	$(Q)$(KERNEL_LINK) $(KERNEL_OBJECTS) -o $@

$(O)/generated/ksyms.bin: $(O)/pass1.elf tools/mksyms
	$(call say,KSYMS,$@)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) tools/mksyms --cross $(CROSS) $< $@

$(O)/generated/ksyms.o: $(O)/generated/ksyms.bin
	$(Q)printf '.section .ksyms,"a"\n.balign 8\n.incbin "%s"\n' $< | $(CROSS)gcc -march=$(KERNEL_ARCH) -mabi=lp64 -x assembler -c - -o $@

$(KERNEL): $(O)/generated/ksyms.o
	$(call say,LD,$@)
	$(Q)$(KERNEL_LINK) $(KERNEL_OBJECTS) $< -o $@.new
	$(Q)$(PYTHON) tools/mksyms --cross $(CROSS) --verify $(O)/pass1.elf $@.new
	$(Q)mv $@.new $@

# A flat image for loaders that take no ELF.
$(O)/Image: $(KERNEL)
	$(Q)$(CROSS)objcopy -O binary $< $@

compile_commands.json: FORCE
	$(Q)$(PYTHON) tools/compile-commands '$(KERNEL_CC) $(KERNEL_CFLAGS)' $(filter %.c,$(KERNEL_SOURCES)) >$@

-include $(KERNEL_OBJECTS:.o=.d) $(O)/generated/asm-offsets.d

# The library that the kernel maps into every process.
include kernel/arch/riscv/vdso/rules.mk
