#!/usr/bin/env bash
# Who does not say who they are is told how to (www-authenticate, with grpcurl -v).
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/ListOrders -v | sed -n '/^www-authenticate/p; /^ERROR/,$p'
