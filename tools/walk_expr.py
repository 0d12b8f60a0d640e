"""What a walk claims of the engine's answers: small expressions, as trees that JSON can carry.

    first.pa == second.pa
    leaf.steps[-1].flags lacks "W"
    count(e.events, kind == "fault", va == page + 0x1000) == 1
    find(m.vmas, kind == "heap").end > 16

Values are numbers, strings, null, and what JSON has. A name is that of an answer or of something captured from the console; inside
of count() and find() the item's own members come first. Text of the form 0x… counts as a number.

Trees: {"op": "number" | "string" | "null", "value"}, {"op": "name", "name"}, {"op": "member", "of", "name"}, {"op": "item", "of", "index"},
{"op": "count" | "find", "of", "where": [tree…]}, {"op": "length", "of"}, and {"op": SIGN, "left", "right"}.
"""
import re

TOKEN = re.compile(r"""\s*(?:(0x[0-9a-fA-F]+|\d+)|"([^"]*)"|([A-Za-z_]\w*)|(==|!=|<=|>=|>>|<<|[-+*&<>().,\[\]]))""")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "has", "lacks")
SUMS = ("+", "-", "*", "&", ">>", "<<")
NUMBER = re.compile(r"0x[0-9a-f]+")


class ExprError(Exception):
    """The text is no expression."""


class EvalError(Exception):
    """The answers do not have what the expression speaks of."""


def tokens(text):
    found, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if not match:
            raise ExprError("cannot be read from here: %s" % text[at:].strip())
        number, string, word, sign = match.groups()
        if number:
            found.append(("number", int(number, 0)))
        elif word or sign:
            found.append(("word" if word else "sign", word or sign))
        else:
            found.append(("string", string))
        at = match.end()
    return found


class Parser:
    """Recursive descent; signs have no ranks: they are taken from left to right."""

    def __init__(self, text):
        self.text, self.tokens, self.at = text, tokens(text), 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, value=None):
        kind, found = self.peek()
        if value is not None and (kind not in ("sign", "word") or found != value):
            raise ExprError('"%s" is missing%s' % (value, ' before "%s"' % found if found != "" else " at the end"))
        self.at += 1
        return kind, found

    def is_next(self, *values):
        kind, found = self.peek()
        return kind in ("sign", "word") and found in values

    def end(self):
        if self.at < len(self.tokens):
            raise ExprError('nothing can follow before "%s"' % self.peek()[1])

    def comparison(self):
        left = self.value()
        if not self.is_next(*COMPARISONS):
            raise ExprError("there is no comparison in it (%s)" % " ".join(COMPARISONS))
        sign = self.take()[1]
        return {"op": sign, "left": left, "right": self.value()}

    def value(self):
        left = self.term()
        while self.is_next(*SUMS):
            sign = self.take()[1]
            left = {"op": sign, "left": left, "right": self.term()}
        return left

    def term(self):
        tree = self.atom()
        while self.is_next(".", "["):
            if self.take()[1] == ".":
                kind, name = self.take()
                if kind != "word":
                    raise ExprError("a name is missing after the dot")
                tree = {"op": "length", "of": tree} if name == "length" else {"op": "member", "of": tree, "name": name}
                continue
            minus = self.is_next("-") and self.take()
            kind, index = self.take()
            if kind != "number":
                raise ExprError("a number is missing after [")
            self.take("]")
            tree = {"op": "item", "of": tree, "index": -index if minus else index}
        return tree

    def atom(self):
        kind, value = self.take()
        if kind in ("number", "string"):
            return {"op": kind, "value": value}
        if kind == "sign" and value == "(":
            tree = self.value()
            self.take(")")
            return tree
        if kind != "word":
            raise ExprError("a value is missing" + (' before "%s"' % value if value != "" else " at the end"))
        if value == "null":
            return {"op": "null"}
        if value in ("count", "find") and self.is_next("("):
            return self.search(value)
        return {"op": "name", "name": value}

    def search(self, op):
        self.take("(")
        tree = {"op": op, "of": self.value(), "where": []}
        while self.is_next(","):
            self.take()
            tree["where"].append(self.comparison())
        self.take(")")
        return tree


def parse_value(text):
    parser = Parser(text)
    tree = parser.value()
    parser.end()
    return tree


def parse_comparison(text):
    parser = Parser(text)
    tree = parser.comparison()
    parser.end()
    return tree


