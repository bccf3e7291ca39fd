#!/usr/bin/env bash
# A password is not a token.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/ListOrders -H 'authorization: Basic YnV5ZXI6c2VjcmV0'
