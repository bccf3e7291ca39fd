#!/usr/bin/env bash
# A request without a token gets a challenge (www-authenticate, with grpcurl -v).
source "$(dirname "$0")/shop.env"
call "$GATEWAY" shop.v1.OrderService/ListOrders -v | sed -n '/^www-authenticate/p; /^ERROR/,$p'
