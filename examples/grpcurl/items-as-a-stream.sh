#!/usr/bin/env bash
# All four kinds of call carry the caller: here items are checked in a stream each way.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/CheckItems -H "authorization: Bearer $(token viewer)" \
  -d '{"sku":"tea","quantity":1} {"sku":"gold","quantity":1}'
