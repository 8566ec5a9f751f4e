"""Push notifications (RFC 8599): what phones are told, who is woken, what waits for them and where it goes."""
from __future__ import annotations

import asyncio

import pytest
from kit import message
from kit.registration import Office
from kit.sleeper import PUSH, Sleeper
from osip.api import ModuleError
from osip.modules.registrar.push import _words

MODULES = ("tm", "sl", "signaling", "usrloc", "registrar", "rr", "maxfwd", "sipmsgops", "event_route")
SCRIPT = '''modparam("registrar", "pn_enable", 1) modparam("registrar", "pn_providers", "apns, FCM")
modparam("usrloc", "contact_refresh_timer", %(timer)d) modparam("registrar", "pn_skip_pn_interval", %(skip)d)
modparam("registrar", "pn_enable_purr", 1)
route {
  if (is_method("REGISTER")) { save("location"); exit; }
  %(dialog)s
  %(before)s
  lookup("location" %(flags)s);
  $var(rc) = $retcode;
  xlog("lookup $var(rc)");
  if ($var(rc) == 2) exit;
  if ($var(rc) < 0) { t_reply(404, "Not Found"); exit; }
  t_relay();
}
failure_route[FAILED] { xlog("failed $T_reply_code $rU"); t_reply(480, "Asleep"); }
'''


DIALOG = """if (has_totag()) { async(pn_process_purr("location"), WOKEN); }"""
WOKEN = """route[WOKEN] { xlog("purr $retcode"); t_relay(); exit; }
"""


def sleeper(flags="", before="", skip=0, timer=0, dialog=False):
    script = SCRIPT % {"flags": f', "{flags}"' if flags else "", "before": before, "skip": skip, "timer": timer,
                       "dialog": DIALOG if dialog else ""}
    return Sleeper(script + (WOKEN if dialog else ""), *MODULES)


def caps(reply):
    return reply.get_all("Feature-Caps")


# --- what a REGISTER gets ------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("contact", "status", "wanted"), [
    ("<sip:bob@10.0.0.2>", 200, []),
    (f"<sip:bob@10.0.0.2{PUSH}>", 200, ['*;+sip.pns="apns";+sip.pnspurr=']),
    (f"<sip:bob@10.0.0.2{PUSH}>;+sip.pnsreg", 200, ['*;+sip.pns="apns";+sip.pnsreg="130";+sip.pnspurr=']),
    ("<sip:bob@10.0.0.2;pn-provider>", 200, ['*;+sip.pns="apns"', '*;+sip.pns="fcm"']),
    ("<sip:bob@10.0.0.2;pn-provider=FCM;pn-prid=x>", 200, ['*;+sip.pns="FCM"']),
    ("<sip:bob@10.0.0.2;pn-provider=webpush;pn-prid=x>", 555, []),
    ("<sip:bob@10.0.0.2;pn-provider=apns>", 555, []),
    ("<sip:bob@10.0.0.2;pn-provider=webpush;pn-prid=x>;expires=0", 200, [])])
def test_what_a_phone_is_told(contact, status, wanted):
    reply = sleeper().register(contact)
    found = caps(reply)
    assert reply.status == status and len(found) == len(wanted)
    assert all(one.startswith(start) for one, start in zip(found, wanted, strict=True))


def test_a_phone_that_goes_is_told_nothing():
    book = sleeper()
    book.register()
    assert caps(book.register(expires=0)) == []


def test_a_device_keeps_its_contact_whatever_else_changes():
    book = sleeper()
    book.register()
    book.register(f"<sip:bob@10.0.0.77:7777;transport=tcp{PUSH}>", call_id="reg-2")
    [contact] = book.modules["usrloc"].domain("location").all()
    assert contact.uri.startswith("sip:bob@10.0.0.77:7777")
    book.register(f"<sip:bob@10.0.0.77:7777;transport=tcp{PUSH.replace('ZTY4', 'other')}>", call_id="reg-3")
    assert len(list(book.modules["usrloc"].domain("location").all())) == 2


# --- requests that open a dialog -----------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_a_sleeping_phone_is_woken_and_gets_the_request_when_it_has_registered(method):
    book = sleeper(before='record_route(); $avp(x) = "kept";')
    book.register()
    book.wakes()
    book.recv(method, "sip:bob@example.com")
    assert book.said == [f"wake bob@example.com ini-{method} call-1 sip:bob@10.0.0.2:5060{PUSH}", "lookup 2"]
    assert book.requests() == []
    book.advance(2.0)
    book.register(f"<sip:bob@10.0.0.3:5070{PUSH}>", peer="carol", call_id="reg-2")
    assert book.requests("carol") == []                 # the answer to its REGISTER comes first
    book.advance(0.2)
    [got] = book.inbox("carol")
    assert got.method == method and got.ruri == f"sip:bob@10.0.0.3:5070{PUSH}"
    assert got.get("Max-Forwards") == "69" and (got.get("Record-Route") is not None)
    book.answer("carol", 200, method)
    assert book.replies()[-1] == 200
    book.advance(10.0)                                  # the time for waking passes: nothing more happens
    assert book.replies().count(200) == 1 and not book.modules["registrar"].push.waiting


