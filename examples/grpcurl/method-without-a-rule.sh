#!/usr/bin/env bash
# The order service has no rule for methods that are not its own, so nobody may call them there:
# neither somebody who is known, nor anybody else.
source "$(dirname "$0")/shop.env"
call "$ORDERS" shop.v1.InventoryService/ListReservations -H 'x-user-id: admin'
call "$ORDERS" shop.v1.InventoryService/ListReservations
