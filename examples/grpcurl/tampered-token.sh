#!/usr/bin/env bash
# The claims of one token with the signature of another. The response is the same for every defect.
source "$(dirname "$0")/shop.env"
viewer=$(token viewer)
admin=$(token admin)
call "$GATEWAY" shop.v1.OrderService/ListOrders -H "authorization: Bearer ${admin%.*}.${viewer##*.}"
