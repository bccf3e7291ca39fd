#!/usr/bin/env bash
# The metadata that a service receives: x-user-* as the gateway wrote it, and no token.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.UserService/WhoAmI -H "authorization: Bearer $(token buyer)" \
  -H 'x-user-tenant: forged' -H 'x-request-id: 7'
