/*
 * The console: the UART as a terminal, under two names, console (5:1) and ttyS0 (4:64).
 *
 * Bytes come in interrupt context. What the line discipline has no room for waits in a backlog, which readers empty.
 */
#include "dev/tty_internal.h"
#include "dev/uart.h"
#include "lib/panic.h"

#define BACKLOG_SIZE 16384u /* power of two */
#define PIECE        64u
#define ROOM_TO_WAKE 1024u /* writers are woken when this much of the UART's ring is free */

static struct tty console;
static struct {
	u32 head, tail; /* free-running [console.lock] */
	u32 lost;
	u8 bytes[BACKLOG_SIZE];
} backlog;

/* ---- output ---- */

static void console_wake_writers(void)
{
	if (uart_room() >= ROOM_TO_WAKE)
		waitq_wake_all(&console.writers);
}

/* The ring may be emptied by this very call; then no interrupt will say so. */
static u32 console_put(struct tty *t, const u8 *bytes, u32 n)
{
	u32 taken = uart_put((const char *)bytes, n);

	console_wake_writers();
	return taken;
}

static u32 console_room(struct tty *t)
{
	return uart_room();
}

static u32 console_pending(struct tty *t)
{
	return uart_pending();
}

/* Context: interrupt. */
static void console_sent(void)
{
	u64 flags = spin_lock_irqsave(&console.lock);

	tty_flush_echo_locked(&console);
	spin_unlock_irqrestore(&console.lock, flags);
	console_wake_writers();
}

/* ---- input ---- */

static void backlog_append_locked(const u8 *bytes, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		if (backlog.head - backlog.tail == BACKLOG_SIZE) {
			backlog.lost += n - i;
			return;
		}
		backlog.bytes[backlog.head++ % BACKLOG_SIZE] = bytes[i];
	}
}

/* Feeds the line discipline until it is full or the backlog empty. Context: any. */
static void console_pump(void)
{
	u32 used;

	do {
		struct ldisc_effects fx = {0};
		u64 flags = spin_lock_irqsave(&console.lock);
		u32 at = backlog.tail % BACKLOG_SIZE;
		u32 n = MIN(MIN(backlog.head - backlog.tail, PIECE), BACKLOG_SIZE - at);

		used = n ? tty_input_locked(&console, backlog.bytes + at, n, &fx) : 0;
		backlog.tail += used;
		spin_unlock_irqrestore(&console.lock, flags);
		tty_effects(&console, &fx);
	} while (used);
}

static void console_received(const u8 *bytes, u32 n)
{
	u64 flags = spin_lock_irqsave(&console.lock);

	backlog_append_locked(bytes, n);
	spin_unlock_irqrestore(&console.lock, flags);
	console_pump();
}

static void console_input_room(struct tty *t)
{
	if (READ_ONCE(backlog.head) != READ_ONCE(backlog.tail))
		console_pump();
}

/* ---- the nodes ---- */

static void console_destroy(struct tty *t)
{
	panic("the console lost its last reference");
}

static const struct tty_driver console_driver = {
	.put = console_put,
	.room = console_room,
	.pending = console_pending,
	.input_room = console_input_room,
	.destroy = console_destroy,
};

static int console_open(struct chardev *cd, u32 flags, void **cookie)
{
	return tty_open_instance(&console, flags, cd->private ? TTY_OPEN_CONSOLE : TTY_OPEN_ORDINARY, cookie);
}

static const struct chardev_ops console_ops = {
	.open = console_open,
	.close = tty_close,
	.read = tty_read,
	.write = tty_write,
	.ioctl = tty_ioctl,
	.poll = tty_poll,
};

static struct chardev console_dev = {
	.name = "console", .rdev = TTY_RDEV(5, 1), .mode = 0600, .ops = &console_ops, .private = &console};
static struct chardev serial_dev = {.name = "ttyS0", .rdev = TTY_RDEV(4, 64), .mode = 0600, .ops = &console_ops};

static const struct uart_sink console_sink = {.received = console_received, .room = console_sent};

void console_init(void)
{
	tty_setup(&console, &console_driver, serial_dev.rdev);
	console.ld.t.cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL;
	console.ld.t.ispeed = console.ld.t.ospeed = 115200;
	chardev_register(&console_dev);
	chardev_register(&serial_dev);
	uart_set_sink(&console_sink);
}
