#!/usr/bin/env bash
# What goes along with a call besides its user: the time that is left, an id of the request, a trace.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.UserService/WhoAmI -H "authorization: Bearer $(token buyer)" \
  -max-time 10 -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' \
  -H 'baggage: plan=gold'
