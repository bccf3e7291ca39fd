#!/usr/bin/env bash
# A repeated context key is rejected; values are never joined.
source "$(dirname "$0")/shop.env"
call "$INVENTORY" shop.v1.InventoryService/ListReservations \
  -H 'x-user-id: viewer' -H 'x-user-id: admin'
