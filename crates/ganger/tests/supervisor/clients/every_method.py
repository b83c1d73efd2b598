"""Makes the calls of a part of calls.json at a server, and compares each answer with what it says of it."""

import json
import sys
import xmlrpc.client

from supervisor.xmlrpc import SupervisorTransport

plan, part, url = sys.argv[1:]
with open(plan) as file:
    plan = json.load(file)

SIMPLE = {'string': str, 'int': int, 'boolean': bool}


def fits(value, kind):
    if isinstance(kind, str):
        return fits(value, plan['types'][kind]) if kind in plan['types'] else type(value) is SIMPLE[kind]
    if isinstance(kind, list):
        return type(value) is list and all(fits(item, kind[0]) for item in value)
    if '=' in kind:
        return type(value) is type(kind['=']) and value == kind['=']
    if 'each' in kind:
        return len(value) == len(kind['each']) and all(map(fits, value, kind['each']))
    return type(value) is dict and value.keys() == kind.keys() and all(fits(value[name], kind[name]) for name in kind)


if url.startswith('unix://'):
    server = xmlrpc.client.ServerProxy('http://127.0.0.1', SupervisorTransport(None, None, url))
else:
    server = xmlrpc.client.ServerProxy(url + '/RPC2')

called = set()
for method, params, kind in plan[part]:
    try:
        answer = getattr(server, method)(*params)
        called.add(method)
        good = not str(kind).startswith('fault') and fits(answer, kind)
    except xmlrpc.client.Fault as fault:
        answer = fault
        good = kind == 'fault %d' % fault.faultCode
    if not good:
        sys.exit('%s%r answers %r, which is not %s' % (method, tuple(params), answer, kind))

if part == 'others':
    missing = set(server.system.listMethods()) - called
    if missing != {'supervisor.restart', 'supervisor.shutdown'}:
        sys.exit('not called: %s' % missing)
