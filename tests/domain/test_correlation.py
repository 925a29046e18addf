"""From a crash to the function at fault: each principle on a small program."""

from __future__ import annotations

import msgspec
import pytest
from hefesto_api.analyzers.facts import extract
from hefesto_api.domain import traces
from hefesto_api.domain.correlation import (
    Change,
    Crash,
    CrashFrame,
    Incident,
    KnownFinding,
    Learned,
    Ranking,
    Tally,
    gather,
    rank,
)
from hefesto_api.domain.mapping import PathIndex, crash_of

CART = """
def find(items, name):
    for item in items:
        if item.name == name:
            return item


def total(items, name):
    item = find(items, name)
    return item.price * 2


def checkout(request):
    return total(request.items, request.name)
"""
CART_TRACE = """Traceback (most recent call last):
  File "/srv/shop/cart.py", line 14, in checkout
    return total(request.items, request.name)
  File "/srv/shop/cart.py", line 10, in total
    return item.price * 2
AttributeError: 'NoneType' object has no attribute 'price'
"""


def correlate(files: dict[str, str], trace: str, **more: object) -> Ranking:
    index = PathIndex(files)
    crash = crash_of(traces.parse(trace), index)
    code = gather(crash, lambda path: extract(path, files[path].encode()), index)
    return rank(crash, code, **more)  # type: ignore[arg-type]


def cart(**more: object) -> Ranking:
    return correlate({"shop/cart.py": CART}, CART_TRACE, **more)


def names(ranking: Ranking) -> list[str]:
    return [one.function_name for one in ranking.suspects]


def chance(ranking: Ranking, name: str) -> float:
    return next((one.probability for one in ranking.suspects if one.function_name == name), 0.0)


def whole(ranking: Ranking) -> float:
    return sum(one.probability for one in ranking.suspects) + ranking.none_probability


def test_the_probabilities_are_those_of_all_there_is() -> None:
    ranking = cart()
    assert whole(ranking) == pytest.approx(1.0, abs=0.001)
    assert all(0.0 <= one.probability <= 1.0 for one in ranking.suspects)
    assert [one.probability for one in ranking.suspects] == sorted(
        (one.probability for one in ranking.suspects), reverse=True
    )


def test_the_same_question_gets_the_same_answer() -> None:
    assert msgspec.json.encode(cart()) == msgspec.json.encode(cart())


def test_who_may_have_returned_none_is_a_suspect_though_not_in_the_trace() -> None:
    ranking = cart()
    found = next(one for one in ranking.suspects if one.function_name == "find")
    features = {one.feature: one.contribution for one in found.evidence}
    assert features["may return nothing"] > 0
    assert features["not in the trace"] == 0
    assert found.probability > chance(ranking, "checkout") / 2


def test_the_answer_says_in_words_what_to_do() -> None:
    ranking = cart()
    assert ranking.root_cause is not None
    assert names(ranking)[0] in ranking.root_cause
    assert any("shop/cart.py" in one for one in ranking.actions)
    assert ranking.related_files == ("shop/cart.py",)


def test_who_made_the_value_is_suspected_before_who_stumbled_over_it() -> None:
    files = {
        "app/tools.py": "def shout(text):\n    return text.upper()\n",
        "app/greet.py": "from app.tools import shout\n\n\ndef greet(users):\n"
        "    name = users.get('name')\n    parts = [name]\n    return shout(parts[0])\n",
    }
    trace = """Traceback (most recent call last):
  File "/app/greet.py", line 7, in greet
    return shout(parts[0])
  File "/app/tools.py", line 2, in shout
    return text.upper()
AttributeError: 'NoneType' object has no attribute 'upper'
"""
    assert names(correlate(files, trace))[0] == "greet"


@pytest.mark.parametrize(
    "told",
    [
        'sqlite3.OperationalError: near "FORM": syntax error',
        'psycopg2.errors.SyntaxError: syntax error at or near "FORM"',
        'asyncpg.exceptions.UndefinedTableError: relation "orders" does not exist',
    ],
)
def test_who_runs_the_statement_is_not_who_wrote_it(told: str) -> None:
    files = {
        "app/db.py": "class Db:\n    def execute(self, sql, args):\n"
        "        return self.cursor.execute(sql, args)\n",
        "app/orders.py": "def open_orders(db, user):\n"
        "    rows = db.execute('SELECT * FORM orders WHERE user = ?', [user])\n    return list(rows)\n",
    }
    trace = f"""Traceback (most recent call last):
  File "/app/orders.py", line 2, in open_orders
    rows = db.execute('SELECT * FORM orders WHERE user = ?', [user])
  File "/app/db.py", line 3, in execute
    return self.cursor.execute(sql, args)
{told}
"""
    assert names(correlate(files, trace))[0] == "open_orders"


