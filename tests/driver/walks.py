"""The guided walks (view/walks): each holds; their files say the same in both languages; and a walk fails where its feature is broken."""
import json
import os
import re
import shutil
import sys
import tempfile

from . import core, mutants, view
from .core import TOP, WORK, Failed, Test

sys.path.insert(0, os.path.join(TOP, "tools"))
import walk_expr  # noqa: E402
import walk_format  # noqa: E402

WALK = os.path.join(TOP, "tools/walk.py")
PATCHES = os.path.join(TOP, "tests/walks")
PATIENCE = "6"  # as guests' own time limits: two of them share two cores
FILE = re.compile(r"`?((?:kernel|user|docs|view|tests|tools)/[\w./-]+\.\w+)`?", re.ASCII)
# NAME and NAME in FILE; and the same in Chinese.
PLACES = (re.compile(r"(?P<names>\w+(?:(?:,| and) \w+)*) in (?P<file>kernel/[\w./-]+\.[chS])", re.ASCII),
          re.compile(r"(?P<file>kernel/[\w./-]+\.[chS]) 里的 (?P<names>\w+(?: 和 \w+)*)", re.ASCII),
          re.compile(r"`(?P<file>kernel/[\w./-]+\.[chS])`[ （(]+(?P<names>`\w+`(?:[,、 ]+`\w+`)*)[）)]", re.ASCII))

# Of a walk that is right, but for one change: what must be said of it, with the line.
GOOD = """---
title: A title
machine:
  mem: 64M
steps:
  - step: first
    ask: What
      happens?
    do: walk it
    wait: it: pid {pid}
    see:
      - leaf = walk {pid} 0
    expect:
      - leaf.reason == "ok"
    answer: This.
    proof: So.
    wrong: Not so.
---
Prose.
"""
WRONG = [
    ("---\ntitle", "--\ntitle", 1, "the first line must be ---"),
    ("---\nProse.", "Prose.", 19, "has no end"),
    ("Prose.", "", 18, "nothing is explained"),
    ("title: A title", "title:", 2, '"title" wants a text'),
    ("title: A title", "title: A title\ntitle: B", 3, '"title" is there twice'),
    ("title: A title\n", "", 17, '"title" is missing'),
    ("title: A title", "head: A title", 2, '"head" cannot be here'),
    ("title: A title", "title: A title ", 2, "no blanks at the end"),
    ("  mem: 64M", "\tmem: 64M", 4, "no tabs"),
    ("mem: 64M", "mem: plenty", 4, '"mem" cannot be "plenty"'),
    ("mem: 64M", "disk: 64M", 4, '"disk" is nothing that a machine has'),
    ("mem: 64M", "mem 64M", 4, '"key: value" is expected'),
    ("step: first", "step: First!", 6, '"  - step: NAME" is expected'),
    ("    do: walk it\n", "", 6, '"do" and "wait" belong together'),
    ("    answer: This.\n", "", 6, 'has no "answer"'),
    ("    proof: So.", "    proof:", 16, "a text is missing"),
    ("    proof: So.", "    proof: So.\n    proof: So.", 17, '"proof" is there twice'),
    ("    proof: So.", "    prof: So.", 16, '"prof" cannot be in a step'),
    ("    proof: So.", "   proof: So.", 16, "too far or too little"),
    ("pid {pid}\n", "pid {p-d}\n", 10, "is no name"),
    ("leaf = walk", "leaf walk", 12, '"name = query" is expected'),
    ("leaf = walk", "leaf = run", 12, "run is no query"),
    ("{pid} 0", "{pid +} 0", 12, "a value is missing"),
    ("{pid} 0", "{pit} 0", 6, 'nothing is called "pit"'),
    ('      - leaf.reason == "ok"', '      - leaf.reason', 14, "there is no comparison"),
    ('leaf.reason == "ok"', 'leaf.reason == "ok', 14, "cannot be read"),
    ('leaf.reason == "ok"', 'leaf.reason == "ok" twice', 14, 'nothing can follow before "twice"'),
    ('leaf.reason == "ok"', 'lief.reason == "ok"', 6, 'nothing is called "lief"'),
    ('      - leaf.reason == "ok"\n', "", 13, "is missing"),
]
OTHER = """---
title: 标题
steps:
  - step: first
    ask: 会
      怎样？
    answer: 这样。
    proof: 是。
    wrong: 不是。
---
正文。
"""
OTHER_WRONG = [
    ("step: first", "step: second", 4, 'step "second" where the walk has "first"'),
    ("---\n正文", "  - step: more\n    ask: 一\n    answer: 二\n    proof: 三\n    wrong: 四\n---\n正文", 10, 'where the walk has "no more"'),
    ("    answer: 这样。", "    do: ls\n    answer: 这样。", 7, '"do" cannot be in a step of a translation'),
    ("steps:", "machine:\n  mem: 1G\nsteps:", 3, '"machine" cannot be here'),
]


