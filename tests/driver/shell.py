"""BusyBox's own features: a table of commands with what they must print. All run in one guest, each under timeout(1)."""
import re

from . import core, guests
from .core import FAILED, OK, Failed, Result, Test

# name, command, expected output (a string: exactly; a compiled pattern: found in it), expected status
CHECKS = [
    ("pipe", "echo $((6*7)) | cat", "42\n", 0),
    ("loop_sort_tail", "for i in $(seq 200); do echo $i; done | sort -n | tail -1", "200\n", 0),
    ("redirection", "echo one >a; echo two >>a; cat <a; cat <nowhere", re.compile(r"^one\ntwo\n.*nowhere"), 1),
    ("stderr_redirection", "ls /nowhere 2>&1 >/dev/null | wc -l; ls /nowhere 2>/dev/null", "1\n", 1),
    ("here_document", "x=7; cat <<E\nvalue $x\n$(echo sub)\nE\ncat <<'E'\n$x\nE\n", "value 7\nsub\n$x\n", 0),
    ("functions_and_case", "f() { case $1 in a*) echo A;; *) echo other; return 3;; esac; }; f abc; f x", "A\nother\n", 3),
    ("subshell_and_variables", "x=1; (x=2; echo $x); echo $x; echo ${y:-none} ${#x}", "2\n1\nnone 1\n", 0),
    ("background_and_wait", "sleep 0.1 & p=$!; wait $p; echo $?; (exit 5) & wait $!; echo $?", "0\n5\n", 0),
    ("trap", "trap 'echo bye' EXIT; trap 'echo usr' USR1; kill -USR1 $$; echo on", "usr\non\nbye\n", 0),
    ("kill", "exec 2>/dev/null; sleep 100 & kill $!; wait $!; echo $?; sleep 100 & kill -9 $!; wait $!; echo $?", "143\n137\n", 0),
    ("command_substitution", "echo $(echo a; echo b) `expr 3 + 4`", "a b 7\n", 0),
    ("glob", "mkdir g; touch g/a1 g/a2 g/b; echo g/a?; echo g/[!a]*; echo nope*", "g/a1 g/a2\ng/b\nnope*\n", 0),
    ("long_pipe", "seq 1000 | cat | cat | cat | grep 7 | sed s/7/x/ | wc -l", "271\n", 0),
    ("yes_head", "yes | head -5000 | wc -l", "5000\n", 0),
    ("test_files", "test -d /proc && test -c /dev/null && ! test -e /nope && test -x /bin/sh && echo yes", "yes\n", 0),
    ("read_loop", "printf 'a 1\\nb 2\\n' | while read k v; do echo $v$k; done", "1a\n2b\n", 0),
    ("exit_status", "exit 37", "", 37),
    ("not_found", "no-such-command 2>/dev/null", "", 127),
    ("ps", "ps", re.compile(r"PID.*\n\s*1 .*init"), 0),
    ("top", "top -b -n 1", re.compile(r"Mem: \d+K used, \d+K free(?s:.*)CPU:(?s:.*)Load average(?s:.*)init"), 0),
    ("find_wc", "find / -xdev | wc -l", re.compile(r"^[1-9]\d\d+\n$"), 0),
    ("tar_gzip", "mkdir t; cp /etc/* t 2>/dev/null; seq 5000 >t/n; tar czf t.tgz t; mkdir u; tar xzf t.tgz -C u; diff -r t u/t && echo same",
     "same\n", 0),
    ("gzip", "seq 3000 >n; gzip n; gzip -t n.gz; gunzip n.gz; tail -1 n; bzip2 n; bunzip2 n.bz2; tail -1 n", "3000\n3000\n", 0),
    ("awk", "seq 10 | awk '{ s += $1; t = t $1 % 3 } END { printf \"%d %s %.3f\\n\", s, t, s / 7 }'", "55 1201201201 7.857\n", 0),
    ("sed", "printf 'one\\ntwo\\nthree\\n' | sed -n -e '2,3{s/t/T/g;p}'; echo aXb >f; sed -i s/X/-/ f; cat f", "Two\nThree\na-b\n", 0),
    ("dd", "dd if=/dev/zero of=z bs=4k count=100 2>/dev/null; dd if=z bs=1k skip=399 2>/dev/null | wc -c; stat -c %s z", "1024\n409600\n", 0),
    ("md5sum", "seq 1000 | md5sum; printf '' | md5sum | cut -c1-8; echo abc | sha256sum | cut -c1-8",
     "53d025127ae99ab79e8502aae2d9bea6  -\nd41d8cd9\nedeaaff3\n", 0),
    ("mount", "mount; mkdir m; mount -t tmpfs none m && touch m/x && umount m && ls m | wc -l", re.compile(r" on / type ext(?s:.*)\n0\n$"), 0),
    ("df", "df; df -k / | tail -1", re.compile(r"Filesystem(?s:.*)\d+%\s+/\n"), 0),
    ("free", "free", re.compile(r"total\s+used(?s:.*)Mem:\s+\d+\s+\d+\s+\d+"), 0),
    ("time", "time -p true 2>&1; time sleep 0.1 2>&1 | cat", re.compile(r"real"), 0),
    ("uname", "uname -sm; uname -a | wc -w", re.compile(r"^Linux riscv64\n|^Vitrine riscv64\n"), 0),
    ("id", "id -u; whoami; su user -c 'id -un' 2>/dev/null || true", re.compile(r"^0\nroot\n"), 0),
    ("ls", "ls -l /dev/null; ls -ld /tmp; ls -lai / | head -1", re.compile(r"^crw-rw-rw-.* 1, +3 .*/dev/null\ndrwxrwxrwt"), 0),
    ("links", "echo x >a; ln a b; ln -s a c; readlink c; stat -c %h a; rm a; cat b; cat c 2>/dev/null", "a\n2\nx\n", 1),
    ("permissions", "touch f; chmod 751 f; stat -c %a f; chmod u-x,o=r f; stat -c %a f; umask 027; touch g; stat -c %a g", "751\n654\n640\n", 0),
    ("grep", "seq 100 | grep -c 9; printf 'a.b\\naxb\\n' | grep -F a.b; echo abc | grep -q x", "19\na.b\n", 1),
    ("xargs", "seq 20 | xargs -n 5 echo | wc -l; find /bin -name 'ca*' | xargs -n1 basename | sort | head -2", "4\ncal\ncat\n", 0),
    ("sort_uniq_tr_cut", "printf 'b 2\\na 1\\nb 2\\n' | sort | uniq -c | tr -s ' ' | cut -d' ' -f2-", "1 a 1\n2 b 2\n", 0),
    ("date", "date -u -d @86400 +%Y-%m-%d; test $(date +%Y) -ge 2024 && echo now", "1970-01-02\nnow\n", 0),
    ("mkfifo", "mkfifo p; (echo through >p) & cat p", "through\n", 0),
    ("hexdump_od", "printf 'AB' | od -An -tx1; printf 'AB' | hexdump -C | head -1 | cut -c1-15", " 41 42\n00000000  41 42\n", 0),
    ("diff_patch", "seq 5 >a; seq 6 >b; diff a b | tail -1; diff -u a b | patch a >/dev/null; cmp a b && echo same", "+6\nsame\n", 0),
    ("timeout", "exec 2>/dev/null; timeout 1 sleep 50; echo $?", "143\n", 0),
    ("proc_files", "cat /proc/self/comm; grep -c MemTotal /proc/meminfo; wc -l </proc/self/cmdline", "cat\n1\n0\n", 0),
    ("many_processes", "for i in $(seq 60); do sleep 0.2 & done; wait; echo done", "done\n", 0),
    ("deep_recursion", "r() { [ $1 -gt 0 ] && r $(($1-1)); }; r 200; echo $?", "1\n", 0),
    ("big_environment", "export X=$(seq 3000 | tr '\\n' ' '); env | grep -c '^X='", "1\n", 0),
    ("large_file", "dd if=/dev/urandom of=r bs=64k count=64 2>/dev/null; cp r s; sync; cmp r s && md5sum r s | cut -c1-32 | uniq | wc -l", "1\n", 0),
    ("vi", "printf 'hello\\n' >v; printf 'x:s/l/L/\\nZZ' | vi v >/dev/null 2>&1; cat v", re.compile("^h?eLlo\n$"), 0),
    ("renice", "renice -n 3 -p $$ >/dev/null; cut -d' ' -f19 /proc/$$/stat", "3\n", 0),
    ("hostname_dmesg_uptime", "hostname | wc -l; uptime | grep -c load", "1\n1\n", 0),
    ("script_file", "printf '#!/bin/sh\\necho \"$0 $#\"\\n' >s; chmod 755 s; ./s a b", "./s 2\n", 0),
    ("job_control_set_m", "set -m; sleep 50 & kill -STOP $!; sleep 0.2; jobs | grep -c Stopped; kill -KILL $!", "1\n", 0),
]


