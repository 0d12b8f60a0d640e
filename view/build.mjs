/*
 * Bundles the viewer: node view/build.mjs --out DIR [--modules DIR] [--watch-list]
 * Packages are looked for in --modules (a node_modules folder), so that none has to be in the tree. --watch-list prints
 * the source files instead, one a line, for whoever wants to know whether anything changed.
 */
import { createRequire } from 'node:module';
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));

/* What is bundled for whom. An entry whose source is not there is left out. */
const NODE_ENTRIES = { x: 'cli/main.ts', server: 'server/main.ts', keep: 'server/keep.ts', pagebench: 'test/page/bench.ts' };
const PAGE_ENTRIES = { 'page/main': 'web/main.tsx', 'page/replay': 'web/replay.tsx' };
/* Copied as they are into page/: everything in web/static. */
const STATIC = 'web/static';
const TESTS = 'test';

function option(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? null : process.argv[at + 1] ?? null;
}

function files(folder, accept) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : files(full, accept);
    return accept(full) ? [full] : [];
  });
}

function present(entries) {
  const found = {};
  for (const [name, source] of Object.entries(entries)) {
    const full = path.join(here, source);
    if (existsSync(full)) found[name] = full;
  }
  return found;
}

function testEntries() {
  const found = {};
  for (const file of files(path.join(here, TESTS), (name) => name.endsWith('.test.ts')))
    found['test/' + path.relative(path.join(here, TESTS), file).replace(/\.ts$/, '')] = file;
  return found;
}

function copyTree(from, to) {
  for (const file of files(from, () => true)) {
    const target = path.join(to, path.relative(from, file));
    mkdirSync(path.dirname(target), { recursive: true });
    copyFileSync(file, target);
  }
}

async function main() {
  if (process.argv.includes('--watch-list')) {
    for (const file of files(here, (name) => statSync(name).isFile())) console.log(file);
    return;
  }
  const out = option('--out');
  const modules = path.resolve(option('--modules') ?? path.join(here, 'node_modules'));
  if (!out) throw new Error('usage: node build.mjs --out DIR [--modules DIR]');
  const esbuild = createRequire(path.join(modules, 'index.js'))('esbuild');
  const common = { bundle: true, outdir: out, nodePaths: [modules], logLevel: 'warning', charset: 'utf8', legalComments: 'none' };
  const node = { ...present(NODE_ENTRIES), ...testEntries() };
  if (Object.keys(node).length)
    await esbuild.build({
      ...common, entryPoints: node, platform: 'node', format: 'cjs', target: 'node18', sourcemap: 'inline', outExtension: { '.js': '.cjs' },
      /* ws asks for these when they are there; it works without. */
      external: ['bufferutil', 'utf-8-validate', 'playwright-core'],
    });
  const page = present(PAGE_ENTRIES);
  if (Object.keys(page).length)
    await esbuild.build({
      ...common, entryPoints: page, platform: 'browser', format: 'esm', target: ['chrome109', 'firefox115', 'safari16'],
      minify: true, sourcemap: false, jsx: 'automatic', jsxImportSource: 'preact', loader: { '.md': 'text', '.css': 'css' },
    });
  copyTree(path.join(here, STATIC), path.join(out, 'page'));
}

main().catch((error) => {
  console.error(String(error.message ?? error));
  process.exitCode = 1;
});
