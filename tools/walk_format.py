"""The files of guided walks (view/walks, docs/walks.md): a strict reader of their front matter.

NAME.md has everything, with its texts in English; NAME.LANG.md has the texts of the same steps in another language and nothing
that a machine does, so that the two cannot say different things of it. What is wrong is told with the line.
"""
import os
import re

import walk_expr

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(os.path.dirname(HERE), "view/walks")
LANGUAGES = ("en", "zh-CN")
TEXTS = ("ask", "answer", "proof", "wrong")
MACHINE = {"mem": r"\d+[MG]", "harts": r"[1-8]", "isolate": r"on|off", "append": r"\S.*"}
DEFAULTS = {"mem": "128M", "harts": "1", "isolate": "off", "append": ""}
QUERIES = ("ps", "maps", "walk", "pt", "frames", "share", "faults", "check", "layout")
ENTER = "<Enter>"
NAME = re.compile(r"[a-z][a-z0-9-]*")
WORD = re.compile(r"[A-Za-z_]\w*")
WIDE = re.compile(r"[⺀-鿿＀-￯]")


class FormatError(Exception):
    """What is wrong with a walk's file, with its line."""

    def __init__(self, path, line, text):
        super().__init__("%s:%d: %s" % (os.path.relpath(path), line, text))


class Query:
    """name = words: asks the engine, and gives the answer a name."""

    def __init__(self, name, words):
        self.name, self.words = name, words


class Step:
    def __init__(self, name):
        self.name, self.boot, self.do, self.wait = name, None, None, None
        self.see, self.expect = [], []  # Query; (text, tree)
        self.texts = {}  # of the language of the file: ask, answer, proof, wrong


class Walk:
    def __init__(self, name):
        self.name, self.machine, self.steps = name, dict(DEFAULTS), []
        self.titles, self.prose, self.texts = {}, {}, {}  # by language; texts[lang][step][key]

    def languages(self):
        return [lang for lang in LANGUAGES if lang in self.titles]

    def text(self, lang, step, key):
        return self.texts[lang][step.name][key]


class Reader:
    """The lines of one front matter, each with its number."""

    def __init__(self, path):
        self.path, self.at = path, 0
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        if lines[0] != "---":
            raise FormatError(path, 1, "the first line must be ---")
        try:
            end = lines.index("---", 1)
        except ValueError:
            raise FormatError(path, len(lines), "the front matter has no end (a line ---)") from None
        self.lines = [(i + 2, line) for i, line in enumerate(lines[1:end])]
        self.prose = "\n".join(lines[end + 1:]).strip()
        if not self.prose:
            raise FormatError(path, end + 1, "nothing is explained below the front matter")
        for number, line in self.lines:
            if "\t" in line or line != line.rstrip() or not line:
                raise FormatError(path, number, "no tabs, no blanks at the end, no empty lines in the front matter")

    def fail(self, line, text):
        raise FormatError(self.path, line, text)

    def ended(self):
        return self.at == len(self.lines)

    def indent(self):
        """Of the next line; -1 at the end."""
        if self.ended():
            return -1
        line = self.lines[self.at][1]
        return len(line) - len(line.lstrip(" "))

    def take(self):
        self.at += 1
        return self.lines[self.at - 1]

    def last_line(self):
        return self.lines[-1][0] + 1 if self.lines else 2

    def pair(self, number, text):
        """"key: value" of a line's text; value "" when there is none."""
        found = re.fullmatch(r"([a-z]+):(?: (\S.*))?", text)
        if not found:
            self.fail(number, '"key: value" is expected, not "%s"' % text)
        return found.group(1), found.group(2) or ""

    def folded(self, number, indent, first):
        """A text that goes on in lines that are indented deeper."""
        parts = [first] if first else []
        while self.indent() > indent:
            parts.append(self.take()[1].strip())
        if not parts:
            self.fail(number, "a text is missing")
        return join(parts)

    def items(self, number, indent):
        """The lines "- …" of a list, each with its number; an item may go on in deeper lines."""
        found = []
        while self.indent() == indent and self.lines[self.at][1].startswith(" " * indent + "- "):
            line, text = self.take()
            found.append((line, self.folded(line, indent, text.strip()[2:].strip())))
        if not found:
            self.fail(number, 'a list of lines "- …", indented by %d, is missing' % indent)
        return found


