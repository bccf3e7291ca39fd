//! A user with many permissions.

use tonic_passport::UserContext;

/// The number of the user's permissions.
pub const PERMISSIONS: u32 = 50;

/// The user. Their permissions differ near the end, and are all of the same length.
pub fn user() -> UserContext {
    UserContext::builder("user-42")
        .email("alice@example.com")
        .roles(["buyer"])
        .permissions((0..PERMISSIONS).map(permission))
        .build()
        .expect("a good context")
}

/// The permission with this number. The user does not have the one after the last.
pub fn permission(number: u32) -> String {
    format!("shop.orders-{number:02}:read")
}
