#!/usr/bin/env bash
# An expired token has a reason of its own, so that a client knows when to get a new one.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/ListOrders -H "authorization: Bearer $(token buyer -1)"
