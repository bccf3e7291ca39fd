#!/usr/bin/env bash
# A malformed traceparent is dropped with its tracestate, and so is malformed baggage. The call
# continues.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.UserService/WhoAmI -H "authorization: Bearer $(token buyer)" \
  -H 'traceparent: 00-0-0-00' -H 'tracestate: vendor=1' -H 'baggage: ,'
