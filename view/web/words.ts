/* The page's texts. What the engine says (walks, faults, findings) comes from core/words in both languages. */
import type { Lang } from '../core/types.ts';
import type { ViewName } from './link.ts';

const en = {
  tagline: 'a machine whose memory you can see',
  views: {
    console: 'Vitals', space: 'Address space', tree: 'Page tables', walk: 'Translation', frames: 'Frames', share: 'Sharing',
    film: 'Faults', time: 'Time', lamp: 'Lamp',
  } as Record<ViewName, string>,
  viewsLabel: 'Views', processes: 'Processes', terminal: 'Console of the guest', language: 'Language', asText: 'As text',
  copy: 'Copy', copied: 'Copied', kernel: 'the kernel', none: 'none', now: 'now', yes: 'yes', no: 'no',
  states: { running: 'running', paused: 'paused', off: 'switched off' },
  stop: 'Pause', cont: 'Continue',
  paused: { catch: 'Paused: the fault that you waited for has happened.', user: 'Paused.', guest: 'Paused from outside.' },
  off: 'The guest is switched off. What you see is its last state.',
  lostConnection: 'The connection to the viewer is gone. Is ./vitrine view still running?',
  stale: 'The server speaks another version: reload this page.',
  booting: 'Waiting for the kernel to set up its memory…',
  laterLink: 'This link is of a later version; what this page knows of it is shown.',
  backInTime: (n: number) => `You look at instant ${n} of the session, not at now.`, backToNow: 'Back to now',
  liveOnly: 'This view reads memory itself and always shows now.',
  pickProcess: 'Choose a process on the left.', noSpace: 'This process has no address space.',
  green: 'all invariants hold', red: (n: number) => `${n} broken`,
  pid: 'pid', name: 'name', state: 'state', resident: 'resident', parent: 'parent', pages: 'pages', hart: 'hart', running: 'running',
  idle: 'idle', address: 'address', kind: 'kind', count: 'count', permissions: 'permissions', total: 'total',
  taskStates: {
    new: 'new', runnable: 'ready', sleeping: 'asleep', stopped: 'stopped', zombie: 'zombie', dead: 'dead', unknown: '?',
  } as Record<string, string>,
  vitals: {
    free: 'free memory', frames: (n: string) => `${n} frames`, of: (t: string) => `of ${t}`, faults: 'faults a second', processes: 'processes', harts: 'Harts',
    usedFor: 'What RAM is used for', counters: 'Counters of the kernel', cost: 'Price of looking',
    costText: (ms: string, kb: string, hz: string, page: string) => `host ${ms} ms a look · ${kb} kB · ${hz} looks a second · page ${page} ms`,
    mode: 'mode, and where', modes: { user: 'user', kernel: 'kernel', firmware: 'firmware' },
    lastMinute: 'the last minute', switches: 'switches', interrupts: 'interrupts', table: 'page table', thread: 'thread',
  },
  kinds: {
    none: 'no RAM', reserved: 'reserved', free: 'free', cached: 'free, with a hart', kernel: 'kernel', slab: 'slab', table: 'page table',
    stack: 'kernel stack', anon: 'anonymous', file: 'file', usyscall: 'USYSCALL', unknown: 'unknown',
  } as Record<string, string>,
  space: {
    promised: 'Promised', present: 'Present', gap: (size: string) => `nothing · ${size}`, guard: 'guard', below: 'null page and below',
    kernelHalf: 'the kernel', kernelAway: 'not in this table (isolate=1)', kernelThere: 'in every table, without U',
    presentOf: (a: number, b: number) => `${a} of ${b} pages present`, swapped: (n: number | null) => `${n ?? '?'} in swap`, grow: 'Addresses grow', up: 'up', down: 'down',
    room: (size: string) => `the stack may grow into ${size}`,
    help: 'Left, what the kernel has promised the program (VMAs). Right, what its page table holds now. A click goes to the translation.',
  },
  leaves: {
    pointer: 'points to a table', writable: 'writable', readonly: 'read only', code: 'code', cow: 'copied at the next write', huge: 'superpage',
    supervisor: 'without U', empty: 'not valid', accessed: 'accessed', dirty: 'dirty', giga: '1 GiB', mega: '2 MiB', page: '4 KiB',
  },
  tree: {
    root: 'root', level: (n: number) => `level ${n}`, tables: (n: number) => `${n} tables`, table: 'Table', entry: 'Entry', open: 'Open this table', up: 'One level up',
    toWalk: 'Translate this address', toFrame: 'Show this frame', covers: 'covers', pte: 'entry', points: 'points to',
    help: 'Each square is one of 512 entries. Arrows move, Enter opens a table, Backspace goes up.', legend: 'Legend',
    marks: 'Dots below: left accessed, right dirty. A bar on the left: no U.',
  },
  walk: {
    expr: 'Address', exprHelp: '0x4000 · heap+0x10 · 3:stack · kernel_main', access: 'Access', r: 'read', w: 'write', x: 'execute',
    mode: 'As', user: 'user', kernelMode: 'kernel', predict: 'Predict first', go: 'Translate',
    wrong: (text: string) => `“${text}” is no number, region or symbol.`, bits: 'The bits of the address', offset: 'offset', upper: 'copies of the top bit',
    levelIndex: (n: number) => `index ${n}`, read: (table: string, index: number) => `table ${table} + 8 × ${index}`, bytes: 'bytes', flags: 'flags',
    result: 'Result', physical: 'physical address', fault: 'fault', predictAsk: 'What will happen?', predictOk: 'It is translated', predictFault: 'A page fault',
    reveal: 'Show', right: 'You were right.', notRight: 'Not so.', predicted: 'Your prediction', sets: 'The hardware sets', toFrame: 'Show the frame',
    enter: 'Type an address.', step: (n: number) => `Step ${n}`, pass: 'holds', fail: 'does not hold', where: 'Where',
  },
  checks: {
    'ok': 'allowed', 'non-canonical': 'upper bits are copies', 'table-not-memory': 'table in RAM', 'not-valid': 'V', 'write-without-read': 'not W without R',
    'reserved-bits': 'reserved bits 0', 'pointer-bits': 'pointer has no D, A, U', 'no-leaf': 'a leaf by the last level', 'misaligned': 'superpage aligned',
    'supervisor-page': 'U in user mode', 'user-page': 'U needs SUM', 'user-code': 'kernel runs no U page', 'no-read': 'R', 'no-write': 'W', 'no-execute': 'X',
    'not-accessed': 'A', 'not-dirty': 'D',
  } as Record<string, string>,
  frames: {
    size: 'Size of a cell', colour: 'Colour by', byKind: 'kind', byCount: 'count of users', byAge: 'age of the last change', byHeat: 'A and D', refs: 'references', owner: 'owner',
    flags: 'flags', order: 'order of the block', mappedBy: 'Shown by', nobody: 'No user page table shows this frame.',
    orphan: 'allocated, owned by nobody', orphans: (n: number) => `${n} frames are allocated, but nobody owns them`,
    help: 'Every frame of RAM. Move with the mouse or the arrows; Enter or a click keeps a frame.', frame: 'Frame', heat: 'accessed or dirty', cold: 'not lately',
    older: 'older', fresh: 'just now', more: 'many', one: 'one', map: 'Map of all frames', find: 'Go to',
  },
  share: {
    family: 'The family', pairs: 'Pairs that share frames', pair: 'The pair', pages: 'shared pages', readOnly: 'neither may write', between: 'and', joined: 'shared', split: 'split: one frame each',
    only: (name: string) => `only ${name}`, help: 'Each cell is a page: left half the one, right half the other. Joined: one frame for both. A write cuts it in two.',
    none: 'No two processes share frames now. Run something in the shell: fork shares everything until somebody writes.', justNow: 'split just now', choose: 'Choose a pair.',
    counts: (a: number, b: number) => `${a} joined, ${b} split`,
  },
  film: {
    all: 'every kind', how: 'How it was answered', onlyPid: 'only this process', pauseAt: 'Pause at the next', waiting: 'waiting…', cancel: 'Cancel', csv: 'CSV', trace: 'Trace (Perfetto)',
    lost: (a: number, b: number) => `${a} events lost in the rings, ${b} let go by this page`, time: 'time', who: 'who', what: 'what', pc: 'at', cost: 'cost',
    before: 'before', after: 'after', cycles: 'cycles', none: 'Nothing yet. Type a command on the console.', shown: (a: number, b: number) => `${a} of ${b} events`,
    choose: 'Choose an event for its story.', export: 'Export', event: 'The event', clear: 'Clear', others: 'also other events',
  },
  events: {
    fault: 'fault', syscall: 'system call', map: 'map', unmap: 'unmap', protect: 'protect', fork: 'fork', exec: 'exec', exit: 'exit', 'huge-make': 'superpage made',
    'huge-split': 'superpage split', alloc: 'frames to a hart', free: 'frames from a hart', flush: 'TLB flush', 'asid-roll': 'ASIDs begin anew', 'swap-out': 'swapped out', unknown: '?',
  } as Record<string, string>,
  hows: {
    none: 'no answer', zero: 'zero page', anon: 'anonymous page', huge: 'superpage', cow: 'copy on write', reuse: 'last owner writes', present: 'was there already',
    file: 'file page', 'file-copy': 'copy of a file page', shared: 'shared page', swap: 'from swap', usyscall: 'USYSCALL', unknown: '?',
  } as Record<string, string>,
  results: { 'segv-map': 'SIGSEGV: nothing there', 'segv-acc': 'SIGSEGV: not allowed', bus: 'SIGBUS', oom: 'out of memory' } as Record<string, string>,
  time: {
    scrub: 'Instant', live: 'Now', setA: 'Compare from here', noA: 'Choose an instant, then “Compare from here”.', between: (a: number, b: number) => `From instant ${a} to ${b}`, nothing: 'Nothing changed.',
    dump: 'Write a dump', dumped: (path: string) => `Written: ${path}`, dumpFailed: (why: string) => `No dump: ${why}`, kept: (n: number, t: string) => `${n} instants of ${t}`, freeFrames: 'free frames',
    help: 'Every look at the machine is kept as the difference from the one before. Go back with the slider; all views follow.', seconds: (s: string) => `${s} s`, changes: 'What changed', loading: 'Fetching the session…',
    ago: (s: string) => `${s} s ago`, more: (n: number) => `…and ${n} more`, dumpHelp: 'All of RAM and the registers as an ELF core file: ./vitrine x and gdb open it.', older: 'Earlier', newer: 'Later',
  },
  lamp: {
    title: 'Invariants', greenLong: 'Nothing is broken. The lamp compares page tables, frame owners and counters at every look.', redLong: (n: number) => (n === 1 ? 'An invariant is broken:' : `${n} invariants are broken:`), looks: 'looks', show: 'Show',
    help: 'A finding must be there in several looks in a row, since the machine works while it is read.',
  },
};

