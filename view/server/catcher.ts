/*
 * Waits for a fault and stops the machine right there: a breakpoint stands where the kernel has just written a fault's event (kernel:
 * TRACE_FAULT_WRITTEN). At each stop the event is looked at; it is the one, or the hart is stepped over the breakpoint and all go on. Two
 * harts that come there together stop one after the other: the second stands before its breakpoint and stops again at once.
 *
 *   off ──start──▶ armed ──the fault──▶ off, the machine stands
 *                    └─────end────────▶ off, the machine goes on (or stands, if somebody else has stopped it)
 *
 * While it is armed the machine stops and goes on by itself all the time: what QEMU tells of that is nobody's business.
 */
import { RingReader, type Machine, type TraceEvent } from '../core/index.ts';
import type { Monitor } from './qmp.ts';
import { GdbStub, type Stopped } from './stub.ts';

/** QEMU's name of the stub's character device. */
const DEVICE = 'gdb';
/** How often it is asked whether it has taken the connection, and how long is waited in between. */
const ASKED = 40;
const ASK_MS = 25;

/** Of the compressed instructions: QEMU does not care. */
const INSTRUCTION = 2;

export class Catcher {
  private stub: GdbStub | null = null;
  private rings: RingReader | null = null;
  private stepping = false;
  /** Somebody else has stopped the machine. */
  private outside = false;
  /** The stops and starts of the machine are this one's doing. */
  busy = false;
  onCaught: () => void = () => {};
  /** Somebody else has stopped the machine while this waits. */
  onOutside: () => void = () => {};

  /** path: of the stub's socket; null: there is none. wanted: is it this fault? */
  constructor(
    private readonly machine: Machine, private readonly monitor: Monitor, private readonly path: string | null, private readonly wanted: (event: TraceEvent) => boolean,
  ) {}

  get stoppedOutside(): boolean {
    return this.outside;
  }

  /** Sets the breakpoints. run: lets the machine go on. Rejects when that is not possible, and the machine is as it was. */
  async start(run: boolean): Promise<void> {
    const places = this.machine.faultPlaces();
    if (this.path === null || places.length === 0) throw new Error('the machine has no place to stop at');
    // A connection that waits until another gdb is gone would stop the machine then, with nobody there.
    if (await this.taken()) throw new Error('another gdb is attached');
    this.busy = true;
    try {
      const stub = await GdbStub.open(this.path);
      try {
        for (let n = 0; !(await this.taken()); n++) {
          if (n === ASKED) throw new Error('the stub takes no connection');
          await new Promise((resolve) => setTimeout(resolve, ASK_MS));
        }
        for (const place of places) if ((await stub.ask(breakpoint('Z', place))) !== 'OK') throw new Error('the stub takes no breakpoint');
      } catch (error) {
        stub.close();
        // Who was let in has stopped the machine.
        if (run) await this.goOn();
        throw error;
      }
      this.rings = new RingReader(this.machine, { from: 'now' });
      this.stepping = false;
      this.outside = !run;
      stub.onStop = (stopped) => void this.stopped(stub, stopped);
      stub.onClose = () => {
        if (this.stub === stub) this.stub = null;
      };
      this.stub = stub;
      if (run) stub.run();
    } finally {
      if (!this.stub) this.busy = false;
    }
  }

  /** Takes the breakpoints away, and lets the machine go on unless somebody else has stopped it. */
  async end(): Promise<void> {
    const stub = this.stub;
    if (!stub) return;
    this.stub = null;
    try {
      stub.interrupt();
      await this.clear(stub);
      if (!this.outside) await stub.ask('D');
      stub.close();
      if (!this.outside) await this.goOn();
    } catch {
      stub.close(); // QEMU has ended
    } finally {
      this.busy = false;
    }
  }

  /** QEMU says that the machine runs. */
  resumed(): void {
    this.outside = false;
  }

  private async stopped(stub: GdbStub, { breakpoint: mine, thread }: Stopped): Promise<void> {
    if (this.stub !== stub) return; // it is being ended
    if (!mine) {
      if (this.outside) return;
      this.outside = true;
      this.onOutside();
    } else if (this.stepping) {
      this.stepping = false;
      stub.run();
    } else if (this.rings!.read().events.some((event) => event.kind === 'fault' && this.wanted(event))) {
      this.stub = null;
      await this.clear(stub).catch(() => {}); // without breakpoints: QEMU has ended
      stub.close();
      await this.monitor.run('query-status').catch(() => {}); // what QEMU still had to tell of stops and starts comes before its answer
      this.busy = false;
      this.onCaught();
    } else {
      this.stepping = true;
      stub.step(thread);
    }
  }

  private async clear(stub: GdbStub): Promise<void> {
    for (const place of this.machine.faultPlaces()) await stub.ask(breakpoint('z', place));
  }

  /** Has the stub a client? */
  private async taken(): Promise<boolean> {
    const devices = (await this.monitor.run('query-chardev')) as { label: string; filename: string }[];
    const stub = devices.find((device) => device.label === DEVICE);
    if (!stub) throw new Error('the machine has no gdb stub');
    return !stub.filename.startsWith('disconnected:');
  }

  private async goOn(): Promise<void> {
    const state = (await this.monitor.run('query-status').catch(() => null)) as { running?: boolean } | null;
    if (state && !state.running) await this.monitor.run('cont').catch(() => {});
  }
}

function breakpoint(what: 'Z' | 'z', place: bigint): string {
  return `${what}1,${place.toString(16)},${INSTRUCTION}`;
}
