# Vitrine: kernel, user programs, disk images. `make help` lists the targets.
#
#   V=release|debug   the kernel's variant (debug: UBSan and run-time checks)
#   CC_KIND=gcc|clang the kernel's compiler
#   WERROR=1          warnings stop the build (our own tests only)
#   CPUS=N MEM=SIZE   for the qemu targets
#   B=DIR             where everything goes (default: build)
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

V ?= release
CC_KIND ?= gcc
B ?= build
CPUS ?= 2
MEM ?= 256M

PYTHON := $(if $(wildcard /usr/bin/python3),/usr/bin/python3,python3)
CROSS ?= riscv64-linux-gnu-
# `make VERBOSE=1` prints every command.
Q := $(if $(VERBOSE),,@)
say = @$(if $(VERBOSE),:,printf '  %-8s%s\n' $(1) $(2))

.PHONY: all
all: kernel user images

include mk/kernel.mk
include mk/user.mk
include mk/image.mk
include mk/run.mk

.PHONY: help clean FORCE
help:
	@sed -n '3,7s/^# *//p' Makefile
	@echo "targets: all kernel user guest-tests images qemu qemu-gdb gdb test grade bench check clean compile_commands.json"

# What was fetched stays: ./vitrine clean removes that too.
clean:
	rm -rf $(filter-out $(B)/cache $(B)/apt,$(wildcard $(B)/*)) compile_commands.json

# $(call write-if-changed,FILE,TEXT): a recipe line that touches FILE only when TEXT is new.
define write-if-changed
@mkdir -p $(dir $(1)); printf '%s\n' '$(2)' | cmp -s - $(1) || printf '%s\n' '$(2)' >$(1)
endef
