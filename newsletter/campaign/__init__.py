"""One issue's way through the house, in order. Read `prepare`, then `opening` and `sending`.

prepare    content -> render -> check          one article, compiled and judged
approval   who vouches for which digest
freeze     audience -> delivery rows           everyone on the list, skips with their reason
opening    the campaign to go on with         found, or new; begun once a person has confirmed
preflight  what must hold before anything leaves
sending    deliver                             dry run on a copy, or the real thing
status     what became of everyone
"""
