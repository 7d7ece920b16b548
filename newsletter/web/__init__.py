"""Pages: what readers reach (`public`), what staff look at (`preview`, `demo`), and the server.

public assembles joining, confirming, preferences, leaving and archive; site is what they share,
letters the mail they send, limits how often one may ask.

language catalogs, and which one a reader gets
body     forms and JSON, bounded and in UTF-8
guard    headers, hosts, where a POST came from, the access log
pages    templates and style sheets in the publication's colours
frames   rendered mail, shown where it can do nothing
media    pictures of mail, named by their hash
"""
