#!/usr/bin/python3
"""Guided walks: predict, do, see, prove (./vitrine walk, docs/walks.md).

A walk boots a machine of its own, types into its console, and asks the engine what memory says then. Each step first asks for
a prediction; its proof is what the engine answers, not what a program in the guest prints. With --check no questions are asked: KTAP, a
line for each step. Exit status: 0 everything that was claimed holds, 1 something does not, 2 there is no such walk.
"""
import argparse
import json
import os
import shutil
import signal
import sys
import textwrap

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import machine  # noqa: E402
import walk_expr  # noqa: E402
import walk_format  # noqa: E402
import walk_guest  # noqa: E402

LONGEST_ANSWER = 24  # lines of an answer that are shown
PHRASES = {
    "en": {"step": "Step {n} of {total}: {name}", "predict": "Predict first", "do": "In the guest", "see": "See",
           "boot": "A machine boots: {what}", "answer": "The answer", "holds": "It holds", "fails": "It does NOT hold", "left": "... {n} lines before these",
           "end": "The end: {good} of {total} steps hold. Why it is so: {path}", "astray": "The walk ends here", "enter_key": "Enter",
           "asked": "your guess> ", "colon": ": "},
    "zh-CN": {"step": "第 {n} 步，共 {total} 步：{name}", "predict": "先猜一猜", "do": "在客户机里", "see": "看",
              "boot": "启动一台机器：{what}", "answer": "答案", "holds": "成立", "fails": "不成立", "left": "……前面还有 {n} 行",
              "end": "走完了：{total} 步中有 {good} 步成立。为什么会这样：{path}", "astray": "只能走到这里", "enter_key": "回车",
              "asked": "你的猜测> ", "colon": "："},
}


class Broken(Exception):
    """A claim does not hold. The text says which, and what is there instead."""


class Outcome:
    """Of one step. why: None when it holds. meaning: what a broken claim says of the kernel; None when none was broken."""

    def __init__(self, step, why=None, meaning=None):
        self.step, self.why, self.meaning = step, why, meaning

    def lines(self):
        return self.why.splitlines() + (["what it means: " + self.meaning] if self.meaning else [])


class Silent:
    """Shows nothing: for --check and for graders."""

    def __getattr__(self, name):
        return lambda *args: None


class Terminal:
    """Shows a walk to a reader, and waits for the reader's guess before the machine acts."""

    def __init__(self, walk, lang):
        self.walk, self.lang, self.phrases = walk, lang, PHRASES[lang]
        self.width = min(shutil.get_terminal_size().columns, 110)

    def say(self, phrase, **values):
        return self.phrases[phrase].format(**values)

    def paragraph(self, text, indent=""):
        # Chinese has no blanks to break lines at, and two columns a character.
        wide = self.lang != "en"
        print(textwrap.fill(text, (self.width - len(indent)) // 2 if wide else self.width, initial_indent=indent, subsequent_indent=indent,
                            break_long_words=wide))

    def title(self):
        print("\n== %s ==" % self.walk.titles[self.lang])

    def boot(self, options):
        what = " ".join("%s=%s" % item for item in options.items() if item[1])
        print("\n%s" % self.say("boot", what=what), flush=True)

    def ask(self, number, step):
        print("\n-- %s --" % self.say("step", n=number, total=len(self.walk.steps), name=step.name))
        print((self.say("predict") + self.say("colon")).rstrip())
        self.paragraph(self.walk.text(self.lang, step, "ask"), "  ")
        try:
            input(self.say("asked"))
        except EOFError:
            print()

    def did(self, step, line):
        print(self.say("do") + self.say("colon") + (self.say("enter_key") if step.do == walk_format.ENTER else step.do))
        print("  > " + line)

    def saw(self, words, text):
        print("%s%s./vitrine x %s" % (self.say("see"), self.say("colon"), " ".join(words)))
        lines = text.rstrip().splitlines()
        if len(lines) > LONGEST_ANSWER:
            print("  " + self.say("left", n=len(lines) - LONGEST_ANSWER))
        for line in lines[-LONGEST_ANSWER:]:
            print("  " + line)

    def proved(self, step):
        print((self.say("answer") + self.say("colon")).rstrip())
        self.paragraph(self.walk.text(self.lang, step, "answer"), "  ")
        for text, _ in step.expect:
            print("  [ok] " + text)
        self.paragraph(self.say("holds") + self.say("colon") + self.walk.text(self.lang, step, "proof"))

    def failed(self, step, why):
        for line in why.splitlines():
            print("  [!!] " + line)
        self.paragraph(self.say("fails") + self.say("colon") + self.walk.text(self.lang, step, "wrong"))

    def astray(self, why):
        print(self.say("astray") + self.say("colon") + why)

    def end(self, good):
        path = os.path.join(walk_format.FOLDER, self.walk.name + (".md" if self.lang == "en" else ".%s.md" % self.lang))
        print("\n" + self.say("end", good=good, total=len(self.walk.steps), path=os.path.relpath(path)))