def test_retransmissions_and_an_ack_start_nothing():
    book = sleeper()
    book.register()
    book.wakes()
    book.recv("INVITE", "sip:bob@example.com").again()
    assert book.wakes() == ["ini-INVITE"]
    assert book.replies() == [100, 100]


@pytest.mark.parametrize(("before", "wanted"), [("", 408), ('t_on_failure("FAILED");', 480)])
def test_a_phone_that_does_not_wake(before, wanted):
    book = sleeper(before=before)
    book.register()
    book.recv("INVITE", "sip:bob@example.com").advance(5.8)
    assert book.replies() == [100]
    book.advance(0.5)
    assert book.replies() == [100, wanted]
    assert ("failed 408 bob" in book.said) is bool(before)
    book.register()                                     # too late
    book.advance(0.3)
    assert "INVITE" not in book.requests() and not book.modules["registrar"].push.waiting


def test_a_caller_who_gives_up():
    book = sleeper()
    book.register()
    book.recv("INVITE", "sip:bob@example.com")
    book.recv("CANCEL", "sip:bob@example.com")
    assert sorted(book.replies()) == [100, 200, 487]
    book.register()
    book.advance(7.0)
    assert book.requests() == [] and book.replies().count(487) >= 1


@pytest.mark.parametrize(("skip", "wait", "wanted"), [
    (0, 0.0, ["ini-INVITE"]), (30, 0.0, []), (30, 31.0, ["ini-INVITE"])])
def test_a_phone_that_registered_a_moment_ago_is_awake(skip, wait, wanted):
    book = sleeper(skip=skip)
    book.register()
    book.advance(wait)
    book.wakes()
    book.recv("INVITE", "sip:bob@example.com")
    assert book.wakes() == wanted
    assert book.requests() == ([] if wanted else ["INVITE"])


def test_others_ring_at_once_and_the_woken_phone_joins():
    book = sleeper()
    book.register()
    book.register("<sip:bob@10.0.0.3>", peer="carol", call_id="desk")
    book.wakes()
    book.recv("INVITE", "sip:bob@example.com")
    assert "lookup 1" in book.said and book.wakes() == ["ini-INVITE"]
    assert book.requests("carol") == ["INVITE"]
    book.answer("carol", 486)                           # a busy desk phone does not end it
    assert book.replies() == [100]
    book.register()
    book.advance(0.2)
    assert book.requests("bob") == ["INVITE"]
    book.answer("bob", 200)
    assert book.replies() == [100, 200]


def test_a_busy_phone_decides_when_the_other_does_not_wake():
    book = sleeper()
    book.register()
    book.register("<sip:bob@10.0.0.3>", peer="carol", call_id="desk")
    book.recv("INVITE", "sip:bob@example.com").answer("carol", 486).advance(6.2)
    assert book.replies() == [100, 486]


def test_two_phones_wake_one_after_the_other():
    book = sleeper()
    book.register()
    book.register(f"<sip:bob@10.0.0.3{PUSH.replace('ZTY4', 'two')}>", peer="carol", call_id="two")
    book.wakes()
    book.recv("INVITE", "sip:bob@example.com")
    assert book.wakes() == ["ini-INVITE", "ini-INVITE"]
    book.register()
    book.advance(0.2)
    assert (book.requests("bob"), book.requests("carol")) == (["INVITE"], [])
    book.answer("bob", 486)
    assert book.replies() == [100]
    book.register(f"<sip:bob@10.0.0.3{PUSH.replace('ZTY4', 'two')}>", peer="carol", call_id="two")
    book.advance(0.2)
    book.answer("carol", 200)
    assert book.replies() == [100, 200]


def test_two_calls_wait_for_one_phone():
    book = sleeper()
    book.register()
    book.recv("INVITE", "sip:bob@example.com")
    book.recv("INVITE", "sip:bob@example.com", branch="z9hG4bK-2", call_id="call-2", peer="carol", via="10.0.0.3:5060")
    book.register()
    book.advance(0.2)
    assert book.requests("bob") == ["INVITE", "INVITE"]