# ---- the format ----

def complaint(folder, english, other=None):
    """What is said of the two files, or None."""
    for name, text in (("it.md", english), ("it.zh-CN.md", other)):
        path = os.path.join(folder, name)
        if text is None:
            if os.path.exists(path):
                os.unlink(path)
            continue
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    try:
        walk_format.load("it", folder)
        return None
    except walk_format.FormatError as error:
        return str(error)


def check_errors(folder):
    if complaint(folder, GOOD, OTHER):
        raise Failed("a right walk is refused: %s" % complaint(folder, GOOD, OTHER))
    for table, both in ((WRONG, False), (OTHER_WRONG, True)):
        for old, new, line, words in table:
            text = OTHER if both else GOOD
            if text.count(old) < 1:
                raise Failed("the test's own table: %r" % old)
            changed = text.replace(old, new, 1)
            said = complaint(folder, GOOD if both else changed, changed if both else None)
            if not said or words not in said or ":%d:" % line not in said:
                raise Failed("%r for %r: %r, wanted line %d and %r" % (new, old, said, line, words))
    complaint(folder, GOOD, OTHER)
    walk = walk_format.load("it", folder)
    if walk.text("en", walk.steps[0], "ask") != "What happens?" or walk.text("zh-CN", walk.steps[0], "ask") != "会怎样？":
        raise Failed("a folded text: %r" % walk.texts)


VALUES = {"a": 5, "s": "VR", "n": None, "t": True, "l": [{"k": "x", "v": "0x10"}, {"k": "y"}]}
EXPRESSIONS = [  # and what is said of these values, or words of why nothing can be
    ("a == 5", True), ("a + 2 * 2 == 14", True), ("a + (2 * 2) == 9", True), ("a << 2 & 0xf == 4", True), ("a >= 5", True), ("a < 5", False),
    ('s has "V"', True), ('s lacks "W"', True), ("n == null", True), ("a != null", True), ("l.length == 2", True), ("l[-1].k == \"y\"", True),
    ('count(l, k == "x") == 1', True), ("count(l, v == 16) == 1", True), ("count(l) == a - 3", True), ('find(l, k == "x").v == 0x10', True),
    ('find(l, k == "z").v == 1', "there is none"), ("b == 1", "nothing is called b"), ("l.k == 1", "there is no l.k"), ("s < 1", "not a number"),
    ("count(l, vv == 1) == 0", "neither an item nor anything else is called vv"), ("l[2].k == 1", "there is no l[2]"), ("count(a) == 0", "not a list"),
    ("a has 5", "holds nothing"), ("t == 1", False), ("l has 1", False), ("find(l).k == \"x\"", True), ("a * 0x1000000000 >> 36 == 5", True),
]


def check_expressions():
    for text, wanted in EXPRESSIONS:
        try:
            found = walk_expr.evaluate(walk_expr.parse_comparison(text), VALUES)
        except walk_expr.EvalError as error:
            found = str(error)
        if found is not wanted and not (isinstance(found, str) and isinstance(wanted, str) and wanted in found):
            raise Failed("%s: %r, wanted %r" % (text, found, wanted))


