#!/usr/bin/env bash
# Reading another user's order needs the role admin; the service decides, not the gateway.
source "$(dirname "$0")/shop.env"
order=$(call "$GATEWAY" shop.v1.OrderService/CreateOrder \
  -H "authorization: Bearer $(token buyer)" -d '{"items":[{"sku":"cups","quantity":6}]}')
id=$(sed -n 's/.*"id": "\(order-[0-9]*\)".*/\1/p' <<<"$order")
for account in viewer admin; do
  echo "$account:"
  call "$GATEWAY" shop.v1.OrderService/GetOrder \
    -H "authorization: Bearer $(token "$account")" -d "{\"id\":\"$id\"}"
done
