/*
 * What a walk claims, evaluated: the trees that `./vitrine walk --json` prints (tools/walk_expr.py makes them, and says what they are).
 * For pages: without Node or the DOM. Both evaluators are tested with one table (tests/driver/walks.py).
 */

export type Sum = '+' | '-' | '*' | '&' | '<<' | '>>';
export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'has' | 'lacks';

export type Tree =
  | { op: 'number'; value: number }
  | { op: 'string'; value: string }
  | { op: 'null' }
  | { op: 'name'; name: string }
  | { op: 'member'; of: Tree; name: string }
  | { op: 'item'; of: Tree; index: number }
  | { op: 'length'; of: Tree }
  | { op: 'count' | 'find'; of: Tree; where: Claim[] }
  | { op: Sum | Comparison; left: Tree; right: Tree };
/** A tree whose root is a comparison. */
export type Claim = { op: Comparison; left: Tree; right: Tree };

export interface WalkStepJson {
  name: string;
  boot: string | null;
  do: string | null;
  wait: string | null;
  see: { name: string; words: (string | Tree)[] }[];
  expect: { text: string; tree: Claim }[];
}

export interface WalkTexts {
  ask: string;
  answer: string;
  proof: string;
  wrong: string;
}

export interface WalkJson {
  version: 1;
  name: string;
  machine: { mem: string; harts: string; isolate: 'on' | 'off'; append: string };
  steps: WalkStepJson[];
  languages: Record<string, { title: string; prose: string; steps: Record<string, WalkTexts> }>;
}

/** What JSON has. Addresses are strings 0x…; they and whole numbers are bigint in here. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Value = Json | bigint;
export type Names = ReadonlyMap<string, Json>;

/** The answers do not have what the expression speaks of. */
export class ProveError extends Error {}