class Taken:
    """One walk on its way: the machine, and all that has got a name so far."""

    def __init__(self, walk, kernel, overrides, face, patience=1.0):
        self.walk, self.kernel, self.overrides, self.face, self.patience = walk, kernel, overrides, face, patience
        self.guest = self.engine = None
        self.values = {}

    def boot(self, more):
        """The walk's machine; what the step and the caller want otherwise comes last on the kernel's command line, and counts."""
        self.close()
        options = dict(self.walk.machine)
        for key in ("mem", "harts", "isolate"):
            options[key] = self.overrides.get(key) or options[key]
        options["append"] = " ".join(filter(None, [options["append"], more, self.overrides.get("append")]))
        self.face.boot(options)
        self.guest = walk_guest.Guest(self.kernel, options, self.patience)
        self.engine = walk_guest.Engine(self.guest.description())

    def words(self, query):
        """The query's words, with what stands for its {expressions}."""
        return [word if isinstance(word, str) else spell(walk_expr.evaluate(word, self.values)) for word in query.words]

    def take(self, number, step):
        """Raises Broken, or Astray when there is no going on."""
        if step.boot is not None or not self.guest:
            self.boot(step.boot)
        self.face.ask(number, step)
        if step.do is not None:
            self.guest.type("" if step.do == walk_format.ENTER else step.do)
            self.values.update(self.guest.wait_line(step.wait))
            self.face.did(step, self.guest.last_line())
        for query in step.see:
            try:
                words = self.words(query)
            except walk_expr.EvalError as error:
                raise Broken("%s cannot be asked: %s" % (query.name, error)) from None
            if not isinstance(self.face, Silent):
                self.face.saw(words, self.engine.ask(words, "--lang", self.face.lang))
            self.values[query.name] = self.engine.answer(words)
        self.prove(step)
        self.face.proved(step)

    def prove(self, step):
        wrong = []
        for text, tree in step.expect:
            try:
                if not walk_expr.evaluate(tree, self.values):
                    wrong.append("%s, but %s" % (text, walk_expr.values_said(tree, self.values)))
            except walk_expr.EvalError as error:
                wrong.append("%s: %s" % (text, error))
        if wrong:
            raise Broken("\n".join(wrong))

    def steps(self):
        """Takes them one by one: yields an Outcome each. After going astray nothing can be taken until the next boot."""
        astray = None
        for number, step in enumerate(self.walk.steps, 1):
            if astray and step.boot is None:
                yield Outcome(step.name, "not taken, because of what was before")
                continue
            astray = None
            try:
                self.take(number, step)
                yield Outcome(step.name)
            except Broken as broken:
                self.face.failed(step, str(broken))
                yield Outcome(step.name, str(broken), self.walk.text("en", step, "wrong"))
            except walk_guest.Astray as problem:
                astray = str(problem)
                self.face.astray(astray)
                yield Outcome(step.name, astray)

    def close(self):
        if self.guest:
            self.guest.close()
            self.guest = None


def spell(value):
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise walk_expr.EvalError("%s is no word of a query" % walk_expr.say(value))
    return value if isinstance(value, str) else hex(value) if value >= 1 << 16 else str(value)


def take_silently(name, kernel, overrides=None, patience=1.0):
    """For graders: the outcomes of all steps."""
    taken = Taken(walk_format.load(name), kernel, overrides or {}, Silent(), patience)
    try:
        return list(taken.steps())
    finally:
        taken.close()


