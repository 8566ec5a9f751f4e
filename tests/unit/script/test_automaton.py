"""The tables: what fits where, and that a simulation changes nothing."""
from __future__ import annotations

from osip.script.automaton import Automaton
from osip.script.lexer import Lexer, Reading
from osip.script.parse import grammar
from osip.script.source import Source


def fed(text):
    tables, vocabulary = grammar()
    automaton = Automaton(tables)
    lexer = Lexer(Reading(Source.from_text(text)), vocabulary)
    at = 0
    while (token := lexer.next(at, automaton.accepts)).type != "$END":
        assert automaton.feed(token), token
        at = token.end
    return automaton, token


def test_feeding_to_the_end_gives_the_items():
    automaton, end = fed("log_level = 3 route { f(); }")
    assert automaton.feed(end)
    assert [type(item).__name__ for item in automaton.values[-1]] == ["Setting", "RouteDef"]


def test_a_misfit_is_false():
    automaton, end = fed("route { f()")
    assert not automaton.feed(end)


def test_fits_changes_nothing():
    automaton, _ = fed("route { f()")
    states, values = list(automaton.states), list(automaton.values)
    assert automaton.fits("SEMICOLON", "RBRACE", "$END")
    assert not automaton.fits("RBRACE")
    assert not automaton.fits("SEMICOLON", "RPAR")
    assert (automaton.states, automaton.values) == (states, values)


def test_expected_names_only_what_truly_fits():
    automaton, _ = fed("route { switch ($x) {")
    assert automaton.expected() == {"CASE", "DEFAULT", "RBRACE"}
    automaton, _ = fed("loadmodule")
    assert automaton.expected() == {"STR"}


def test_cut_drops_values_and_states_together():
    automaton, _ = fed("route { f(")
    automaton.cut(2)
    assert len(automaton.states) == len(automaton.values) + 1 == 3