def test_an_attribute_that_was_never_set_is_its_makers_fault() -> None:
    files = {
        "app/lint.py": "class Lint:\n    def __init__(self, path):\n        self.path = path\n\n"
        "    def add(self, name):\n        self.counts = {name: 1}\n        return self.counts\n\n"
        "    def show(self):\n        return self.counts\n"
    }
    trace = """Traceback (most recent call last):
  File "/app/lint.py", line 10, in show
    return self.counts
AttributeError: 'Lint' object has no attribute 'counts'
"""
    ranking = correlate(files, trace)
    assert {"Lint.__init__", "Lint.add"} & set(names(ranking)[:2])
    assert chance(ranking, "Lint.__init__") > 0.05


def test_who_calls_what_it_was_handed_is_not_to_blame_for_the_arguments() -> None:
    body = "\n".join(f"    request.step_{n}()" for n in range(8))
    files = {
        "app/serve.py": f"def respond(request, found):\n{body}\n    return found.call(*found.given)\n",
        "app/routes.py": "from app.serve import respond\n\n\ndef match(request, routes):\n"
        "    for route in routes:\n        if route.fits(request.path):\n"
        "            return respond(request, route)\n",
    }
    trace = """Traceback (most recent call last):
  File "/app/routes.py", line 7, in match
    return respond(request, route)
  File "/app/serve.py", line 10, in respond
    return found.call(*found.given)
TypeError: cart() takes 1 positional argument but 2 were given
"""
    assert names(correlate(files, trace))[0] == "match"
    direct = trace.replace("found.call(", "cart(")
    assert names(correlate(files, direct))[0] == "respond"


def test_a_wrapper_only_hands_on() -> None:
    body = "\n".join(f"    total += rows[{n}]" for n in range(8))
    files = {
        "app/work.py": f"def work(rows):\n    total = 0\n{body}\n    return total\n\n\n"
        "def wrapper(rows):\n    return work(rows)\n\n\n"
        "def start(path):\n    rows = [1]\n    return wrapper(rows)\n"
    }
    trace = """Traceback (most recent call last):
  File "/app/work.py", line 20, in start
    return wrapper(rows)
  File "/app/work.py", line 16, in wrapper
    return work(rows)
  File "/app/work.py", line 4, in work
    total += rows[1]
IndexError: list index out of range
"""
    ranking = correlate(files, trace)
    assert chance(ranking, "wrapper") < min(chance(ranking, "work"), chance(ranking, "start"))


def test_a_function_is_found_by_its_name_when_lines_have_moved() -> None:
    moved = "# a new line\n" * 40 + CART
    ranking = correlate({"shop/cart.py": moved}, CART_TRACE)
    assert names(ranking)[0] in ("total", "find")
    line = next(one.line_number for one in ranking.suspects if one.function_name == "total")
    assert moved.splitlines()[line - 1].strip() == "return item.price * 2"


def test_what_was_just_deployed_weighs_and_what_was_not_is_no_suspect() -> None:
    new = Change(
        commit_hash="a" * 40, path="shop/cart.py", function_name="find", is_deployed=True, is_new=True
    )
    other = Change(
        commit_hash="b" * 40, path="shop/cart.py", function_name="find", is_deployed=False, is_new=True
    )
    elsewhere = Change(
        commit_hash="c" * 40, path="shop/cart.py", function_name="refund", is_deployed=True, is_new=True
    )
    before, after = cart(), cart(changes=[new, other, elsewhere])
    assert chance(after, "find") > chance(before, "find")
    assert [one.commit_hash for one in after.commits] == ["a" * 40]
    undeployed = cart(changes=[other])
    assert chance(undeployed, "find") == chance(before, "find")
    assert undeployed.commits == ()
    found = next(one for one in undeployed.suspects if one.function_name == "find")
    assert "changed by a commit that is not deployed" in {one.feature for one in found.evidence}


