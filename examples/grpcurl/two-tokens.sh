#!/usr/bin/env bash
# Two tokens are none: which one would count?
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/ListOrders \
  -H "authorization: Bearer $(token buyer)" -H "authorization: Bearer $(token admin)"
