"""A file that moved is known again by its content; what is ambiguous stays apart."""

from zlib import crc32

from hefesto_api.domain.identity import FileTraits, renames, sketch
from hypothesis import given
from hypothesis import strategies as st


def traits(content: str, *, prints: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> FileTraits:
    return FileTraits(content, len(content), frozenset(prints), frozenset(names))


def test_equal_content_is_the_same_file() -> None:
    assert renames({"a.py": traits("x"), "b.py": traits("y")}, {"c.py": traits("y")}) == {"c.py": "b.py"}


def test_among_equal_files_the_path_decides() -> None:
    same = traits("")
    old = {"a/__init__.py": same, "a/x/__init__.py": same, "a/y/__init__.py": same}
    new = {"b/__init__.py": same, "b/x/__init__.py": same, "b/y/__init__.py": same}
    assert renames(old, new) == {path: f"a{path[1:]}" for path in new}


def test_equal_files_without_a_common_name_stay_apart() -> None:
    same = traits("x")
    assert renames({"a.py": same, "b.py": same}, {"c.py": same, "d.py": same}) == {}


def test_one_of_two_equal_files_is_found_by_its_name() -> None:
    same = traits("x")
    assert renames({"p/a.py": same, "p/b.py": same}, {"q/b.py": same}) == {"q/b.py": "p/b.py"}


def test_a_moved_and_edited_file_is_known_by_its_traits() -> None:
    old = traits("1", prints=("p1", "p2"), names=("load", "save", "Store.get"))
    new = traits("2", prints=("p1", "p3"), names=("load", "save", "Store.get"))
    other = traits("3", names=("load", "run", "main"))
    assert renames({"a.py": old, "o.py": other}, {"b.py": new}) == {"b.py": "a.py"}


def test_two_candidates_that_are_nearly_as_good_stay_apart() -> None:
    names = tuple(f"f{n}" for n in range(10))
    old = {"a.py": traits("1", names=(*names[:9], "x")), "b.py": traits("2", names=(*names[:9], "y"))}
    assert renames(old, {"c.py": traits("3", names=names)}) == {}


def test_a_name_that_every_file_has_proves_nothing() -> None:
    old = {"a.py": traits("1", names=("main",))}
    assert renames(old, {"b.py": traits("2", names=("main",))}) == {}
    assert renames(old, {"lib/a.py": traits("2", names=("main",))}) == {"lib/a.py": "a.py"}


@given(
    st.lists(st.text("abcdefgh", min_size=8, max_size=12), min_size=40, max_size=120, unique=True),
    st.integers(0, 39),
)
def test_a_sketch_survives_an_edit(lines: list[str], at: int) -> None:
    edited = list(lines)
    edited[at] = "something else altogether"
    old, new = (frozenset(sketch([line.encode() for line in text])) for text in (lines, edited))
    assert len(old & new) >= 0.9 * len(old) - 1


@given(st.integers(1, 3000), st.integers(1, 400))
def test_a_sketch_holds_the_smallest_hashes_of_the_distinct_lines(length: int, distinct: int) -> None:
    lines = [f"line {number % distinct}".encode() for number in range(length)] + [b"", b"}"]
    hashes = {crc32(line) for line in lines if len(line) > 3}
    assert sketch(lines) == tuple(sorted(hashes)[:64])


@given(
    st.dictionaries(st.text("ab/", max_size=6), st.sampled_from("xyz")),
    st.dictionaries(st.text("ab/", max_size=6), st.sampled_from("xyz")),
)
def test_no_file_is_used_twice(old: dict[str, str], new: dict[str, str]) -> None:
    found = renames({p: traits(c) for p, c in old.items()}, {p: traits(c) for p, c in new.items()})
    assert len(set(found.values())) == len(found)
    assert all(old[left] == new[right] for right, left in found.items())


def test_names_that_a_framework_asks_for_prove_nothing() -> None:
    names = ("Command.__init__", "Command.add_arguments", "Command.handle")
    old = FileTraits("1", 90, names=frozenset(names), lines=frozenset(range(60)))
    new = FileTraits("2", 90, names=frozenset(names), lines=frozenset(range(50, 110)))
    assert renames({"a.py": old}, {"b.py": new}) == {}


def test_a_moved_file_without_functions_is_known_by_its_lines() -> None:
    old = FileTraits("1", 9, lines=frozenset(range(9)))
    new = FileTraits("2", 12, lines=frozenset(range(12)))
    assert renames({"a.py": old}, {"b.py": new}) == {"b.py": "a.py"}


def test_equal_files_that_stay_in_their_folders_are_renamed() -> None:
    same = traits("x")
    old, new = {"nb/formats.py": same, "nn/formats.py": same}, {"nb/forms.py": same, "nn/forms.py": same}
    assert renames(old, new) == {"nb/forms.py": "nb/formats.py", "nn/forms.py": "nn/formats.py"}
