#!/usr/bin/env bash
# Services read a context, not tokens, so a valid token is rejected there.
source "$(dirname "$0")/shop.env"
call "$ORDERS" shop.v1.OrderService/ListOrders -H "authorization: Bearer $(token buyer)"
