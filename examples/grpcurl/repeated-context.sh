#!/usr/bin/env bash
# A context that says two things at once is refused, never joined, never "the first wins".
source "$(dirname "$0")/shop.env"
call "$INVENTORY" shop.v1.InventoryService/ListReservations \
  -H 'x-user-id: viewer' -H 'x-user-id: admin'
