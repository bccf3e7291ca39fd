#!/usr/bin/env bash
# Another authentication scheme is rejected.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/ListOrders -H 'authorization: Basic YnV5ZXI6c2VjcmV0'
