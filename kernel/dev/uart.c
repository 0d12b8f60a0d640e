/* NS16550A UART (National Semiconductor PC16550D data sheet, register table). */
#include "dev/uart.h"

#include "arch/riscv/arch.h"
#include "dev/io.h"
#include "dev/irq.h"
#include "dev/tty.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/log.h"
#include "lib/string.h"
#include "sync/spinlock.h"

#define RBR 0 /* read: received byte */
#define THR 0 /* write: byte to send */
#define IER 1
#define IIR 2
#define FCR 2
#define LCR 3
#define MCR 4
#define LSR 5

#define IER_RX               BIT(0)
#define IER_TX               BIT(1)
#define FCR_ENABLE_AND_CLEAR 0x07u
#define LCR_8N1              0x03u
#define MCR_DTR_RTS_OUT2     0x0bu
#define LSR_READY            BIT(0)
#define LSR_THR_EMPTY        BIT(5)
#define FIFO_DEPTH           16u

#define RING_SIZE 4096u /* power of two */

static struct {
	struct spinlock lock; /* registers and ring */
	volatile void *regs;
	u32 shift; /* distance of registers, log2 */
	u32 ier;
	u32 head, tail; /* free-running: head - tail bytes are queued */
	char ring[RING_SIZE];
	const struct uart_sink *sink;
	u32 drained; /* console_write emptied the ring: the sink is still to be told of the room */
	u32 panicking;
} uart = {.lock = SPINLOCK_INIT("uart", RANK_UART)};

static u8 reg_read(u32 reg)
{
	return io_read8(io_at(uart.regs, (u64)reg << uart.shift));
}

static void reg_write(u32 reg, u32 value)
{
	io_write8(io_at(uart.regs, (u64)reg << uart.shift), (u8)value);
}

static void set_ier_locked(u32 ier)
{
	if (uart.ier != ier) {
		uart.ier = ier;
		reg_write(IER, ier);
	}
}

/* Moves queued bytes into the device while it takes them; the interrupt brings us back for the rest. */
static void send_locked(void)
{
	while (uart.head != uart.tail && (reg_read(LSR) & LSR_THR_EMPTY)) {
		for (u32 i = 0; i < FIFO_DEPTH && uart.head != uart.tail; i++)
			reg_write(THR, (u8)uart.ring[uart.tail++ % RING_SIZE]);
	}
	set_ier_locked(uart.head != uart.tail ? IER_RX | IER_TX : IER_RX);
}

u32 uart_put(const char *s, u32 n)
{
	u64 flags;
	u32 take;

	if (!uart.regs)
		return n;
	flags = spin_lock_irqsave(&uart.lock);
	take = MIN(n, RING_SIZE - (uart.head - uart.tail));
	for (u32 i = 0; i < take; i++)
		uart.ring[uart.head++ % RING_SIZE] = s[i];
	send_locked();
	spin_unlock_irqrestore(&uart.lock, flags);
	return take;
}

u32 uart_pending(void)
{
	return READ_ONCE(uart.head) - READ_ONCE(uart.tail);
}

u32 uart_room(void)
{
	return RING_SIZE - uart_pending();
}

void uart_set_sink(const struct uart_sink *sink)
{
	u64 flags = spin_lock_irqsave(&uart.lock);

	uart.sink = sink;
	spin_unlock_irqrestore(&uart.lock, flags);
}

/* A byte straight to the device, waiting for it: the kernel log must be out before the machine may die. */
static void put_now(char c)
{
	while (!(reg_read(LSR) & LSR_THR_EMPTY))
		cpu_relax();
	reg_write(THR, (u8)c);
}

void console_write(const char *s, size_t len)
{
	u64 flags = 0;

	if (!uart.regs)
		return;
	if (!uart.panicking)
		flags = spin_lock_irqsave(&uart.lock);
	uart.drained |= uart.head != uart.tail;
	while (uart.head != uart.tail)
		put_now(uart.ring[uart.tail++ % RING_SIZE]);
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\n')
			put_now('\r');
		put_now(s[i]);
	}
	if (!uart.panicking)
		spin_unlock_irqrestore(&uart.lock, flags);
}

void console_enter_panic(void)
{
	uart.panicking = 1;
}

static void uart_interrupt(void *arg)
{
	const struct uart_sink *sink;
	u8 bytes[FIFO_DEPTH * 4];
	u32 n = 0;
	u32 had, room;

	spin_lock(&uart.lock);
	(void)reg_read(IIR);
	while (n < sizeof(bytes) && (reg_read(LSR) & LSR_READY))
		bytes[n++] = reg_read(RBR);
	had = uart.head - uart.tail;
	send_locked();
	room = uart.drained || (had && uart.head - uart.tail < had);
	uart.drained = 0;
	sink = uart.sink;
	spin_unlock(&uart.lock);
	if (n && sink)
		sink->received(bytes, n);
	if (room && sink)
		sink->room();
}

/* The node that /chosen/stdout-path names ("/soc/serial@10000000:115200"), or the first UART. */
static int find_uart(const struct fdt *fdt)
{
	const char *path = fdt_prop_string(fdt, fdt_find_path(fdt, "/chosen"), "stdout-path");
	char buf[128];
	char *colon;
	int node;

	if (path) {
		strscpy(buf, path, sizeof(buf));
		colon = strchr(buf, ':');
		if (colon)
			*colon = '\0';
		node = fdt_find_path(fdt, buf);
		if (node >= 0 && (fdt_is_compatible(fdt, node, "ns16550a") || fdt_is_compatible(fdt, node, "ns16550")))
			return node;
	}
	node = fdt_find_compatible(fdt, FDT_ROOT, "ns16550a");
	return node >= 0 ? node : fdt_find_compatible(fdt, FDT_ROOT, "ns16550");
}

int uart_init(const struct fdt *fdt)
{
	int node = find_uart(fdt);
	paddr_t pa;
	u64 size;

	if (node < 0 || fdt_reg(fdt, node, 0, &pa, &size) < 0) {
		pr_err("uart: the device tree has no ns16550a serial port: no console");
		return -ENODEV;
	}
	uart.shift = fdt_prop_u32(fdt, node, "reg-shift", 0, 0);
	uart.regs = arch_map_device(pa, size);
	if (!uart.regs)
		return -ENOMEM;
	reg_write(IER, 0);
	reg_write(LCR, LCR_8N1);
	reg_write(FCR, FCR_ENABLE_AND_CLEAR);
	reg_write(MCR, MCR_DTR_RTS_OUT2);
	set_ier_locked(IER_RX);
	return irq_register(irq_of_node(fdt, node), "uart", uart_interrupt, NULL);
}
