#!/usr/bin/env bash
# What a service is told of its caller: x-user-* as the gateway wrote it, and never the token.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.UserService/WhoAmI -H "authorization: Bearer $(token buyer)" \
  -H 'x-user-tenant: forged' -H 'x-request-id: 7'