# ---- the command ----

def check(names, kernel, overrides, patience):
    """KTAP. Returns the number of steps that do not hold."""
    walks = [walk_format.load(name) for name in names]
    print("KTAP version 1\n1..%d" % sum(len(walk.steps) for walk in walks))
    number = bad = 0
    for walk in walks:
        taken = Taken(walk, kernel, overrides, Silent(), patience)
        try:
            for outcome in taken.steps():
                number += 1
                print("%s %d %s.%s" % ("not ok" if outcome.why else "ok", number, walk.name, outcome.step))
                if outcome.why:
                    bad += 1
                    print("".join("#   %s\n" % line for line in outcome.lines()), end="")
                sys.stdout.flush()
        finally:
            taken.close()
    return bad


def show(name, lang, kernel, overrides, patience):
    walk = walk_format.load(name)
    if lang not in walk.languages():
        raise machine.Problem("%s is not written in %s" % (name, lang))
    face = Terminal(walk, lang)
    taken = Taken(walk, kernel, overrides, face, patience)
    face.title()
    try:
        good = sum(outcome.why is None for outcome in taken.steps())
    finally:
        taken.close()
    face.end(good)
    return len(walk.steps) - good


def list_walks(lang):
    for name in walk_format.walk_names():
        walk = walk_format.load(name)
        print("%-12s %s" % (name, walk.titles.get(lang) or walk.titles["en"]))


def parse(argv):
    parser = argparse.ArgumentParser(prog="vitrine walk", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="which walk; with --check several, or none for all")
    add("--list", action="store_true", help="the walks there are")
    add("--check", action="store_true", help="no questions: only whether each step holds")
    add("--json", action="store_true", help="the walk itself as JSON, for pages that show it; without a name a list of all")
    add("--lang", default="en", choices=walk_format.LANGUAGES, help="the language of the texts")
    add("--append", default="", metavar="ARGS", help="more kernel arguments, for example thp=never: what does the walk say then?")
    add("--mem", metavar="SIZE", help="another size of RAM")
    add("--harts", metavar="N", help="another number of harts")
    add("--variant", default="release", choices=["release", "debug", "release-clang", "debug-clang"], help="which kernel")
    add("--kernel", metavar="ELF", help="this kernel, as it is (nothing is built)")
    add("--no-build", action="store_true", help="take kernel and image as they are")
    add("--patience", type=float, default=1.0, metavar="X", help="time limits grow by this on a slow machine")
    args = parser.parse_args(argv)
    unknown = [name for name in args.names if name not in walk_format.walk_names()]
    if unknown:
        parser.error("no walk is called %s; --list lists them" % " ".join(unknown))
    if not (args.list or args.check or args.json) and len(args.names) != 1:
        parser.error("which walk? --list lists them")
    return args


def build(args):
    """The kernel's path; kernel and image are there afterwards."""
    if not args.no_build:
        if not args.kernel:
            variant, _, clang = args.variant.partition("-")
            machine.make("kernel", "V=" + variant, "CC_KIND=" + (clang or "gcc"))
        machine.make(os.path.relpath(machine.image_path("disk"), machine.TOP))
    return args.kernel or machine.kernel_path(args.variant)


def main(argv):
    args = parse(argv)
    sys.stdout.reconfigure(encoding="utf-8")  # whatever the locale: the texts are
    # The machine's files go away in any case.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        if args.list:
            list_walks(args.lang)
            return 0
        if args.json:
            walks = [walk_format.to_json(walk_format.load(name)) for name in args.names or walk_format.walk_names()]
            print(json.dumps(walks[0] if len(args.names) == 1 else walks, ensure_ascii=False, indent=1))
            return 0
        kernel = build(args)
        overrides = {"append": args.append, "mem": args.mem, "harts": args.harts}
        if args.check:
            bad = check(args.names or walk_format.walk_names(), kernel, overrides, args.patience)
        else:
            bad = show(args.names[0], args.lang, kernel, overrides, args.patience)
        return 1 if bad else 0
    except (walk_format.FormatError, walk_guest.Astray, machine.Problem) as problem:
        sys.stderr.write("vitrine: %s\n" % problem)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that nothing more is complained about at the exit
        return 128 + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
