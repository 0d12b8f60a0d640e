/* A real browser on the real page, with no network but the viewer's own server. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { formatLink, HOME, type Place } from '../../web/link.ts';
import { shrinkPng } from './png.ts';

const CHROMIUM = process.env['VITRINE_CHROMIUM'] ?? '/usr/bin/chromium';
/** A guest on a busy host may be slow; what is waited for is never asserted to be fast. */
export const PATIENCE = 60_000;

export class Visitor {
  /** Addresses that the page asked for and that are not the server's. */
  readonly strangers: string[] = [];
  readonly errors: string[] = [];

  private constructor(readonly page: Page, private readonly browser: Browser) {}

  /** before: a function that runs in the page before its own script, and what it is given. */
  static async open(address: string, options: { dark?: boolean; before?: [script: (arg: string) => void, arg: string] } = {}): Promise<Visitor> {
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    const context: BrowserContext = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: options.dark ? 'dark' : 'light', locale: 'en-GB' });
    if (options.before) await context.addInitScript(...options.before);
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const visitor = new Visitor(page, browser);
    const own = new URL(address);
    await context.route('**', (route) => {
      const { origin, protocol, pathname } = new URL(route.request().url());
      // A file has no origin: it alone is its page.
      if (protocol === 'file:' ? pathname === own.pathname : origin === own.origin) return route.continue();
      visitor.strangers.push(route.request().url());
      return route.abort();
    });
    page.on('pageerror', (error) => visitor.errors.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') visitor.errors.push(message.text());
    });
    await page.goto(address + formatLink(HOME));
    return visitor;
  }

  /** Waits until `look`, run in the page, finds something. (waitForFunction needs eval, which the page's policy forbids.) */
  async until<A, T>(look: (arg: A) => T, arg: A): Promise<NonNullable<T>> {
    for (const end = Date.now() + PATIENCE; ; ) {
      const found = await this.page.evaluate(look as (arg: unknown) => T, arg as unknown);
      if (found) return found as NonNullable<T>;
      if (Date.now() > end) throw new Error(`not seen within ${PATIENCE / 1000} s: ${look} ${JSON.stringify(arg)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Follows a link within the page. */
  async go(place: Partial<Place>): Promise<void> {
    await this.page.evaluate((hash) => void (location.hash = hash), formatLink({ ...HOME, ...place }));
    await this.until(([view, lang]) => document.querySelector('.page')?.getAttribute('data-view') === view && document.documentElement.lang === lang, [
      place.view ?? HOME.view, place.lang ?? HOME.lang,
    ] as const);
  }

  /** Types on the guest's console: keys, and what has no key as an input method composes it. */
  async type(text: string): Promise<void> {
    await this.page.locator('.xterm-helper-textarea').focus();
    for (const part of text.match(/[\x20-\x7e]+|[^\x20-\x7e]+/g) ?? []) {
      if (/^[\x20-\x7e]/.test(part)) await this.page.keyboard.type(part);
      else await this.compose(part);
    }
    await this.page.keyboard.press('Enter');
  }

  private async compose(text: string): Promise<void> {
    const session = await this.page.context().newCDPSession(this.page);
    await session.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
    await session.send('Input.insertText', { text });
    await session.detach();
    // The terminal takes what was composed a moment after its end.
    await this.page.waitForTimeout(100);
  }

  /** Waits until the console shows the pattern. */
  async console(pattern: RegExp): Promise<void> {
    await this.until(([source, flags]) => {
      const rows = [...document.querySelectorAll('.xterm-rows > div')].map((row) => (row.textContent ?? '').replace(/\u00a0/g, ' ').trimEnd());
      return new RegExp(source, flags).test(rows.join('\n').trimEnd());
    }, [pattern.source, pattern.flags] as const);
  }

  /** The text beside the picture of the view that is open, once it matches. */
  async twin(pattern: RegExp): Promise<string> {
    const twin = this.page.locator('[data-twin]');
    await this.until(([source, flags]) => new RegExp(source, flags).test(document.querySelector('[data-twin]')?.textContent ?? ''), [pattern.source, pattern.flags] as const);
    return (await twin.textContent()) ?? '';
  }

  attribute(selector: string, name: string): Promise<string | null> {
    return this.page.locator(selector).first().getAttribute(name);
  }

  /** A picture for the documentation, if those were asked for. */
  async picture(name: string): Promise<void> {
    const folder = process.env['VITRINE_SCREENSHOTS'];
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    await this.page.waitForTimeout(400);
    writeFileSync(path.join(folder, name + '.png'), shrinkPng(await this.page.screenshot()));
  }

  close(): Promise<void> {
    return this.browser.close();
  }
}