def finding(kind: str, function: str) -> KnownFinding:
    return KnownFinding(
        id=kind, path="shop/cart.py", line=9, type=kind, function_name=function, confidence=1.0
    )


def test_a_finding_counts_by_its_rule_not_by_its_place() -> None:
    ranking = cart(findings=[finding("none_comparison", "total"), finding("long_function", "total")])
    assert [one.finding_id for one in ranking.findings] == ["none_comparison"]
    assert 0.0 < ranking.findings[0].match_confidence <= 1.0
    assert chance(cart(findings=[finding("long_function", "total")]), "total") == chance(cart(), "total")


def test_feedback_moves_answers_its_way_and_never_out_of_bounds() -> None:
    key = "none_comparison|AttributeError"
    found = finding("none_comparison", "total")
    plain = cart(findings=[found]).findings[0].match_confidence
    for many in (1, 10, 10**9):
        praised = Learned(project_rules={key: Tally(many, 0)}, signals={"may return nothing": Tally(many, 0)})
        blamed = Learned(project_rules={key: Tally(0, many)}, signals={"may return nothing": Tally(0, many)})
        better, worse = cart(findings=[found], learned=praised), cart(findings=[found], learned=blamed)
        assert better.findings[0].match_confidence > plain
        assert not worse.findings or worse.findings[0].match_confidence < plain
        up = cart(learned=Learned(signals=praised.signals))
        down = cart(learned=Learned(signals=blamed.signals))
        assert chance(up, "find") > chance(cart(), "find") > chance(down, "find")
        for ranking in (better, worse):
            assert whole(ranking) == pytest.approx(1.0, abs=0.001)
            assert all(0.0 <= one.match_confidence <= 1.0 for one in ranking.findings)


def test_past_incidents_count_as_they_were_judged() -> None:
    past = {"path": "shop/cart.py", "function_name": "checkout", "error_type": "AttributeError"}
    confirmed, rejected = Incident(confirmed=True, **past), Incident(confirmed=False, **past)  # type: ignore[arg-type]
    assert (
        chance(cart(incidents=[confirmed]), "checkout")
        > chance(cart(), "checkout")
        > chance(cart(incidents=[rejected]), "checkout")
    )


def test_without_a_frame_of_the_project_nobody_is_suspected() -> None:
    ranking = correlate({"other.py": "x = 1\n"}, CART_TRACE)
    assert (ranking.suspects, ranking.none_probability, ranking.root_cause) == ((), 1.0, None)
    assert ranking.actions


def test_a_frame_whose_code_cannot_be_read_is_a_suspect_all_the_same() -> None:
    crash = Crash(
        error_type="RuntimeError",
        frames=(CrashFrame(file="a.rb", line=3, function="pay", in_app=True, project_path="a.rb"),),
    )
    (only,) = rank(crash, {}).suspects
    assert (only.file_path, only.function_name, only.line_number) == ("a.rb", "pay", 3)


def test_endless_recursion_and_endless_messages_are_survived() -> None:
    frame = CrashFrame(file="cart.py", line=10, function="total", in_app=True, project_path="shop/cart.py")
    facts = extract("shop/cart.py", CART.encode())
    assert facts is not None
    for kind, text in (
        ("RecursionError", "deep"),
        (None, None),
        ("\x00", "a_b('" * 100_000),
        ("KeyError", ""),
    ):
        crash = Crash(error_type=kind, error_message=text, frames=(frame,) * 10_000)
        ranking = rank(crash, {"shop/cart.py": facts})
        assert whole(ranking) == pytest.approx(1.0, abs=0.001)
        assert names(ranking)[0] == "total"


RATES = """
RATES = {}


def rate_of(country):
    return RATES.get(country)


def name_of(country):
    return str(country).title()


def chosen(country):
    rate = rate_of(country)
    return rate


def price(country, amount):
    name = name_of(country)
    rate = chosen(country)
    check(amount)
    note(country)
    log(name)
    return amount * rate.factor
"""
RATES_TRACE = """Traceback (most recent call last):
  File "/srv/shop/rates.py", line 24, in price
    return amount * rate.factor
AttributeError: 'NoneType' object has no attribute 'factor'
"""


