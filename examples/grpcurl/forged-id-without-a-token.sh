#!/usr/bin/env bash
# Forged metadata does not replace a token.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/CreateOrder -H 'x-user-id: admin' \
  -d '{"items":[{"sku":"tea","quantity":1}]}'
