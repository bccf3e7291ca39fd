#!/usr/bin/env bash
# Health and reflection are public, on the gateway and on the services.
source "$(dirname "$0")/shop.env"
call "$GATEWAY" list
grpcurl -plaintext "$GATEWAY" describe shop.v1.OrderService.CreateOrder
for address in "$GATEWAY" "$ORDERS" "$INVENTORY" "$USERS"; do
  call "$address" grpc.health.v1.Health/Check
done
