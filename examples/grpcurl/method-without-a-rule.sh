#!/usr/bin/env bash
# The order service has no rule for other services' methods, so every caller is denied,
# authenticated or not.
source "$(dirname "$0")/shop.env"
call "$ORDERS" shop.v1.InventoryService/ListReservations -H 'x-user-id: admin'
call "$ORDERS" shop.v1.InventoryService/ListReservations
