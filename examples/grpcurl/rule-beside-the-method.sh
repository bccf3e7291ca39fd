#!/usr/bin/env bash
# What a method needs is written beside it, for everyone to read: who lacks it is refused, and who
# has it is let in.
source "$(dirname "$0")/shop.env"
grpcurl -plaintext "$GATEWAY" describe shop.v1.OrderService
for account in viewer buyer; do
  call "$GATEWAY" shop.v1.OrderService/CreateOrder \
    -H "authorization: Bearer $(token "$account")" -d '{"items":[{"sku":"tea","quantity":1}]}'
done
