#!/usr/bin/env bash
# A repeated authorization field is rejected: no occurrence wins.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/ListOrders \
  -H "authorization: Bearer $(token buyer)" -H "authorization: Bearer $(token admin)"
