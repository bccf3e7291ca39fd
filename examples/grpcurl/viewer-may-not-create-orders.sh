#!/usr/bin/env bash
# A viewer is known, but lacks a permission.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/CreateOrder -H "authorization: Bearer $(token viewer)" \
  -d '{"items":[{"sku":"tea","quantity":1}]}'