def join(parts):
    """Lines of a folded text: a blank between them, but none where Chinese meets Chinese."""
    text = parts[0]
    for part in parts[1:]:
        text += ("" if WIDE.match(text[-1]) and WIDE.match(part[0]) else " ") + part
    return text


# ---- one file ----

def read_file(path, walk, lang):
    """Adds one file to the walk; lang "en" is the file that has everything."""
    reader = Reader(path)
    whole = lang == LANGUAGES[0]
    seen, steps = set(), None
    while not reader.ended():
        number, line = reader.take()
        if line.startswith(" "):
            reader.fail(number, "this is indented too far")
        key, value = reader.pair(number, line)
        if key in seen:
            reader.fail(number, '"%s" is there twice' % key)
        seen.add(key)
        if key == "title" and value:
            walk.titles[lang] = value
        elif key == "machine" and whole and not value:
            read_machine(reader, walk)
        elif key == "steps" and not value:
            steps = read_steps(reader, whole)
        elif key in ("title", "machine", "steps") and (whole or key != "machine"):
            reader.fail(number, '"%s" %s' % (key, "wants a text" if key == "title" else "takes no value on its line"))
        else:
            reader.fail(number, '"%s" cannot be here' % key)
    for key in ("title", "steps"):
        if key not in seen:
            reader.fail(reader.last_line(), '"%s" is missing' % key)
    walk.prose[lang] = reader.prose
    walk.texts[lang] = {step.name: step.texts for _, step in steps}
    if whole:
        walk.steps = [step for _, step in steps]
        check_names(reader, steps)
    else:
        check_same_steps(reader, walk, steps)


def read_machine(reader, walk):
    while reader.indent() == 2:
        number, line = reader.take()
        key, value = reader.pair(number, line.strip())
        if key not in MACHINE:
            reader.fail(number, '"%s" is nothing that a machine has (%s)' % (key, " ".join(MACHINE)))
        if not re.fullmatch(MACHINE[key], value):
            reader.fail(number, '"%s" cannot be "%s"' % (key, value))
        walk.machine[key] = value
    if reader.indent() > 2:
        reader.fail(reader.take()[0], "this is indented too far")


def read_steps(reader, whole):
    """[(line, Step)]"""
    steps = []
    while reader.indent() == 2:
        number, line = reader.take()
        found = re.fullmatch(r"  - step: (\S+)", line)
        if not found or not NAME.fullmatch(found.group(1)):
            reader.fail(number, '"  - step: NAME" is expected')
        step = Step(found.group(1))
        if step.name in [other.name for _, other in steps]:
            reader.fail(number, 'there is another step "%s"' % step.name)
        read_step(reader, step, number, whole)
        steps.append((number, step))
    if not steps:
        reader.fail(reader.last_line(), "there are no steps")
    if not reader.ended() and reader.indent() > 0:
        reader.fail(reader.take()[0], "this is indented too far or too little")
    return steps


def read_step(reader, step, begins, whole):
    seen = {}
    while reader.indent() == 4:
        number, line = reader.take()
        key, value = reader.pair(number, line.strip())
        if key in seen:
            reader.fail(number, '"%s" is there twice' % key)
        seen[key] = number
        if key in TEXTS:
            step.texts[key] = reader.folded(number, 4, value)
        elif not whole or key not in ("boot", "do", "wait", "see", "expect"):
            reader.fail(number, '"%s" cannot be in a step%s' % (key, "" if whole else " of a translation"))
        elif key in ("see", "expect"):
            if value:
                reader.fail(number, '"%s" takes no value on its line' % key)
            items = reader.items(number, 6)
            step.see, step.expect = (queries(reader, items), step.expect) if key == "see" else (step.see, expectations(reader, items))
        elif not value:
            reader.fail(number, '"%s" wants a value' % key)
        else:
            setattr(step, key, value)
    if reader.indent() not in (-1, 0, 2):
        reader.fail(reader.take()[0], "this is indented too far or too little")
    for key in TEXTS + (("see", "expect") if whole else ()):
        if key not in seen:
            reader.fail(begins, 'step "%s" has no "%s"' % (step.name, key))
    if whole and (step.do is None) != (step.wait is None):
        reader.fail(begins, 'step "%s": "do" and "wait" belong together' % step.name)
    if step.wait:
        for name in re.findall(r"\{(.*?)\}", step.wait):
            if not WORD.fullmatch(name):
                reader.fail(seen["wait"], '"{%s}" is no name' % name)