function plain(value: Value): Value {
  if (typeof value === 'string' && /^0x[0-9a-f]+$/.test(value)) return BigInt(value);
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function isObject(value: Value): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function sayValue(value: Value): string {
  const v = plain(value);
  if (typeof v === 'bigint') return v >= 65536n || v <= -65536n ? (v < 0n ? '-' : '') + '0x' + (v < 0n ? -v : v).toString(16) : String(v);
  if (typeof v === 'string') return `"${v}"`;
  return Array.isArray(v) ? `a list of ${v.length}` : isObject(v) ? 'an object' : String(v);
}

/** The tree's value; of a comparison true or false. Throws ProveError. */
export function evaluate(tree: Tree, names: Names): Value {
  switch (tree.op) {
    case 'number':
    case 'string':
      return plain(tree.value);
    case 'null':
      return null;
    case 'name': {
      const value = names.get(tree.name);
      if (value === undefined) throw new ProveError(`nothing is called ${tree.name}`);
      return plain(value);
    }
    case 'member':
    case 'item':
    case 'length':
      return plain(part(tree, evaluate(tree.of, names)));
    case 'count':
    case 'find':
      return search(tree, names);
    default:
      return compute(tree.op, evaluate(tree.left, names), evaluate(tree.right, names));
  }
}

function part(tree: Extract<Tree, { op: 'member' | 'item' | 'length' }>, of: Value): Value {
  if (tree.op === 'length' && Array.isArray(of)) return of.length;
  if (tree.op === 'item' && Array.isArray(of)) {
    const item = of[tree.index < 0 ? of.length + tree.index : tree.index];
    if (item !== undefined) return item;
  }
  if (tree.op === 'member' && isObject(of) && Object.hasOwn(of, tree.name)) return of[tree.name]!;
  throw new ProveError(`there is no ${tree.op === 'member' ? tree.name : tree.op === 'item' ? `[${tree.index}]` : 'length'} in ${sayValue(of)}`);
}

/* The names that a tree speaks of, but for those inside count() and find(). */
function spokenOf(tree: Tree): string[] {
  if (tree.op === 'name') return [tree.name];
  if ('left' in tree) return [...spokenOf(tree.left), ...spokenOf(tree.right)];
  return 'of' in tree ? spokenOf(tree.of) : [];
}

function search(tree: Extract<Tree, { op: 'count' | 'find' }>, names: Names): Value {
  const items = evaluate(tree.of, names);
  if (!Array.isArray(items)) throw new ProveError(`${sayValue(items)} is not a list`);
  for (const name of tree.where.flatMap(spokenOf))
    if (items.length && !names.has(name) && !items.some((item) => isObject(item) && Object.hasOwn(item, name)))
      throw new ProveError(`neither an item nor anything else is called ${name}`);
  const found = items.filter((item) => {
    const scope = isObject(item) ? new Map([...names, ...Object.entries(item)]) : names;
    return tree.where.every((where) => holdsOfItem(where, scope));
  });
  if (tree.op === 'count') return BigInt(found.length);
  if (!found.length) throw new ProveError('there is none');
  return found[0]!;
}

/* An item without the member is another kind of item. */
function holdsOfItem(where: Claim, scope: Names): boolean {
  try {
    return evaluate(where, scope) === true;
  } catch (error) {
    if (error instanceof ProveError) return false;
    throw error;
  }
}

function compute(op: Sum | Comparison, left: Value, right: Value): Value {
  if (op === '==' || op === '!=') return (left === right) === (op === '==');
  if (op === 'has' || op === 'lacks') {
    if (typeof left === 'string') return (typeof right === 'string' && left.includes(right)) === (op === 'has');
    if (Array.isArray(left)) return left.some((item) => plain(item) === right) === (op === 'has');
    throw new ProveError(`${sayValue(left)} holds nothing`);
  }
  for (const side of [left, right]) if (typeof side !== 'bigint') throw new ProveError(`${sayValue(side)} is not a number`);
  const [a, b] = [left as bigint, right as bigint];
  switch (op) {
    case '<': return a < b;
    case '<=': return a <= b;
    case '>': return a > b;
    case '>=': return a >= b;
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '&': return a & b;
    case '<<': return a << b;
    case '>>': return a >> b;
  }
}

/** The words of a query: numbers from 65536 on in hexadecimal, as the command line takes them. */
export function queryWords(words: (string | Tree)[], names: Names): string[] {
  return words.map((word) => {
    if (typeof word === 'string') return word;
    const value = evaluate(word, names);
    if (typeof value === 'string') return value;
    if (typeof value !== 'bigint' || value < 0n) throw new ProveError(`${sayValue(value)} is no word of a query`);
    return sayValue(value);
  });
}

/** What a line of the guest's console gives names to, when it is the one that `wait` describes; else null. */
export function waitLine(template: string, line: string): Map<string, Json> | null {
  const names: string[] = [];
  const pattern = template.split(/(\{\w+\})/).map((piece) => {
    if (!/^\{\w+\}$/.test(piece)) return piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    names.push(piece.slice(1, -1));
    return '([^\\s;,]+)';
  }).join('');
  const found = new RegExp('^' + pattern).exec(line);
  if (!found) return null;
  return new Map(names.map((name, i) => {
    const text = found[i + 1]!;
    return [name, /^(0|[1-9][0-9]*)$/.test(text) ? Number(text) : text];
  }));
}

export interface Proof {
  text: string;
  holds: boolean;
  /** Why it does not hold; "" when it does. */
  why: string;
}

/** Every claim of a step, with all names that answers and console have given so far. */
export function prove(step: WalkStepJson, names: Names): Proof[] {
  return step.expect.map(({ text, tree }) => {
    try {
      if (evaluate(tree, names) === true) return { text, holds: true, why: '' };
      return { text, holds: false, why: `${sayValue(evaluate(tree.left, names))} ${tree.op} ${sayValue(evaluate(tree.right, names))}` };
    } catch (error) {
      if (error instanceof ProveError) return { text, holds: false, why: error.message };
      throw error;
    }
  });
}