def script(checks):
    """One command for all: each check in its own directory and shell, framed by lines the guest's output cannot contain."""
    parts = ["stty -echo 2>/dev/null"]
    for name, command, _, _ in checks:
        quoted = "'" + command.replace("'", "'\\''") + "'"
        parts.append("mkdir -p /tmp/sh/%s; cd /tmp/sh/%s; echo '@@begin %s'; timeout -s KILL 30 sh -c %s; echo \"@@end %s $?\"; cd /" %
                     (name, name, name, quoted, name))
    return "\n".join(parts) + "\nrm -rf /tmp/sh"


def judge(check, out):
    name, _, want, want_status = check
    found = re.search(r"^@@begin %s\n(.*?)@@end %s (\d+)$" % (re.escape(name), re.escape(name)), out, re.S | re.M)
    if not found:
        return "did not run, or did not end"
    text, status = found.group(1), int(found.group(2))
    if isinstance(want, str) and text != want:
        return "printed %r, wanted %r" % (text[-200:], want)
    if not isinstance(want, str) and not want.search(text):
        return "printed %r, wanted the pattern %s" % (text[-300:], want.pattern)
    return "" if status == want_status else "status %d, wanted %d" % (status, want_status)


def run_checks(test, members, variant, image):
    checks = [check for check in CHECKS if check[0] in members]
    disk = guests.private_copy(image, test.name)
    results = []
    try:
        done = guests.boot(script(checks), test.log, 240, variant, disk=disk)
        for check in checks:
            problem = judge(check, done.out)
            results.append(Result(test.name + "." + check[0], FAILED if problem else OK, problem))
        if done.status != 0:
            results.append(Result(test.name + ".end", FAILED, guests.why_ended(done)))
        else:
            guests.check_disk(disk, test.log)
    except Failed as problem:
        results.append(Result(test.name + ".e2fsck", FAILED, problem))
    finally:
        guests.drop(disk)
    return results


def tests():
    names = [check[0] for check in CHECKS]
    for name, variant, image, quick in (("shell.release", "release", "test", True), ("shell.debug", "debug", "test-ext2", False)):
        yield Test(name, lambda test, members, variant=variant, image=image: run_checks(test, members, variant, image),
                   [variant, "images"], members=names, seconds=40, quick=quick)


__all__ = ["tests", "core"]
