"""Which modules Python itself provides."""

from __future__ import annotations

import sys

from ghostbust.extractors.vocabulary import word_set

_REMOVED = word_set(
    # gone from the standard library by 3.13; models learnt from code that still has them
    "aifc asynchat asyncore audioop binhex cgi cgitb chunk crypt distutils dummy_threading "
    "formatter imghdr imp lib2to3 macpath mailcap msilib nis nntplib ossaudiodev parser pipes "
    "smtpd sndhdr spwd sunau symbol telnetlib uu xdrlib"
)
_PYTHON_2 = word_set(
    "BaseHTTPServer ConfigParser Cookie HTMLParser Queue SimpleHTTPServer SocketServer StringIO "
    "Tkinter cPickle cStringIO commands cookielib htmlentitydefs httplib md5 sets sha thread "
    "tkFileDialog tkMessageBox urllib2 urlparse xmlrpclib __builtin__"
)
_MODULES = (
    sys.stdlib_module_names | _REMOVED | _PYTHON_2 | {"__main__", "compression", "annotationlib"}
)


def is_stdlib(module: str) -> bool:
    """True where the top level of a dotted module belongs to Python, now or in a past version.

    Case counts: ``Queue`` was a module of Python 2, ``JSON`` never was one.
    """
    return module.partition(".")[0] in _MODULES
