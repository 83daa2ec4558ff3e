"""Notifications: what is owed to notify URLs and accounts, kept in the store until the receiver has taken it.

notifier    when each goes out, and what follows from how that went
receivers   what memory holds for each receiver, in which order
backlog     what only the store holds, and when to look for it
outcomes    what became of each, recorded many at once
hub         how they are carried out by HTTP: signed, alone or as an array
"""
