"""Who stays of many that can't all stay: whatever is asked first, by edges made by hand and at random."""

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from anidata.stages.dedup.tournament import Edge, circles, ordered, play


def anyone(_one, _other):
    return True


def rivals(members, edges):
    """edges: pair → Edge or None, both ways."""
    both = {member: {} for member in members}
    for (a, b), edge in edges.items():
        both[a][b] = both[b][a] = edge
    return both


def kept(members, edges):
    outcome = play(members, rivals(members, edges), may_beat=anyone, first=members)
    assert (outcome.waiting, outcome.wanted) == ([], set())
    return outcome.kept


def test_who_is_beaten_by_none_that_stays_stays():
    edges = {("a", "b"): Edge("b", 0), ("b", "c"): Edge("c", 0)}
    assert kept("abc", edges) == ["a", "c"]


def test_a_circle_is_undone_at_its_weakest_edge():
    for weakest, first in (("ab", "b"), ("bc", "c"), ("ac", "a")):
        winners = {("a", "b"): "a", ("b", "c"): "b", ("a", "c"): "c"}
        edges = {pair: Edge(winner, int("".join(pair) == weakest)) for pair, winner in winners.items()}
        assert kept("abc", edges) == [first]


def test_a_circle_of_equal_edges_goes_by_rank():
    edges = {("a", "b"): Edge("a", 2), ("b", "c"): Edge("b", 2), ("a", "c"): Edge("c", 2)}
    assert kept("bca", edges) == ["b"]
    assert kept("cab", edges) == ["c"]


def test_a_pair_that_matters_no_more_is_never_asked_about():
    edges = {("a", "b"): Edge("a", 0), ("b", "c"): None}
    outcome = play("abc", rivals("abc", edges), may_beat=anyone, first="abc")
    assert (outcome.kept, outcome.dropped, outcome.wanted) == (["a", "c"], ["b"], set())


def test_a_line_of_ten_thousand_takes_no_recursion():
    names = [f"{n:05d}" for n in range(10_000)]
    beaten_by = {b: [a] for a, b in pairwise(names)} | {names[0]: []}
    assert len(circles(beaten_by)) == 10_000
    assert circles(beaten_by | {names[0]: [names[-1]]}) == [set(names)]


@st.composite
def games(draw):
    """Members, and pairs of them: rivals with an edge, or None where a look tells that they are none."""
    members = [f"{n:02d}" for n in range(draw(st.integers(1, 9)))]
    pairs = list(combinations(members, 2))
    edge = st.builds(lambda first, strength: (first, strength), st.booleans(), st.integers(0, 3))
    drawn = draw(st.lists(st.none() | edge, min_size=len(pairs), max_size=len(pairs)))
    chosen = draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    answers = zip(pairs, drawn, strict=True)
    edges = {(a, b): what and Edge(a if what[0] else b, what[1]) for (a, b), what in answers}
    return members, {pair: edge for (pair, edge), here in zip(edges.items(), chosen, strict=True) if here}


@given(games(), st.data())
def test_asking_a_few_at_a_time_keeps_whom_knowing_everything_keeps(game, data):
    members, edges = game
    everything = kept(members, {pair: edge for pair, edge in edges.items() if edge})
    known, asked = rivals(members, dict.fromkeys(edges)), 0
    first, looks = data.draw(st.permutations(members)), data.draw(st.integers(1, 3))
    while (outcome := play(members, known, may_beat=anyone, first=first, looks=looks)).waiting:
        assert outcome.wanted
        for a, b in outcome.wanted:
            assert known[a][b] is None
            asked += 1
            if edges[a, b] is None:
                del known[a][b], known[b][a]
            else:
                known[a][b] = known[b][a] = edges[a, b]
    assert outcome.kept == everything
    assert asked <= len(edges)


@given(games())
def test_no_two_that_cannot_both_stay_do_and_who_goes_has_a_rival_that_stays(game):
    members, edges = game
    known = {pair: edge for pair, edge in edges.items() if edge}
    stay = set(kept(members, known))
    assert not any(stay.issuperset(pair) for pair in known)
    for member in set(members) - stay:
        assert any(member in pair and stay.intersection(pair) for pair in known)


@given(games())
def test_who_is_beaten_stands_behind_but_for_a_circle_as_strong(game):
    members, edges = game
    known = {pair: edge for pair, edge in edges.items() if edge}
    place = {member: n for n, member in enumerate(ordered(members, rivals(members, known)))}
    assert sorted(place) == sorted(members)
    for (a, b), edge in known.items():
        loser = b if edge.winner == a else a
        if place[loser] < place[edge.winner]:
            assert leads(known, loser, edge.winner, edge.strength)


def leads(edges, start, end, strength):
    """Whether victories at least as strong lead from one to the other."""
    reached, fresh = {start}, [start]
    while fresh:
        member = fresh.pop()
        for pair, edge in edges.items():
            if edge.winner == member and edge.strength <= strength and member in pair:
                other = pair[1] if pair[0] == member else pair[0]
                if other not in reached:
                    reached.add(other)
                    fresh.append(other)
    return end in reached
