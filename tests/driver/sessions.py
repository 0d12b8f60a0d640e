"""./vitrine record and replay: a session runs again to the bit, stops where it is told to, and refuses what would lead it astray."""
import json
import os
import re
import shutil
import zipfile

from . import core, view, viewer
from .core import BUILD, TOP, WORK, Failed, Skipped, Test

RECORD, REPLAY = os.path.join(TOP, "tools/record.py"), os.path.join(TOP, "tools/replay.py")
# Randomness, the clock, the disk and two processes: all that comes from outside or from chance.
COMMAND = "cat /proc/sys/kernel/random/uuid; date +%N; ls -lR /etc >/tmp/l; sleep 0.3 & wait; cat /proc/uptime"


HASH_RAM = "import json, hashlib; print(hashlib.sha256(open(json.load(open(\"%s\"))[\"ram\"], \"rb\").read()).hexdigest())"


def session_path(test):
    os.makedirs(WORK, exist_ok=True)
    return os.path.join(WORK, test.name + ".vitrine")


def tool(test, path, *args, status=0):
    done = core.run_python(path, *args, limit=120, log=test.log)
    if done.status != status:
        raise Failed("%s %s: status %s: %s" % (os.path.basename(path), " ".join(args), done.status, (done.err or done.out)[-300:]))
    return done


def recorded(test):
    path = session_path(test)
    done = tool(test, RECORD, "--no-build", "--mem", "64M", "--exec", COMMAND, "-o", path, "--watch", path + ".json")
    if not re.search(r"^[0-9a-f]{8}-", done.out) or os.path.getsize(path) > 1 << 20:
        raise Failed("recorded %d bytes of %r" % (os.path.getsize(path), done.out[-200:]))
    return path, done.out


def manifest(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("manifest.json").decode())


def to_the_bit(test, members):
    """Twice, the console and all of RAM; and at an instruction in between, twice the same RAM."""
    path, out = recorded(test)
    for _ in range(2):
        done = tool(test, REPLAY, path, "--watch", path + ".json")
        if "RAM at the end is what it was" not in done.err or out.strip() not in done.out.replace("\r\n", "\n"):
            raise Failed("the replay printed %r, %r" % (done.out[-300:], done.err[-200:]))
    seen = set()
    for _ in range(2):
        done = tool(test, REPLAY, "--quiet", path, "--at", "9000000", "--watch", path + ".json",
                    "--then", "python3 -c '%s'" % (HASH_RAM % (path + ".json")))
        seen.add(done.out.strip())
    if len(seen) != 1 or manifest(path)["ram_sha256"] in seen:
        raise Failed("RAM at instruction 9000000: %r" % seen)


def changed(path, target, change):
    """A copy of a session with another manifest."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in source.namelist():
            data = source.read(name)
            if name == "manifest.json":
                about = json.loads(data.decode())
                change(about)
                data = json.dumps(about).encode()
            copy.writestr(name, data)
    return target


def refused(test, members):
    path, _ = recorded(test)
    other = session_path(test) + ".other"

    def expect(words, *args):
        done = tool(test, REPLAY, *args, "--watch", path + ".json", status=1)
        if words not in done.err:
            raise Failed("%s: %r" % (words, done.err[-300:]))

    expect("recorded with\n    QEMU emulator version 5", changed(path, other, lambda a: a.update(qemu="QEMU emulator version 5")))
    expect("disk that is not here any more", changed(path, other, lambda a: a["disk"].update(sha256="0" * 64)))
    expect("version 99 of the format", changed(path, other, lambda a: a.update(version=99)))
    expect("is no recorded session", changed(path, other, lambda a: a.update(format="tar")))
    expect("the session ends before instruction", path, "--quiet", "--at", str(10 ** 12))
    expect("no mark 'there'", path, "--at", "there")
    expect("no file", path + ".none")
    with open(path, "rb") as file:
        data = file.read()
    with open(other, "wb") as file:
        file.write(data[:len(data) // 2])
    expect("is no recorded session, or is damaged", other)
    # A log of another run: the machine goes astray, and that is said.
    expect("went astray", changed(path, other, lambda a: a.update(ram_sha256="0" * 64)), "--quiet")


def as_a_page(test, members):
    """What there was to see is in the session, and a page of its own shows it: its differences lead to the last state."""
    if not shutil.which("node"):
        raise Skipped("no Node on this machine")
    path, _ = recorded(test)
    page = path + ".html"
    tool(test, REPLAY, path, "--page", page)
    with open(page) as file:
        text = file.read()
    session = view.session_in(page)
    if session["format"] != "vitrine-view" or not session["history"]["deltas"]:
        raise Failed("no session in the page")
    kinds = {event[3] for event in session["events"]}
    if not {"fault", "fork", "exec", "exit"} <= kinds or "<exec>" not in session["console"]:
        raise Failed("events of kinds %s" % sorted(kinds))
    lines = {event[18] for event in session["events"] if len(event) > 18}
    if not any(re.fullmatch(r"[\w/]+\.[cS]:[1-9]\d*", line) for line in lines):
        raise Failed("source lines of events: %s" % sorted(lines))
    if re.search(r"""(src|href)=["']?https?:""", text):
        raise Failed("the page loads something from elsewhere")
    without = session_path(test) + ".without"
    tool(test, RECORD, "--no-build", "--no-view", "--mem", "64M", "--exec", "true", "-o", without, "--watch", without + ".json")
    done = tool(test, REPLAY, without, "--page", page, status=1)
    if "recorded without what there is to see" not in done.err:
        raise Failed("a session without: %r" % done.err)


def page_in_browser(test, members):
    """The page is opened as a file, without any network: walks of addresses, the film and the lamp at every instant."""
    if not os.path.exists(viewer.CHROMIUM):
        raise Skipped("no chromium on this machine")
    view.prepare(test)
    path, _ = recorded(test)
    page = path + ".html"
    tool(test, REPLAY, path, "--page", page)
    view.run_node(test, "page/kept", env={"VITRINE_KEPT": page, "NODE_PATH": os.path.join(BUILD, "view/npm/node_modules")})


def tests():
    yield Test("session.to_the_bit", to_the_bit, ["release", "images"], seconds=25)
    yield Test("session.as_a_page", as_a_page, ["release", "images"], seconds=15)
    yield Test("session.page_in_browser", page_in_browser, ["release", "images"], seconds=40)
    yield Test("session.refused", refused, ["release", "images"], seconds=12)
