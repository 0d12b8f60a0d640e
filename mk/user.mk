# Programs for the guest: ordinary Linux programs, built by the ordinary cross compiler.
#   user/NAME.c         -> build/user/NAME     (init goes to /sbin, all others to /bin)
#   user/lib/*.c        linked into each of them when there are any
#   user/walks/*.c      linked into build/user/walk
#   tests/guest/NAME.c  -> build/guest/NAME    (to /tests on the test images; *_dyn.c is linked dynamically)
#   tests/guest/lib/*.c linked into each guest test

USER_CC := $(CROSS)gcc
USER_CFLAGS := -std=gnu17 -O2 -g -Wall -Wextra -Wno-unused-parameter -Wno-unused-result -ffile-prefix-map=$(CURDIR)=.

USER_SOURCES := $(sort $(wildcard user/*.c))
USER_LIB := $(sort $(wildcard user/lib/*.c))
walk_PARTS := $(sort $(wildcard user/walks/*.c))
USER_BINS := $(USER_SOURCES:user/%.c=$(B)/user/%)
GUEST_SOURCES := $(sort $(wildcard tests/guest/*.c))
GUEST_LIB := $(sort $(wildcard tests/guest/lib/*.c))
GUEST_BINS := $(GUEST_SOURCES:tests/guest/%.c=$(B)/guest/%)

.PHONY: user guest-tests
user: $(USER_BINS)
guest-tests: $(GUEST_BINS)

# Programs that read shared structures of the kernel's ABI find them by -Ikernel.
$(B)/user/%: user/%.c $(USER_LIB)
	$(call say,USER,$<)
	@mkdir -p $(@D)
	$(Q)$(USER_CC) $(USER_CFLAGS) $(WERROR_FLAGS) -static -Iuser -Iuser/lib -idirafter kernel -MMD -MP -MF $@.d \
		-MT $@ $< $($*_PARTS) $(USER_LIB) -o $@ -pthread -lm

# The compiler notes the headers of one source only.
$(B)/user/walk: $(walk_PARTS) $(wildcard user/walks/*.h user/include/*.h)

$(B)/guest/%: tests/guest/%.c $(GUEST_LIB)
	$(call say,GUEST,$<)
	@mkdir -p $(@D)
	$(Q)$(USER_CC) $(USER_CFLAGS) $(WERROR_FLAGS) $(if $(filter %_dyn,$*),,-static) -Itests/guest -Itests/guest/lib \
		-Iuser/lib -MMD -MP -MF $@.d -MT $@ $< $(GUEST_LIB) -o $@ -pthread -lm -lrt

-include $(wildcard $(B)/user/*.d $(B)/guest/*.d)
