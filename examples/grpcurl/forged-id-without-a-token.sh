#!/usr/bin/env bash
# Metadata of the client's own making is no token.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/CreateOrder -H 'x-user-id: admin' \
  -d '{"items":[{"sku":"tea","quantity":1}]}'