def check_places(name):
    """What a walk names is there: files, and functions in them."""
    for lang in walk_format.LANGUAGES:
        path = os.path.join(walk_format.FOLDER, name + (".md" if lang == "en" else ".%s.md" % lang))
        with open(path, encoding="utf-8") as file:
            text = " ".join(file.read().split())
        for found in FILE.findall(text):
            if not os.path.exists(os.path.join(TOP, found)):
                raise Failed("%s: there is no %s" % (path, found))
        for match in [match for pattern in PLACES for match in pattern.finditer(text)]:
            with open(os.path.join(TOP, match.group("file"))) as file:
                source = file.read()
            for word in re.findall(r"\w*_\w*", match.group("names"), re.ASCII):
                if not re.search(r"\b%s\b" % word, source):
                    raise Failed("%s: there is no %s in %s" % (path, word, match.group("file")))


def check_walk_files():
    names = walk_format.walk_names()
    if len(names) < 10:
        raise Failed("there are %d walks" % len(names))
    for name in names:
        walk = walk_format.load(name)
        if walk.languages() != list(walk_format.LANGUAGES):
            raise Failed("%s is written in %s" % (name, " ".join(walk.languages())))
        check_places(name)
        exported = json.loads(json.dumps(walk_format.to_json(walk)))
        for lang, texts in exported["languages"].items():
            if list(texts["steps"]) != [step["name"] for step in exported["steps"]]:
                raise Failed("%s --json: the steps in %s are others" % (name, lang))


def check_format(test, members):
    with tempfile.TemporaryDirectory() as folder:
        check_errors(folder)
    check_expressions()
    check_walk_files()
    done = core.run_python(WALK, "--json", "cow", limit=60, log=test.log)
    if done.status != 0 or json.loads(done.out)["name"] != "cow":
        raise Failed("--json cow: " + done.tail())
    done = core.run_python(WALK, "--list", "--lang", "zh-CN", limit=60, log=test.log)
    if done.status != 0 or len(done.out.splitlines()) != len(walk_format.walk_names()) or "写时复制" not in done.out:
        raise Failed("--list: " + done.tail())
    done = core.run_python(WALK, "nowhere", limit=60, log=test.log)
    if done.status != 2 or "no walk is called nowhere" not in done.err:
        raise Failed("a walk that is none: status %s" % done.status)


# ---- the walks themselves ----

def take(test, name, *options):
    """{step: None, or why it does not hold} of one boot."""
    done = core.run_python(WALK, "--check", "--no-build", "--patience", PATIENCE, name, *options, limit=400, log=test.log)
    plan = re.search(r"^1\.\.(\d+)$", done.out, re.M)
    found = {}
    for line in done.out.splitlines():
        result = re.match(r"(ok|not ok) \d+ \S+?\.(\S+)$", line)
        if result:
            last = result.group(2)
            found[last] = None if result.group(1) == "ok" else ""
        elif line.startswith("#   "):
            found[last] += line[4:] + "\n"
    if not plan or int(plan.group(1)) != len(found) or done.status != (1 if any(why is not None for why in found.values()) else 0):
        raise Failed("status %s: %s" % (done.status, done.tail()))
    return found


def holds(test, members):
    view.prepare(test)
    for step, why in take(test, test.name.split(".", 1)[1]).items():
        if why is not None:
            raise Failed("%s: %s" % (step, why))


def prove(test, members):
    """The page's evaluator (view/walks/prove.ts) agrees with ours."""
    view.prepare(test)
    os.makedirs(WORK, exist_ok=True)
    path = os.path.join(WORK, test.name + ".json")
    with open(path, "w") as file:
        json.dump({"values": VALUES, "cases": [{"text": text, "tree": walk_expr.parse_comparison(text), "want": want} for text, want in EXPRESSIONS],
                   "walks": [walk_format.to_json(walk_format.load(name)) for name in walk_format.walk_names()]}, file)
    view.run_node(test, "walks", env={"WALK_CASES": path})


