// Where everything is. The ports are not among those that a system picks for outgoing connections.
export const PROVIDER = 21150;
export const ISSUER = `http://127.0.0.1:${PROVIDER}`;
export const GATEWAY = "127.0.0.1:21151";
export const ORDERS = "127.0.0.1:21152";
export const INVENTORY = "127.0.0.1:21153";
export const USERS = "127.0.0.1:21154";
