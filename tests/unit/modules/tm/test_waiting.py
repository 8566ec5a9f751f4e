"""Transactions that wait for branches: held, injected, given up."""
from __future__ import annotations

import pytest
from kit.playbook import Playbook
from osip.api import Target
from osip.modules.sl import Sl
from osip.modules.tm import Tm


def book(count, relay=False, failure=None):
    """A server that holds each request for branches; `held` is what hold gave."""
    found = None

    def request(ctx):
        found.ctx = ctx
        if failure is not None:
            found.modules["tm"].armed(ctx).on_failure = failure
        found.held = found.modules["tm"].hold(ctx, count)
        if relay:
            found.modules["tm"].t_relay(ctx)
        return 1
    found = Playbook((Tm, Sl), request)
    return found


def inject(found, uri):
    return found.modules["tm"].inject(found.held, found.ctx, Target(uri))


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_the_first_branch_is_relayed_like_any_other(method):
    found = book(1).recv(method, "sip:bob@example.com")
    assert inject(found, "sip:bob@10.0.0.2")
    found.sent(method, "bob").check(lambda msg: msg.get("Max-Forwards") == "69" and msg.ruri == "sip:bob@10.0.0.2")
    found.answer("bob", 486, method)
    assert found._collect() is None and found.received["alice"][-1].status == 486


def test_failures_wait_for_the_rest():
    found = book(2, relay=True).recv("INVITE", "sip:bob@10.0.0.2").sent(100).sent("INVITE", "bob").answer("bob", 486)
    found.quiet("alice")
    assert inject(found, "sip:carol@10.0.0.3")
    found.sent("INVITE", "carol").answer("carol", 480).quiet("alice")
    found.modules["tm"].release(found.held, found.ctx)
    found.sent(480)


def test_nobody_came():
    seen = []
    found = book(1, failure=lambda ctx: seen.append(ctx.reply_code)).recv("INVITE", "sip:bob@example.com").sent(100)
    found.modules["tm"].release(found.held, found.ctx)
    assert seen == [408]
    found.sent(408)
    assert not inject(found, "sip:bob@10.0.0.2")
    found.quiet("bob")


def test_a_branch_that_cannot_be_sent_is_one_less():
    found = book(1).recv("INVITE", "sip:bob@example.com").sent(100)
    assert not inject(found, "mailto:bob")
    found.sent(408)


def test_a_success_ends_it():
    found = book(1, relay=True).recv("INVITE", "sip:bob@10.0.0.2").sent(100).sent("INVITE", "bob").answer("bob", 200)
    found.sent(200)
    assert not inject(found, "sip:carol@10.0.0.3")
    found.quiet("carol")


def test_a_retransmission_and_a_request_with_its_answer_are_not_held():
    found = book(1).recv("INVITE", "sip:bob@example.com").again()
    assert found.held is None
    found = book(1, relay=True).recv("INVITE", "sip:bob@10.0.0.2").answer("bob", 200)
    assert found.modules["tm"].hold(found.ctx, 1) is None


def test_a_6xx_lets_nobody_else_ring():
    found = book(1, relay=True).recv("INVITE", "sip:bob@10.0.0.2").sent(100).sent("INVITE", "bob").answer("bob", 603)
    assert not inject(found, "sip:carol@10.0.0.3")
    found.sent(603).quiet("carol")
