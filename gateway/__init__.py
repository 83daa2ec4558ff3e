"""trunkline: an SMS and voice gateway in one asyncio process.

The house (* = pure: no socket, clock, database or await; it is told the time)

    daemon/       the composition root: the only module that knows everybody
    values/ *     address, message, call, outcome, event, ids, clock, errors
    config/       model * (of carriers *, integrations *, reading *, written *), load, check *: the TOML
                  files, every fault with its place and remedy
    protocol/ *   sms, smpp, sip, sdp, rtp: sans-IO cores; bytes and the time in, events and bytes out
    transport/    the sockets that drive them
    inbound/      from a decoded MO or call to a decision
    text/ *       what may be known from words
    rules/ *      keywords, conditions (CEL), ruleset, decide
    flows/ *      definition, run, engine, effects, nodes
    outbound/     from "please send" to an outcome: accept, chain *, routes *, pipeline (memory,
                  backlog, recorder, recovery), notify, webhook (its HTTP client)
    channels/     sms, voice, app behind one contract
    directory/    who and what exists: assets, consent, customer, policy
    content/      what is said: template, otp, smart_link, seal
    store/        base (the contract), sqlite
    http/         the Messaging API
    cli/          one file per command group
    observe/      log, metrics, health, systemd

Who may import whom (tests/test_layout.py reads this table and holds the code to it)

    values, protocol    nothing of ours
    text, config        values
    rules               values, text
    flows               values, rules, text, protocol.sms
    store               values
    directory, content  values, store.base
    channels            values, protocol, directory, content
    outbound            values, store.base, store.timers, channels.base, directory, content
    inbound             values, protocol, text, rules, flows, store.base, store.timers, directory,
                        outbound.accept, outbound.otp, outbound.links, content
    transport           protocol, config, values
    http                all but transport, protocol, cli, daemon
    cli                 all but transport
    observe             values
    daemon              everything

config.model, the typed settings, is open to everybody but values and protocol, as values is: without that
each package would hold a copy of the settings it reads.  observe is open to all but the pure packages.
store.timers is beside store.base what every store has in common: moments that are owed, whatever backend
keeps them.  cli reaches protocol because `trunk probe` and the counting of segments use the daemon's own
cores; a second reading of SIP or of the alphabets would be a second opinion.  flows reach protocol.sms for
the same reason: their lint counts segments.
"""

__version__ = "0.1.0"
