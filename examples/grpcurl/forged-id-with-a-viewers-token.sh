#!/usr/bin/env bash
# Forged metadata has no effect, in any spelling.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/CreateOrder -H "authorization: Bearer $(token viewer)" \
  -H 'x-user-id: admin' -H 'x_user_id: admin' -H 'X-User-Permissions: orders:create' \
  -d '{"items":[{"sku":"tea","quantity":1}]}'