def told(test, members):
    """A reader who only presses Enter sees question, answer of the engine and proof of each step, in both languages."""
    view.prepare(test)
    for lang, name in (("en", "cow"), ("zh-CN", "pgaccess")):
        done = core.run_python(WALK, "--no-build", "--patience", PATIENCE, "--lang", lang, name, limit=200, log=test.log)
        walk = walk_format.load(name)
        text = re.sub(r"\s+", "", done.out)
        for step in walk.steps:
            for key in ("ask", "answer", "proof"):
                if re.sub(r"\s+", "", walk.text(lang, step, key)) not in text:
                    raise Failed("%s in %s, step %s: its %s was not shown" % (name, lang, step.name, key))
        if done.status != 0 or done.out.count("./vitrine x ") != sum(len(step.see) for step in walk.steps):
            raise Failed("%s in %s: status %s: %s" % (name, lang, done.status, done.tail()))


# ---- broken on purpose ----

# A boot argument that takes a feature away; the step that must go red, and what it must say.
WITHOUT = [
    ("usyscall", "trace=on", "asked", "is 0, times is 100"),
    ("superpage", "thp=never", "touched", "leaf.size is 4096"),
    ("swap", "zram=0", "out", ".swapped == 16, but"),
]


def wants_red(test, name, reds, *options):
    """reds: [(step, words)]. The walk goes red at the first of them and not before; all of them say these words and what they mean."""
    found = take(test, name, *options)
    walk = walk_format.load(name)
    first = next((step.name for step in walk.steps if found[step.name] is not None), None)
    if first != reds[0][0]:
        raise Failed("%s goes red at %s, wanted at %s: %s" % (name, first, reds[0][0], found.get(first)))
    meanings = {step.name: walk.text("en", step, "wrong") for step in walk.steps}
    for step, words in reds:
        why = found[step]
        if why is None:
            raise Failed("%s does not see it: step %s still holds" % (name, step))
        if words not in why or meanings[step] not in why:
            raise Failed("%s.%s is red, but for another reason: %s" % (name, step, why))


def without(test, members):
    view.prepare(test)
    for name, argument, step, words in WITHOUT:
        wants_red(test, name, [(step, words)], "--append", argument)


class Patch(mutants.Mutant):
    """tests/walks/WALK.patch: what it breaks, and lines "red: WALK.STEP WORDS", the first of which is of the first step to go red."""

    def __init__(self, file):
        self.name, self.path = file[:-len(".patch")], os.path.join(PATCHES, file)
        with open(self.path) as text:
            self.reds = re.findall(r"^red: %s\.(\S+) (.+)$" % self.name, text.read(), re.M)
        if not self.reds:
            raise Failed("%s does not say what goes red" % file)


def broken(test, members):
    """One kernel with all of the planted bugs, which have nothing to do with each other; a walk without one still holds."""
    view.prepare(test)
    os.makedirs(WORK, exist_ok=True)
    planted = [Patch(file) for file in sorted(os.listdir(PATCHES)) if file.endswith(".patch")]
    with tempfile.TemporaryDirectory(dir=WORK) as tree:
        for name in ("kernel", "mk", "tools", "user", "Makefile"):
            source = os.path.join(TOP, name)
            (shutil.copytree if os.path.isdir(source) else shutil.copy2)(source, os.path.join(tree, name))
        for patch in planted:
            problem = mutants.patch(tree, patch)
            if problem:
                raise Failed("%s.patch %s" % (patch.name, problem))
        done = core.run(["make", "-s", "-j2", "V=release", "B=build", "kernel"], limit=400, log=test.log, cwd=tree)
        if done.status != 0:
            raise Failed("the broken kernel does not compile: " + done.tail())
        kernel = os.path.join(tree, "build/release/vitrine.elf")
        for patch in planted:
            wants_red(test, patch.name, patch.reds, "--kernel", kernel)
        if any(why is not None for why in take(test, "vmprint", "--kernel", kernel).values()):
            raise Failed("vmprint fails on that kernel, although nothing of it is broken")


def tests():
    needs = ["release", "images"]
    yield Test("walks.format", check_format, seconds=2, quick=True)
    for name in walk_format.walk_names():
        yield Test("walks." + name, holds, needs, seconds=5)
    yield Test("walks.prove", prove, seconds=5, quick=True)
    yield Test("walks.told", told, needs, seconds=10)
    yield Test("walks.without", without, needs, seconds=10)
    yield Test("walks.broken", broken, needs, seconds=60)
