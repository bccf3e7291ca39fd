#!/usr/bin/env bash
# Fields propagated besides the user: the remaining time, the request id, the trace.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.UserService/WhoAmI -H "authorization: Bearer $(token buyer)" \
  -max-time 10 -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' \
  -H 'baggage: plan=gold'
