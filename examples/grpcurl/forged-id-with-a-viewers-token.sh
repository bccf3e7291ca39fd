#!/usr/bin/env bash
# Metadata of the client's own making changes nothing, in whatever spelling: a viewer stays a viewer.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/CreateOrder -H "authorization: Bearer $(token viewer)" \
  -H 'x-user-id: admin' -H 'x_user_id: admin' -H 'X-User-Permissions: orders:create' \
  -d '{"items":[{"sku":"tea","quantity":1}]}'
