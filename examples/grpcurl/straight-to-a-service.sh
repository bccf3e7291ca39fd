#!/usr/bin/env bash
# Past the gateway, even a good token is of no use: services take a context, not tokens.
source "$(dirname "$0")/shop.env"
call "$ORDERS" shop.v1.OrderService/ListOrders -H "authorization: Bearer $(token buyer)"