export type Words = typeof en;

const zh: Words = {
  tagline: '内存看得见的机器',
  views: { console: '概况', space: '地址空间', tree: '页表', walk: '地址转换', frames: '页框', share: '共享', film: '缺页', time: '时间', lamp: '指示灯' },
  viewsLabel: '视图', processes: '进程', terminal: '客户机控制台', language: '语言', asText: '文字版',
  copy: '复制', copied: '已复制', kernel: '内核', none: '无', now: '现在', yes: '是', no: '否',
  states: { running: '运行中', paused: '已暂停', off: '已关机' },
  stop: '暂停', cont: '继续',
  paused: { catch: '已暂停：等待的缺页发生了。', user: '已暂停。', guest: '被外部暂停。' },
  off: '客户机已关机，显示的是最后的状态。',
  lostConnection: '与查看器的连接断开了。./vitrine view 还在运行吗？',
  stale: '服务器的版本不同：请重新加载本页。',
  booting: '正在等待内核建立内存管理…',
  laterLink: '这个链接来自更新的版本；只显示本页认识的部分。',
  backInTime: (n) => `现在看到的是会话中的第 ${n} 个时刻，不是当前。`, backToNow: '回到现在',
  liveOnly: '此视图直接读内存，总是显示当前。',
  pickProcess: '请在左边选一个进程。', noSpace: '该进程没有地址空间。',
  green: '所有不变量成立', red: (n) => `${n} 项被破坏`,
  pid: 'pid', name: '名称', state: '状态', resident: '驻留', parent: '父进程', pages: '页', hart: 'hart', running: '运行',
  idle: '空闲', address: '地址', kind: '种类', count: '数量', permissions: '权限', total: '总计',
  taskStates: { new: '新建', runnable: '就绪', sleeping: '睡眠', stopped: '停止', zombie: '僵尸', dead: '已死', unknown: '?' },
  vitals: {
    free: '空闲内存', frames: (n) => `${n} 页框`, of: (t) => `共 ${t}`, faults: '每秒缺页', processes: '进程数', harts: '处理器（hart）',
    usedFor: '内存的用途', counters: '内核计数器', cost: '观察的代价',
    costText: (ms, kb, hz, page) => `主机每次 ${ms} 毫秒 · ${kb} kB · 每秒 ${hz} 次 · 网页 ${page} 毫秒`,
    mode: '模式与位置', modes: { user: '用户态', kernel: '内核态', firmware: '固件' },
    lastMinute: '最近一分钟', switches: '切换', interrupts: '中断', table: '页表', thread: '线程',
  },
  kinds: {
    none: '无内存', reserved: '保留', free: '空闲', cached: '空闲（hart 缓存）', kernel: '内核', slab: 'slab', table: '页表',
    stack: '内核栈', anon: '匿名', file: '文件', usyscall: 'USYSCALL', unknown: '未知',
  },
  space: {
    promised: '已承诺', present: '已在内存', gap: (size) => `空 · ${size}`, guard: '保护区', below: '空指针页及以下',
    kernelHalf: '内核', kernelAway: '不在此页表中（isolate=1）', kernelThere: '在每个页表中，没有 U',
    presentOf: (a, b) => `${b} 页中有 ${a} 页在内存`, swapped: (n) => `${n ?? '?'} 页在交换区`, grow: '地址增长方向', up: '向上', down: '向下',
    room: (size) => `栈可以向这里增长 ${size}`,
    help: '左边是内核承诺给程序的（VMA），右边是页表里现在有的。点击可查看地址转换。',
  },
  leaves: {
    pointer: '指向下级页表', writable: '可写', readonly: '只读', code: '代码', cow: '下次写入时复制', huge: '大页',
    supervisor: '没有 U', empty: '无效', accessed: '访问过', dirty: '写过', giga: '1 GiB', mega: '2 MiB', page: '4 KiB',
  },
  tree: {
    root: '根', level: (n) => `第 ${n} 级`, tables: (n) => `${n} 张页表`, table: '页表', entry: '表项', open: '打开这张页表', up: '回到上一级',
    toWalk: '转换这个地址', toFrame: '查看这个页框', covers: '覆盖', pte: '表项', points: '指向',
    help: '每个方格是 512 个表项之一。方向键移动，回车打开下级页表，退格键回到上一级。', legend: '图例',
    marks: '下方圆点：左为访问过（A），右为写过（D）。左侧竖条：没有 U。',
  },
  walk: {
    expr: '地址', exprHelp: '0x4000 · heap+0x10 · 3:stack · kernel_main', access: '访问', r: '读', w: '写', x: '执行',
    mode: '身份', user: '用户', kernelMode: '内核', predict: '先预测', go: '转换',
    wrong: (text) => `“${text}”不是数字、区域名或符号。`, bits: '地址的各个位', offset: '页内偏移', upper: '最高位的复制',
    levelIndex: (n) => `第 ${n} 级下标`, read: (table, index) => `页表 ${table} + 8 × ${index}`, bytes: '字节', flags: '标志',
    result: '结果', physical: '物理地址', fault: '异常', predictAsk: '会发生什么？', predictOk: '转换成功', predictFault: '缺页异常',
    reveal: '揭晓', right: '答对了。', notRight: '不对。', predicted: '你的预测', sets: '硬件会置位', toFrame: '查看页框',
    enter: '请输入一个地址。', step: (n) => `第 ${n} 步`, pass: '成立', fail: '不成立', where: '位置',
  },
  checks: {
    'ok': '允许', 'non-canonical': '高位是最高位的复制', 'table-not-memory': '页表在内存中', 'not-valid': 'V', 'write-without-read': '没有只有 W 的情况',
    'reserved-bits': '保留位为 0', 'pointer-bits': '指针项没有 D、A、U', 'no-leaf': '最后一级是叶子', 'misaligned': '大页对齐',
    'supervisor-page': '用户态需要 U', 'user-page': 'U 页需要 SUM', 'user-code': '内核不执行 U 页', 'no-read': 'R', 'no-write': 'W', 'no-execute': 'X',
    'not-accessed': 'A', 'not-dirty': 'D',
  },
  frames: {
    size: '方格大小', colour: '颜色表示', byKind: '种类', byCount: '使用者数量', byAge: '上次变化的时间', byHeat: 'A 和 D', refs: '引用数', owner: '所有者',
    flags: '标志', order: '块的阶', mappedBy: '映射它的有', nobody: '没有用户页表映射这个页框。',
    orphan: '已分配但没有所有者', orphans: (n) => `${n} 个页框已分配，但没有所有者`,
    help: '内存的每一个页框。用鼠标或方向键移动；回车或点击选中。', frame: '页框', heat: '访问过或写过', cold: '近期没有',
    older: '较早', fresh: '刚刚', more: '很多', one: '一个', map: '所有页框的地图', find: '前往',
  },
  share: {
    family: '家族', pairs: '共享页框的进程对', pair: '这一对', pages: '共享的页', readOnly: '双方都不能写', between: '与', joined: '共享', split: '已分开：各有一个页框',
    only: (name) => `只有 ${name}`, help: '每个方格是一页：左半属于一个进程，右半属于另一个。相连表示同一个页框；写入把它分成两半。',
    none: '现在没有两个进程共享页框。在 shell 里运行点什么：fork 之后一切共享，直到有人写入。', justNow: '刚刚分开', choose: '请选一对。',
    counts: (a, b) => `相连 ${a} 页，分开 ${b} 页`,
  },
  film: {
    all: '全部', how: '处理方式', onlyPid: '只看此进程', pauseAt: '下次发生时暂停', waiting: '等待中…', cancel: '取消', csv: 'CSV', trace: 'Trace（Perfetto）',
    lost: (a, b) => `环形缓冲丢失 ${a} 个事件，本页丢弃 ${b} 个`, time: '时间', who: '谁', what: '事件', pc: '指令', cost: '代价',
    before: '之前', after: '之后', cycles: '周期', none: '还没有。在控制台输入一条命令。', shown: (a, b) => `${b} 个事件中的 ${a} 个`,
    choose: '选一个事件看它的经过。', export: '导出', event: '事件', clear: '清空', others: '也显示其他事件',
  },
  events: {
    fault: '缺页', syscall: '系统调用', map: '映射', unmap: '解除映射', protect: '改权限', fork: 'fork', exec: 'exec', exit: '退出', 'huge-make': '合成大页',
    'huge-split': '拆分大页', alloc: '页框到 hart', free: '页框自 hart', flush: '刷新 TLB', 'asid-roll': 'ASID 重新开始', 'swap-out': '换出', unknown: '?',
  },
  hows: {
    none: '没有处理', zero: '零页', anon: '匿名页', huge: '大页', cow: '写时复制', reuse: '最后的所有者写入', present: '本来就在',
    file: '文件页', 'file-copy': '复制文件页', shared: '共享页', swap: '从交换区', usyscall: 'USYSCALL', unknown: '?',
  },
  results: { 'segv-map': 'SIGSEGV：没有映射', 'segv-acc': 'SIGSEGV：不允许', bus: 'SIGBUS', oom: '内存不足' },
  time: {
    scrub: '时刻', live: '现在', setA: '从这里比较', noA: '选一个时刻，再按“从这里比较”。', between: (a, b) => `从时刻 ${a} 到 ${b}`, nothing: '没有变化。',
    dump: '写出转储', dumped: (path) => `已写入：${path}`, dumpFailed: (why) => `转储失败：${why}`, kept: (n, t) => `${t} 内的 ${n} 个时刻`, freeFrames: '空闲页框',
    help: '每次观察都保存为与上一次的差异。用滑块回到过去，所有视图都会跟随。', seconds: (s) => `${s} 秒`, changes: '变化', loading: '正在取会话…',
    ago: (s) => `${s} 秒前`, more: (n) => `…还有 ${n} 条`, dumpHelp: '全部内存和寄存器，ELF core 文件：./vitrine x 和 gdb 可以打开。', older: '更早', newer: '更晚',
  },
  lamp: {
    title: '不变量', greenLong: '没有被破坏的。每次观察都会核对页表、页框所有者和计数器。', redLong: (n) => `${n} 项不变量被破坏：`, looks: '次观察', show: '查看',
    help: '连续几次观察都发现才算，因为读取时机器仍在工作。',
  },
};

export const WORDS: Record<Lang, Words> = { en, 'zh-CN': zh };
