#!/usr/bin/env bash
# A buyer creates an order. It is theirs in the order service, in the inventory service (reservedBy)
# and in the user service (customer).
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/CreateOrder -H "authorization: Bearer $(token buyer)" \
  -d '{"items":[{"sku":"tea","quantity":1}]}'
