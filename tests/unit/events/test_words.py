"""The words of servers, by what they mean. Said at RCPT, so that only the words decide."""

import pytest

from newsletter.events.reply import find_reply, judge

DEAD = """
#5.1.1 bad address
550 address invalid
5.1.0 Address rejected
550 address does not exist
550 address not present in directory
550 address unknown
550 destination addresses were unknown using SMTP
550 destination server rejected recipients
550 email address could not be found
550 invalid mailbox path
550 is not a known user on this system
550 anna is not a valid mailbox
550 mailbox invalid
550 mailbox not present
550 no account by that name here
550 no mailbox found
550 no such address here
550 no such person at this address
550 not a valid recipient
550 not a valid user here
550 user not known at this site
550 not listed in Domino Directory
550 nobody by that name here
550 recipient no longer on server
550 Recipient not found
550 recipient rejected
550 recipient unknown
550 recipient was not found
550 #5.1.0 address rejected
550 5.1.1 RESOLVER.ADR.RecipNotFound; not found
550 RESOLVER.ADR.RecipNotFound; not found
550 sorry, badrcptto
550 Sorry, no mailbox here by that name
550 That email address isn't valid
550 there is no one at this address
550 this address no longer accepts mail
550 this email address is wrong or no longer valid
550 this recipient is not in my validrcptto list
550 unknown local part anna in <anna@reader.example>
550 Unknown local part
550 unknown or illegal alias: anna@reader.example
550 unknown account
550 user does not exist
550 user doesn't exist
550 user is unknown
550 User anna is not known
550 unknown user account
550 Unrouteable address
550 The user you are trying to contact does not exist
550 No such local user
550 no such email address
550 user not local; please try
550 Account has been closed
550 Account deleted
550 The recipient's mailbox has been deleted
550 user terminated
550 domain does not exist
550 host or domain name not found
550 Host not found
550 unknown domain
550 no such domain
550 mail domain mentioned in email address is unknown
550 all relevant MX records point to non-existent hosts
550 Domain not found
550 address has been replaced by new@reader.example
551 User not local; see forward-path
550 user has left the company
550 invalid user
550 invalid recipient
550 Bad destination email address
550 ... User not found in directory
550 5.4.1 No such user
""".strip().split("\n")

ALIVE = """
550 Relaying denied
550 relay not permitted
554 relay access denied
550 we do not relay
550 spam detected
550 your IP is listed in zen.spamhaus.org
550 Sender verify failed
550 Sender unknown
550 sender user unknown
550 Could not complete sender verify callout
550 5.1.8 domain of sender does not exist
550 Your domain does not exist
550 cannot resolve your domain name
550 invalid HELO
550 The HELO host does not exist
550 Client host rejected: cannot find your hostname
550 unknown host in HELO
550 no reverse DNS: host unknown
550 Rejected: header From address does not exist
554 Message rejected due to content
550 mailbox full
550 mailbox for user is full
550 Account temporarily disabled
550 account expired
550 user disabled
550 mailbox has been blocked due to inactivity
550 The email account that you tried to reach is over quota
552 message size exceeds maximum
550 too many invalid recipients
550 too many unknown users
550 SPF check failed: host not listed
550 not listed in the SPF record of domain
550 IP not found in PTR
550 envelope sender domain not found
550 Return-path domain does not exist
550 Verification failed for <news@reader.example> Unrouteable address Sender verify failed
550 DNS lookup failure: try again later
550 you are not allowed to send to this address
550 user does not accept mail from you
550 Blocked by recipient
550 Administrative prohibition
550 Mail server not found for sending domain
553 sorry, that domain isn't in my list of allowed rcpthosts
""".strip().split("\n")


def verdict(words: str) -> str:
    return judge(find_reply(f"host said: {words} (in reply to RCPT TO command)"))


@pytest.mark.parametrize("words", DEAD)
def test_the_reader_is_gone(words):
    assert verdict(words) == "hard"


@pytest.mark.parametrize("words", ALIVE)
def test_nobody_is_gone(words):
    assert verdict(words) != "hard"


@pytest.mark.parametrize("words", [*DEAD, *ALIVE])
def test_before_the_recipient_was_named_nobody_is_gone(words):
    assert judge(find_reply(f"{words} (in reply to MAIL FROM command)")) != "hard"
