#!/usr/bin/env bash
# A trace that is none is dropped, and with it what belongs to it. The call goes on.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.UserService/WhoAmI -H "authorization: Bearer $(token buyer)" \
  -H 'traceparent: 00-0-0-00' -H 'tracestate: vendor=1' -H 'baggage: ,'
