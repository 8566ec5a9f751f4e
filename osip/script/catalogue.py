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
    text: str


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
    "E005": Entry("unmatched closing bracket", "A bracket is closed that was not opened. One } too many ends its route "
                  "early, and what follows stands outside of it."),
    "E006": Entry("foreign character", "This character is no part of the language outside strings and comments."),
    "E007": Entry("number out of range", "Numbers are signed and have 32 bits. A leading 0x makes them hexadecimal, a "
                  "leading 0 octal."),
    "E008": Entry("invalid address", "An unquoted IP address or network is not valid: a field over 255, a prefix too "
                  "long, a mask with holes."),
    "E009": Entry("malformed variable", "A variable is $name, $name(key) or $(<context>name(key)[index]{transformation})."
                  " Index, context and transformations need the form with the outer brackets."),
    "E010": Entry("malformed format string", "In a format string $ begins a variable; a dollar sign is written $$. "
                  "Variables inside must be complete."),
    "E011": Entry("statement outside any route", "Statements stand inside route { } or another kind of route."),
    "E013": Entry("misshapen switch", "A switch has one or more case labels and at most one default, which is last."),
    "E014": Entry("misshapen route head", "failure_route, branch_route, timer_route and event_route need a name in "
                  "square brackets, timer_route also an interval; error_route, local_route and startup_route take "
                  "none."),
    "E015": Entry("condition of the wrong form", "A comparison has one variable on its left. Arithmetic in a condition "
                  "stands in square brackets and is one truth value. For more, compute into a variable first."),
    "E016": Entry("expression as argument", "An argument is one literal or one variable. Compute into a variable "
                  "first, then pass that."),
    "E017": Entry("assignment to a plain word", "Inside a route only variables are assigned. Global settings stand "
                  "outside the routes."),
    "E018": Entry("misshapen socket or alias", "A socket is proto:address:port with options, an alias is proto:host:port. "
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
    "E024": Entry("not a text", "The file holds a NUL byte; scripts are text."),
    # --- E1xx: names
    # --- E2xx: routes
    # --- E3xx: modules and parameters
    # --- E4xx: types and arguments
    # --- E5xx: settings and sockets
    # --- W6xx: flow and style
    "W620": Entry("import_file without a file", "import_file forgives a missing file; include_file does not."),
    # --- N7xx: compatibility
    "N701": Entry("text from a web page repaired", "Typographic quotes, HTML entities and <br> outside strings were "
                  "turned into what they stand for."),
    "N702": Entry("words skipped", "Words behind a finished statement, on the same line, were taken for a remark that "
                  "lost its comment mark."),
    "N703": Entry("statements taken as the main route", "The text has statements outside any route and no main route: "
                  "it is read as a snippet, as if route { } stood around it."),
    "N704": Entry("blacklist rule left out", "The network of the rule is not valid; the other rules stay."),
}
