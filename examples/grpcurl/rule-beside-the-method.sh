#!/usr/bin/env bash
# The rule is declared beside the method: a caller without the permission is denied, one with it is
# allowed.
source "$(dirname "$0")/shop.env"
grpcurl -plaintext "$GATEWAY" describe shop.v1.OrderService
for account in viewer buyer; do
  call "$GATEWAY" shop.v1.OrderService/CreateOrder \
    -H "authorization: Bearer $(token "$account")" -d '{"items":[{"sku":"tea","quantity":1}]}'
done