def queries(reader, items):
    found = []
    for number, text in items:
        match = re.fullmatch(r"(\w+) = (.+)", text)
        if not match or not WORD.fullmatch(match.group(1)):
            reader.fail(number, '"name = query" is expected, not "%s"' % text)
        words = split_words(reader, number, match.group(2))
        if words[0] not in QUERIES:
            reader.fail(number, "%s is no query of the engine (%s)" % (words[0], " ".join(QUERIES)))
        found.append(Query(match.group(1), words))
    return found


def split_words(reader, number, text):
    """Words, of which some are {expressions}: those come as trees."""
    words = []
    for word in re.findall(r"\{[^}]*\}|[^\s{}]+|.", text):
        if word.startswith("{"):
            try:
                words.append(walk_expr.parse_value(word[1:-1]))
            except walk_expr.ExprError as error:
                reader.fail(number, "%s: %s" % (word, error))
        elif word.strip():
            words.append(word)
    return words


def expectations(reader, items):
    found = []
    for number, text in items:
        try:
            found.append((text, walk_expr.parse_comparison(text)))
        except walk_expr.ExprError as error:
            reader.fail(number, "%s: %s" % (text, error))
    return found


# ---- what belongs together ----

def check_names(reader, steps):
    """Every name that is used was given one before, and no name is given twice."""
    known = set()
    for number, step in steps:
        given = re.findall(r"\{(.*?)\}", step.wait or "")
        for name in given + [query.name for query in step.see]:
            if name in known and not step.boot:
                reader.fail(number, 'step "%s": the name "%s" is taken' % (step.name, name))
        known |= set(given)
        for query in step.see:
            for word in query.words:
                check_known(reader, number, step, word, known)
            known.add(query.name)
        for _, tree in step.expect:
            check_known(reader, number, step, tree, known)


def check_known(reader, number, step, tree, known):
    unknown = sorted(walk_expr.names(tree) - known) if isinstance(tree, dict) else []
    if unknown:
        reader.fail(number, 'step "%s": nothing is called "%s"' % (step.name, unknown[0]))


def check_same_steps(reader, walk, steps):
    wanted, there = [step.name for step in walk.steps], [step.name for _, step in steps]
    for i, (number, step) in enumerate(steps):
        if i >= len(wanted) or step.name != wanted[i]:
            reader.fail(number, 'step "%s" where the walk has "%s"' % (step.name, wanted[i] if i < len(wanted) else "no more"))
    if len(there) < len(wanted):
        reader.fail(reader.last_line(), 'step "%s" is missing' % wanted[len(there)])


# ---- all of them ----

def walk_names(folder=FOLDER):
    return sorted(file[:-3] for file in os.listdir(folder) if file.endswith(".md") and NAME.fullmatch(file[:-3]))


def load(name, folder=FOLDER):
    """A walk in all its languages. Raises FormatError, or OSError when there is none."""
    walk = Walk(name)
    for lang in LANGUAGES:
        path = os.path.join(folder, name + (".md" if lang == LANGUAGES[0] else ".%s.md" % lang))
        if lang == LANGUAGES[0] or os.path.exists(path):
            read_file(path, walk, lang)
    return walk


def to_json(walk):
    """What a page needs to show and take the walk: docs/walks.md describes it."""
    return {
        "version": 1, "name": walk.name, "machine": walk.machine,
        "steps": [{"name": s.name, "boot": s.boot, "do": s.do, "wait": s.wait, "see": [{"name": q.name, "words": q.words} for q in s.see],
                   "expect": [{"text": text, "tree": tree} for text, tree in s.expect]} for s in walk.steps],
        "languages": {lang: {"title": walk.titles[lang], "prose": walk.prose[lang], "steps": walk.texts[lang]} for lang in walk.languages()},
    }
