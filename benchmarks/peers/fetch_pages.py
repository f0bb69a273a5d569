"""The least that it takes to have all pages of a list: ask for each, and look for the token of the next one."""

import re
import sys
from http.client import HTTPConnection

token = re.compile(rb'"continue":"(\d+)"')
port, path = sys.argv[1:]
connection = HTTPConnection("127.0.0.1", int(port))
asked = f"{path}?limit=500"
while asked:
    connection.request("GET", asked)
    page = connection.getresponse().read()
    more = token.search(page, 0, 400)
    asked = f"{path}?limit=500&continue={more[1].decode()}" if more else ""