def test_no_branches_wakes_the_best_only():
    book = sleeper("no-branches")
    book.register(f"<sip:bob@10.0.0.2{PUSH}>;q=0.5")
    book.register(f"<sip:bob@10.0.0.3{PUSH.replace('ZTY4', 'two')}>;q=0.9", call_id="two")
    book.wakes()
    book.recv("INVITE", "sip:bob@example.com")
    assert [line.split()[-1] for line in book.said if line.startswith("wake")] == [
        f"sip:bob@10.0.0.3{PUSH.replace('ZTY4', 'two')}"]


# --- before a registration ends ------------------------------------------------------------------------------------

def test_a_phone_is_woken_before_its_registration_ends():
    book = sleeper(timer=1)
    book.modules["usrloc"].refresher.start()
    book.register()
    for _ in range(470):
        book.clock.advance(1.0, step=1.0)
        book.modules["usrloc"].refresh()
    assert book.wakes() == []
    for _ in range(12):
        book.clock.advance(1.0, step=1.0)
        book.modules["usrloc"].refresh()
    assert book.wakes() == ["reg-refresh"]


# --- within dialogs ------------------------------------------------------------------------------------------------

async def test_a_request_within_a_dialog_wakes_the_phone():
    book = sleeper(dialog=True)
    purr = caps(book.register())[0].partition('+sip.pnspurr="')[2].rstrip('"')
    book.wakes()
    book.recv("BYE", f"sip:bob@10.0.0.2:5060;pn-purr={purr}", to_tag="b1", call_id="dialog")
    await asyncio.sleep(0)
    assert book.wakes() == ["mid-BYE"] and book.requests() == []
    book.register(f"<sip:bob@10.0.0.3:5070{PUSH}>", peer="carol")
    book.advance(0.2)
    for _ in range(5):
        await asyncio.sleep(0)
    assert "purr 1" in book.said
    [bye] = book.inbox("carol")
    assert bye.method == "BYE" and bye.ruri == f"sip:bob@10.0.0.2:5060;pn-purr={purr}"


@pytest.mark.parametrize(("skip", "purr", "code"), [(0, None, 2), (60, "", 2), (0, "forged", -1), (0, "", 1)])
async def test_what_a_reference_is_worth(skip, purr, code):
    book = sleeper(skip=skip)
    found = caps(book.register())[0].partition('+sip.pnspurr="')[2].rstrip('"')
    param = "" if purr is None else f";pn-purr={purr or found}"
    ctx = Office.ctx(book, message.request("BYE", f"sip:bob@10.0.0.2{param}", to_tag="b1"))
    task = asyncio.ensure_future(book.modules["registrar"].pn_process_purr(ctx, "location"))
    await asyncio.sleep(0)
    book.advance(6.2)                                   # nobody registers: it goes on all the same
    assert await task == code


# --- parameters ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("params", "words"), [
    ({}, "needs pn_providers"), ({"pn_providers": "apns", "pn_ct_match_params": " "}, "pn_ct_match_params must name"),
    ({"pn_providers": "apns", "pn_trigger_interval": 130}, "must be below pn_pnsreg_interval"),
    ({"pn_providers": "apns"}, 'needs loadmodule "tm.so"')])
def test_refused_parameters(params, words):
    with pytest.raises(ModuleError, match=words):
        Office({"registrar": {"pn_enable": 1, **params}})


async def test_switched_off():
    office = Office()
    reply = office.register("<sip:bob@10.0.0.2;pn-provider=webpush;pn-prid=x>")
    assert reply.status == 200 and reply.get("Feature-Caps") is None
    office.lookup()
    bye = office.ctx(message.request("BYE"))
    assert office.code == 1 and await office.registrar.pn_process_purr(bye, "location") == -1


@pytest.mark.parametrize(("text", "words"), [("apns, FCM", ("apns", "fcm")), (" , ", ()), ("a", ("a",))])
def test_lists(text, words):
    assert _words(text) == words


# --- several workers -----------------------------------------------------------------------------------------------

def test_a_phone_that_registers_in_another_worker():
    book = sleeper()
    book.register()
    told = []
    book.env.bus.others = lambda topic, value: told.append((topic, value))
    book.recv("INVITE", "sip:bob@example.com")
    push = book.modules["registrar"].push
    spot = next(iter(push.waiting))
    uri = f"sip:bob@10.0.0.3{PUSH}"
    book.env.bus.publish("registrar.push", [list(spot), [uri, "sip:10.0.0.4:5060", None, -1, -1, 0]])
    book.advance(0.2)
    assert book.requests("dave") == ["INVITE"]          # where it was received from
    book.register(f"<{uri}>")
    assert ("registrar.push", (("location", "bob@example.com", "apns\nZTY4\nDEF"), (
        uri, None, None, -1, book.env.sockets[0].index, 0))) in told


