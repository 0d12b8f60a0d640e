/* The machine's names. */
#include "proc/uts.h"

#include "lib/string.h"
#include "sync/spinlock.h"

static struct spinlock uts_lock = SPINLOCK_INIT("uts", RANK_LEAF);
static struct uts uts = {.nodename = "vitrine", .domainname = "(none)"};

void uts_get(char *nodename, char *domainname)
{
	u64 flags = spin_lock_irqsave(&uts_lock);

	memcpy(nodename, uts.nodename, UTS_NAME_SIZE);
	memcpy(domainname, uts.domainname, UTS_NAME_SIZE);
	spin_unlock_irqrestore(&uts_lock, flags);
}

void uts_set(enum uts_field field, const char *name)
{
	char *to = field == UTS_NODENAME ? uts.nodename : uts.domainname;
	size_t len = strnlen(name, UTS_NAME_SIZE - 1);
	u64 flags = spin_lock_irqsave(&uts_lock);

	memset(to, 0, UTS_NAME_SIZE);
	memcpy(to, name, len);
	spin_unlock_irqrestore(&uts_lock, flags);
}