def names(tree):
    """The first names of all that it speaks of, but for the members of what count() and find() look through."""
    if tree["op"] == "name":
        return {tree["name"]}
    found = set()
    for key in ("of", "left", "right"):
        if key in tree:
            found |= names(tree[key])
    return found


def plain(value):
    """Addresses travel as text."""
    return int(value, 16) if isinstance(value, str) and NUMBER.fullmatch(value) else value


def say(value):
    """A value for a reader."""
    value = plain(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int):
        return hex(value) if abs(value) >= 1 << 16 else str(value)
    if isinstance(value, str):
        return '"%s"' % value
    return "a list of %d" % len(value) if isinstance(value, list) else "an object"


def render(tree):
    """The text of a tree again, for messages."""
    op = tree["op"]
    if op in ("number", "string", "null"):
        return say(tree.get("value"))
    if op == "name":
        return tree["name"]
    if op in ("member", "item", "length"):
        return render(tree["of"]) + {"member": ".%s" % tree.get("name"), "item": "[%s]" % tree.get("index"), "length": ".length"}[op]
    if op in ("count", "find"):
        return "%s(%s)" % (op, ", ".join([render(tree["of"])] + [render(one) for one in tree["where"]]))
    right = "(%s)" if tree["right"]["op"] in SUMS else "%s"
    return "%s %s %s" % (render(tree["left"]), op, right % render(tree["right"]))


def evaluate(tree, values):
    """The tree's value. values: a dict of names. Raises EvalError."""
    op = tree["op"]
    if op in ("number", "string", "null"):
        return tree.get("value")
    if op == "name":
        if tree["name"] not in values:
            raise EvalError("nothing is called %s" % tree["name"])
        return plain(values[tree["name"]])
    if op in ("member", "item", "length"):
        return plain(evaluate_part(tree, evaluate(tree["of"], values)))
    if op in ("count", "find"):
        return evaluate_search(tree, values)
    left, right = evaluate(tree["left"], values), evaluate(tree["right"], values)
    if op in ("==", "!="):
        # To Python true is 1; to JSON it is not.
        return (left == right and isinstance(left, bool) == isinstance(right, bool)) == (op == "==")
    if op in ("has", "lacks"):
        if not isinstance(left, (str, list)):
            raise EvalError("%s is %s, which holds nothing" % (render(tree["left"]), say(left)))
        return (right in left) == (op == "has")
    for part, value in (("left", left), ("right", right)):
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise EvalError("%s is %s, not a number" % (render(tree[part]), say(value)))
    return {"<": lambda: left < right, "<=": lambda: left <= right, ">": lambda: left > right, ">=": lambda: left >= right,
            "+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right, "&": lambda: left & right,
            ">>": lambda: left >> right, "<<": lambda: left << right}[op]()


def evaluate_part(tree, of):
    if tree["op"] == "length" and isinstance(of, list):
        return len(of)
    if tree["op"] == "item" and isinstance(of, list) and -len(of) <= tree["index"] < len(of):
        return of[tree["index"]]
    if tree["op"] == "member" and isinstance(of, dict) and tree["name"] in of:
        return of[tree["name"]]
    raise EvalError("there is no %s: %s is %s" % (render(tree), render(tree["of"]), say(of)))


def evaluate_search(tree, values):
    items = evaluate(tree["of"], values)
    if not isinstance(items, list):
        raise EvalError("%s is %s, not a list" % (render(tree["of"]), say(items)))
    for name in set().union(*[names(side) for where in tree["where"] for side in (where["left"], where["right"])]):
        if items and name not in values and not any(isinstance(item, dict) and name in item for item in items):
            raise EvalError("%s: neither an item nor anything else is called %s" % (render(tree), name))
    found = []
    for item in items:
        scope = dict(values, **item) if isinstance(item, dict) else values
        if all(holds_of_item(where, scope) for where in tree["where"]):
            found.append(item)
    if tree["op"] == "count":
        return len(found)
    if not found:
        raise EvalError("there is none: %s" % render(tree))
    return found[0]


def holds_of_item(where, scope):
    """An item without the member is another kind of item."""
    try:
        return evaluate(where, scope)
    except EvalError:
        return False


def values_said(tree, values):
    """What both sides of a comparison are, in words, for those sides that do not say it themselves."""
    said = []
    for part in ("left", "right"):
        if tree[part]["op"] not in ("number", "string", "null"):
            said.append("%s is %s" % (render(tree[part]), say(evaluate(tree[part], values))))
    return ", ".join(said)