def test_who_gave_nothing_is_found_through_the_names_that_it_went_by() -> None:
    found = correlate({"shop/rates.py": RATES}, RATES_TRACE)
    assert set(names(found)[:3]) == {"rate_of", "chosen", "price"}
    by_name = {one.function_name: {each.feature for each in one.evidence} for one in found.suspects}
    assert "gives the value at fault" in by_name["rate_of"]
    assert "may have returned the nothing at fault" in by_name["rate_of"]
    assert "gives the value at fault" not in by_name.get("name_of", set())


def test_who_set_the_attribute_that_is_nothing_is_a_suspect() -> None:
    files = {
        "app/pool.py": "class Pool:\n    def __init__(self, size):\n        self.size = size\n\n"
        "    def open(self):\n        self.link = dial(self.size)\n\n"
        "    def send(self, text):\n        self.link.write(text)\n\n\n"
        "def dial(size):\n    if size:\n        return object()\n\n\n"
        "def other(size):\n    if size:\n        return object()\n",
    }
    trace = """Traceback (most recent call last):
  File "/srv/app/pool.py", line 9, in send
    self.link.write(text)
AttributeError: 'NoneType' object has no attribute 'write'
"""
    order = names(correlate(files, trace))
    assert order[0] == "dial"
    assert "other" not in order[:3]


def test_a_key_that_was_put_in_under_almost_that_name_points_to_who_did() -> None:
    files = {
        "app/mail.py": "def headers(user):\n    return {'recipient_': user, 'subject': 'x'}\n\n\n"
        "def footer(user):\n    return {'sender': user}\n\n\n"
        "def send(user):\n    found = headers(user)\n    footer(user)\n    return found['recipient']\n",
    }
    trace = """Traceback (most recent call last):
  File "/srv/app/mail.py", line 12, in send
    return found['recipient']
KeyError: 'recipient'
"""
    assert names(correlate(files, trace))[0] == "headers"


def test_an_attribute_that_nobody_else_knows_is_misspelt_where_it_is_read() -> None:
    files = {
        "app/cart.py": "class Cart:\n    def __init__(self, items):\n        self.items = items\n\n"
        "    def total(self):\n        return sum(self.itms)\n\n"
        "    def first(self):\n        return self.items[0]\n",
    }
    trace = """Traceback (most recent call last):
  File "/srv/app/cart.py", line 6, in total
    return sum(self.itms)
AttributeError: 'Cart' object has no attribute 'itms'
"""
    found = correlate(files, trace)
    assert names(found)[0] == "Cart.total"
    assert "nobody else uses the missing name" in {one.feature for one in found.suspects[0].evidence}


def test_results_that_are_handed_on_in_circles_end() -> None:
    ring = [f"f{n % 40}" for n in range(50)]
    body = "\n".join(
        f"def {ring[n]}(x):\n    y = {ring[n + 1]}(x)\n    z = {ring[n + 7]}(y)\n"
        f"    return {ring[n + 3]}(z) or y"
        for n in range(40)
    )
    trace = """Traceback (most recent call last):
  File "/srv/app/ring.py", line 3, in f0
    z = f7(y)
TypeError: 'NoneType' object is not callable
"""
    found = correlate({"app/ring.py": body}, trace)
    assert found.suspects
    assert sum(one.probability for one in found.suspects) <= 1.0


def test_a_group_is_not_at_fault_for_what_its_members_did() -> None:
    files = {
        "app/main.py": "def run(jobs):\n    errors = []\n    for job in jobs:\n        errors.append(job())\n"
        "    raise ExceptionGroup('many', errors)\n",
        "app/first.py": "def first(text):\n    kept = text.strip()\n    return int(kept)\n",
        "app/second.py": "def second(found):\n    kept = dict(found)\n    return kept['k']\n",
    }
    trace = """  + Exception Group Traceback (most recent call last):
  |   File "/srv/app/main.py", line 5, in run
  |     raise ExceptionGroup('many', errors)
  | ExceptionGroup: many (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/srv/app/first.py", line 3, in first
    |     return int(kept)
    | ValueError: invalid literal for int() with base 10: 'x'
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "/srv/app/second.py", line 3, in second
    |     return kept['k']
    | KeyError: 'k'
    +------------------------------------
"""
    found = correlate(files, trace)
    assert names(found)[:2] == ["first", "second"]
    assert found.root_cause is not None
    assert "app/first.py" in found.root_cause
