"""List the codes of all diagnostics: title and explanation, for `osip explain`.

Families: E0xx syntax and source, E1xx names, E2xx routes, E3xx modules and parameters, E4xx types and arguments,
E5xx settings and sockets, W6xx flow and style, N7xx compatibility. A code keeps its meaning for ever; a new one is
appended to its family. Whoever reports a code adds it here first.
"""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """Title and explanation of one code."""
    title: str
    explanation: str


CATALOGUE: dict[str, Entry] = {
    # --- E0xx: syntax and source
    "E001": Entry("text that does not fit", "The word or mark cannot stand here. The hint says what may. Reading goes "
                  "on behind the next ; or before the next }, so further findings are faults of their own."),
    "E002": Entry("missing semicolon", "Every call, assignment, return, exit, drop and break ends with a semicolon; "
                  "blocks in braces need none."),
    "E003": Entry("missing bracket", "A bracket was opened and not closed. For a brace, the line named is the block "
                  "that, going by the indentation, lost its end."),
    "E004": Entry("open string, comment or variable", "A string, comment or variable has a beginning and no end. "
                  "Strings may run over lines, so the fault may lie well before the place where it shows. Comments "
                  "/* */ nest."),
    "E005": Entry("unmatched closing bracket", "A bracket is closed that was not opened. One } too many ends its "
                  "route "
                  "early, and what follows stands outside of it."),
    "E006": Entry("foreign character", "This character is no part of the language outside strings and comments."),
    "E007": Entry("number out of range", "Numbers are signed and have 32 bits. A leading 0x makes them hexadecimal, a "
                  "leading 0 octal."),
    "E008": Entry("invalid address", "An unquoted IP address or network is not valid: a field over 255, a prefix too "
                  "long, a mask with holes."),
    "E009": Entry("malformed variable", "A variable is $name, $name(key) or "
                  "$(<context>name(key)[index]{transformation}). Index, context and transformations need the form "
                  "with the outer brackets."),
    "E010": Entry("malformed format string", "In a format string $ begins a variable; a dollar sign is written $$. "
                  "Variables inside must be complete."),
    "E011": Entry("statement outside any route", "Statements stand inside route { } or another kind of route."),
    "E013": Entry("misshapen switch", "A switch has one or more case labels and at most one default, which is last."),
    "E014": Entry("misshapen route head", "failure_route, branch_route, timer_route and event_route need a name in "
                  "square brackets, timer_route also an interval; error_route, local_route and startup_route take "
                  "none."),
    "E015": Entry("condition of the wrong form", "A comparison has one variable on its left. Arithmetic in a "
                  "condition "
                  "stands in square brackets and is one truth value. For more, compute into a variable first."),
    "E016": Entry("expression as argument", "An argument is one literal or one variable. Compute into a variable "
                  "first, then pass that."),
    "E017": Entry("assignment to a plain word", "Inside a route only variables are assigned. Global settings stand "
                  "outside the routes."),
    "E018": Entry("misshapen socket or alias", "A socket is proto:address:port with options, an alias is "
                  "proto:host:port. "
                  "Ports are 0 to 65535; an alias may have the word any for its port."),
    "E019": Entry("misshapen blacklist rule", "A rule is [!](proto, network, port, \"pattern\"), trailing parts "
                  "optional, or [!]network."),
    "E020": Entry("unreadable file", "The script or an included file does not exist, is a directory, or may not be "
                  "read. Relative paths are tried in the working directory, then beside the including file."),
    "E021": Entry("malformed include", "include_file and import_file stand alone on their line, with one path in "
                  "quotes."),
    "E022": Entry("includes in a circle or too deep", "A file includes itself, directly or through others, or the "
                  "files nest deeper than 50."),
    "E023": Entry("preprocessor failed", "The command given as preprocessor could not run or returned an error."),
    "E025": Entry("nested too deeply", "Statements, loops or operations stand in one another more deeply than a "
                  "program can be compiled. Move the inner part to a route of its own, or compute it in steps."),
    "E024": Entry("not a text", "The file holds a NUL byte; scripts are text."),
    # --- E1xx: names
    "E101": Entry("unknown function", "No loaded module has a function of this name. When a module that comes with "
                  "osip "
                  "has it, the hint names the loadmodule line that is missing."),
    "E102": Entry("unknown variable", "No loaded module has a variable of this name. In format strings the name takes "
                  "every letter, digit, _ and . that follows: write $(ru).txt instead of $ru.txt."),
    "E103": Entry("unknown transformation", "No loaded module has this transformation."),
    "E104": Entry("key missing or not allowed", "Some variables need a key in brackets, $var(x); others take none, or "
                  "only certain ones."),
    "E105": Entry("variable has no index", "Only variables that hold lists take an index; [append] is for assigning."),
    "E106": Entry("variable is read-only", "This variable cannot be assigned."),
    "E107": Entry("unknown context", "A variable can be read of another message: $(<request>...) is the request of "
                  "the "
                  "transaction, $(<reply>...) its reply. There are no other contexts."),
    "E108": Entry("wrong arguments of a transformation", "The transformation takes more or fewer arguments. They "
                  "follow its name, each behind a comma."),
    # --- E2xx: routes
    "E201": Entry("unknown route", "The route that is called or armed is not defined. Names are kept apart by kind."),
    "E202": Entry("duplicate route", "Two routes of one kind have the same name."),
    "E203": Entry("function not allowed in this kind of route", "The function may not run in the kind of route named, "
                  "or in one from which this route is reached. The path is shown."),
    "E204": Entry("break outside a loop", "break leaves the innermost while, for or switch; elsewhere it means "
                  "nothing. To leave the route, write return."),
    "E205": Entry("async without tm", "While async() waits, the request is kept by the transaction module: load tm."),
    "E206": Entry("call that cannot be awaited", "async() and launch() take a function that waits for something outside, "
                  "such as a database or a web server, and the name of a route that goes on afterwards."),
    # --- E3xx: modules and parameters
    "E301": Entry("unknown module", "No folder of mpath and no installed package has a module of this name."),
    "E302": Entry("broken module", "The module was found and could not be loaded. Its own error follows."),
    "E303": Entry("unknown parameter", "The module has no parameter of this name."),
    "E304": Entry("wrong parameter value", "The value has the wrong type or is outside the parameter's range."),
    "E305": Entry("modparam without its module", "modparam stands before the loadmodule line, or that line is "
                  "missing."),
    "E306": Entry("bad module pattern", "The first argument of modparam is a regular expression that must match whole "
                  "module names, such as usrloc|registrar."),
    "E307": Entry("module needs another one", "The module works only together with the one named: load that too."),
    "E308": Entry("reload needs a restart", "A running server can take new routes and settings; modules that it has "
                  "not "
                  "loaded yet come with a restart only."),
    "E309": Entry("environment variable not set", "A value asks for ${NAME}, which the environment does not have; "
                  "${NAME:-default} gives a default."),
    "E310": Entry("file of a value not readable", "A value written file:/path is the content of that file."),
    "E311": Entry("reload failed", "The new script is right, but something that it asks for (a socket, for example) "
                  "could not be had. The old script stays."),
    # --- E4xx: types and arguments
    "E401": Entry("wrong number of arguments", "The function takes more or fewer arguments."),
    "E402": Entry("wrong kind of argument", "The argument cannot be turned into what the function takes."),
    "E403": Entry("bad regular expression", "The pattern cannot be compiled; the place inside it is marked."),
    "E404": Entry("argument must be a variable", "The function writes into this argument: pass a writable variable."),
    "E405": Entry("null refused", "This variable always has a value and cannot be cleared with null."),
    "E406": Entry("unknown log level", "Levels are L_ALERT, L_CRIT, L_ERR, L_WARN, L_NOTICE, L_INFO and L_DBG; the "
                  "third "
                  "letter decides."),
    "E407": Entry("too many flags", "Message flags, branch flags and script flags have 32 places each. Every name "
                  "takes one."),
    "E408": Entry("argument that can never work", "The literal has the right kind and a value that the function always "
                  "refuses: a status outside 100 to 699, a port over 65535, a q value over 1, a text that is no URI, a store "
                  "of the cache or a socket that the script does not have."),
    # --- E5xx: settings and sockets
    "E501": Entry("bad socket or alias", "The port, protocol or address of a socket or alias is not valid, or a "
                  "socket "
                  "is defined twice."),
    "E502": Entry("unknown setting", "No global setting has this name."),
    "E503": Entry("wrong value of a setting", "The value has the wrong type or is out of range."),
    "E504": Entry("transport not loaded", "Every transport is a module: without proto_udp nothing can listen on UDP, "
                  "without proto_tcp nothing on TCP."),
    "E505": Entry("no socket", "The script opens no socket, so no message could ever arrive. Add a socket line."),
    "E506": Entry("forward against disable_stateless_fwd", "forward() relays without a transaction. Replies to that "
                  "are "
                  "dropped when disable_stateless_fwd is yes. Take away one of the two."),
    "E507": Entry("unknown scaling profile", "use_auto_scaling_profile names a profile that no auto_scaling_profile "
                  "line defines."),
    # --- W6xx: flow and style
    "W601": Entry("assignment as condition", "A single = assigns; == compares. The condition is then true or false by "
                  "the value assigned, on every message."),
    "W602": Entry("statement that can never run", "Whatever stands before it leaves the block by exit, drop, return "
                  "or "
                  "break on every way."),
    "W603": Entry("unused route", "No call, no arming function and no text in the script names this route."),
    "W604": Entry("empty route", "The route does nothing. A main route that does nothing drops every request."),
    "W605": Entry("repeated case", "The switch has this label already; texts are compared without regard to case."),
    "W606": Entry("for without a list", "The source of a for needs the index [*]; without it the loop is skipped."),
    "W607": Entry("text and number mixed", "An arithmetic operation on a text and a number has no value: the "
                  "assignment "
                  "leaves its target as it was."),
    "W608": Entry("division by zero", "A division by zero has no value: the assignment leaves its target as it was."),
    "W609": Entry("module hides a built-in one", "A folder of mpath or an installed package has a module of the same "
                  "name as a built-in one, and comes first."),
    "W610": Entry("module loaded twice", "The second loadmodule line of a module changes nothing."),
    "W611": Entry("loop without an end", "The condition is always true, or hangs on variables that nothing in the loop "
                  "changes, and nothing leaves it. max_while_loops ends it each time, with a line in the log."),
    "W612": Entry("routes that call each other for ever", "Before anything else that could end the script, each of these "
                  "routes calls the next one. The calls fail when they are 100 deep, with a line in the log."),
    "W641": Entry("change needs a restart", "The value is read only while the server starts; the running server keeps "
                  "the old one."),
    "W620": Entry("import_file without a file", "import_file forgives a missing file; include_file does not."),
    "W630": Entry("variable read but never set", "Nothing in the script sets the variable: it is a slip of the pen, or "
                  "always NULL. An AVP is named when no module that is loaded can set it, or one of nearly the same name "
                  "is set."),
    "W631": Entry("relayed after a final reply", "On some way through the routes a final reply was sent before. The "
                  "caller then gets two answers, or none of the second. Most often an exit is missing."),
    "W632": Entry("relayed without record_route", "Without a Record-Route header of this server, ACK, BYE and further "
                  "requests of a call go from phone to phone and are not seen here: no accounting, no NAT help."),
    "W633": Entry("record_route without loose_route", "Requests within a call arrive with a Route header of this server. "
                  "loose_route() takes it away and finds the next hop; without it they come back again and again."),
    "W634": Entry("CANCEL never looked at", "A CANCEL runs through the main route like any request. When replies, "
                  "look-ups or new destinations come before t_relay(), it may be answered by mistake or not find its "
                  "call. Relay it early."),
    "W635": Entry("header read after it was edited", "Edits of headers take place when the message is sent. Until then a "
                  "script reads each header as it was received. Read first, or keep the value in a variable."),
    "W636": Entry("password in the script", "Scripts are copied, shown and kept under version control. Values of "
                  "modparam and of settings may say \"${NAME}\", \"${NAME:-default}\" or \"file:/path\" instead."),
    "W637": Entry("old spelling", "The word works and has a newer name of the same meaning. osip lint --fix writes it."),
    "W638": Entry("condition that is always the same", "One branch can never run. \"$x != a || $x != b\" is true for "
                  "every x, \"$x == a && $x == b\" for none: the other operator was meant."),
    "W639": Entry("and mixed with or", "&& and || have one rank and are read from left to right: \"a || b && c\" is "
                  "\"(a || b) && c\", unlike in most languages. Brackets say what is meant."),
    "W640": Entry("Max-Forwards never checked", "The counter in Max-Forwards goes down at every server, so that a request "
                  "that is sent in circles ends (RFC 3261 section 16.3). mf_process_maxfwd_header() counts and says when "
                  "to answer 483. forward() does not count; t_relay() does, but last of all, so that look-ups and "
                  "replies before it are done anew in every round of a loop."),
    "W642": Entry("answered after it was relayed", "Once t_relay() has sent a request on, its transaction brings the answer "
                  "back. A reply of our own belongs into the branch where the relay failed: if (!t_relay()) { ... }."),
    "W643": Entry("answered twice", "A request has one final answer. The second reply is dropped, or worse, sent where the "
                  "first was stateless. Most often an exit is missing behind the first. save(), options_reply() and the "
                  "challenges answer by themselves; save() says nothing with the flag no-reply."),
    "W644": Entry("event that nobody raises", "No loaded module and no raise_event() of the script has an event of this "
                  "name; a module that is not loaded has it, or there is one of nearly the same name. An event of any "
                  "other name may come over MI."),
    "W645": Entry("argument that is hardly meant", "The function takes the literal and does something else with it than its "
                  "look says: a header without a colon, an empty method, a misspelt flag that reads as a host, a blacklist "
                  "that nothing defines."),
    "W646": Entry("no main route", "Requests that arrive run route { }. Without it each of them is dropped in silence."),
    # --- N7xx: compatibility
    "N701": Entry("text from a web page repaired", "Typographic quotes, HTML entities and <br> outside strings were "
                  "turned into what they stand for."),
    "N702": Entry("words skipped", "Words behind a finished statement, on the same line, were taken for a remark that "
                  "lost its comment mark."),
    "N703": Entry("statements taken as the main route", "The text has statements outside any route and no main route: "
                  "it is read as a snippet, as if route { } stood around it."),
    "N704": Entry("blacklist rule left out", "The network of the rule is not valid; the other rules stay."),
    "N705": Entry("setting without effect", "The setting is known and accepted, but has nothing to act on in osip."),
    "N706": Entry("old name of a setting", "The setting has a newer name. Both work."),
    "N707": Entry("parameter without effect", "The parameter is known and accepted, but does nothing any more."),
    "N708": Entry("old name of a parameter", "The parameter has a newer name. Both work."),
    "N709": Entry("module loaded by itself", "The script has TLS settings of 1.x, where transports and TLS were no modules: "
                  "they are loaded for its sockets."),
    "N710": Entry("socket on every address", "0.0.0.0 means every IPv4 address of this machine and [::] every IPv6 "
                  "address, as * means both: one socket is opened for each, since Via and Record-Route must name an "
                  "address that can be reached. What stands behind as counts for all of them."),
}
