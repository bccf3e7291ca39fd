//! Order service, which calls two other services on behalf of its callers.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt};
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_passport::client::ClientService;
use tonic_passport::policy::Guarded;
use tonic_passport::{
    AccessDenied, Authorized, ClientLayer, ForwardedContext, ServerLayer, UserContext,
};
use tower::BoxError;

use crate::access_log::log_call;
use crate::proto::inventory_service_client::InventoryServiceClient;
use crate::proto::order_service_server::{OrderService, OrderServiceServer, SERVICE_NAME};
use crate::proto::user_service_client::UserServiceClient;
use crate::proto::{
    CreateOrderRequest, Customer, GetOrderRequest, GetUserRequest, ImportOrdersResponse, Item,
    ItemAvailability, ListOrdersRequest, ListReservationsRequest, Order, Reservation,
    ReserveRequest, StockLine,
};
use crate::{behind_gateway, operations};

/// Maximum number of orders in a call of `ImportOrders`.
const MAX_IMPORT: usize = 100;
/// Maximum number of items in an order.
const MAX_ITEMS: usize = 100;

type Propagated = ClientService<Channel>;

/// Serves `OrderService` with the rules of this descriptor set.
pub async fn serve(
    listener: TcpListener,
    descriptor_set: &[u8],
    inventory: Channel,
    users: Channel,
) -> Result<(), BoxError> {
    // The caller is the user whom the gateway has identified ...
    let layer = ServerLayer::new(ForwardedContext::trust_private_network())
        // ... the rules stand beside the methods, in order.proto ...
        .policy(operations::policy(SERVICE_NAME, descriptor_set)?);
    // ... and calls to other services are made on the caller's behalf.
    let propagate = ClientLayer::new();
    let service = Orders {
        inventory: InventoryServiceClient::new(propagate.wrap(inventory)),
        users: UserServiceClient::new(propagate.wrap(users)),
        placed: Arc::default(),
    };

    let routes = Routes::new(OrderServiceServer::new(service));
    let routes = operations::add_to(routes, &[SERVICE_NAME]).await?;
    behind_gateway::serve(listener, layer, routes).await
}

struct Orders {
    inventory: InventoryServiceClient<Propagated>,
    users: UserServiceClient<Propagated>,
    placed: Arc<Placed>,
}

/// Store of the placed orders.
#[derive(Default)]
struct Placed {
    last_number: AtomicU64,
    by_id: Mutex<HashMap<String, Order>>,
}

#[tonic::async_trait]
impl OrderService for Orders {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let user = Authorized::from_request(&request)?;
        log_call("CreateOrder", &user, &request);

        let wanted = self.placed.reservation(request.into_inner())?;
        let mut inventory = self.inventory.clone();
        let (reserved, customer) =
            tokio::try_join!(inventory.reserve(wanted), self.customer(&user))
                .map_err(caller_status)?;

        let order = order(&user, reserved.into_inner(), customer);
        self.placed.add([order.clone()]);
        Ok(Response::new(order))
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let user = Authorized::from_request(&request)?;
        log_call("GetOrder", &user, &request);

        let id = request.into_inner().id;
        let order = self.placed.find(&id).ok_or_else(|| Status::not_found("no such order"))?;
        Ok(Response::new(user.authorize(order)?.into_inner()))
    }

    type ListOrdersStream = Pin<Box<dyn Stream<Item = Result<Order, Status>> + Send>>;

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<Self::ListOrdersStream>, Status> {
        let user = Authorized::from_request(&request)?;
        log_call("ListOrders", &user, &request);

        let mut inventory = self.inventory.clone();
        let reservations =
            inventory.list_reservations(ListReservationsRequest {}).await.map_err(caller_status)?;
        let placed = Arc::clone(&self.placed);
        let orders = reservations.into_inner().filter_map(move |reservation| {
            let order = reservation.map(|reservation| placed.find(&reservation.order_id));
            order.map_err(caller_status).transpose()
        });
        Ok(Response::new(Box::pin(orders)))
    }

    async fn import_orders(
        &self,
        request: Request<Streaming<CreateOrderRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        let user = Authorized::from_request(&request)?;
        log_call("ImportOrders", &user, &request);

        let mut requests = request.into_inner();
        let mut wanted = Vec::new();
        while let Some(order) = requests.message().await? {
            if wanted.len() == MAX_IMPORT {
                let message = format!("more than {MAX_IMPORT} orders at once");
                return Err(Status::invalid_argument(message));
            }
            wanted.push(self.placed.reservation(order)?);
        }
        let mut inventory = self.inventory.clone();
        let (reserved, customer) = tokio::try_join!(
            inventory.reserve_all(tokio_stream::iter(wanted)),
            self.customer(&user),
        )
        .map_err(caller_status)?;

        let reservations = reserved.into_inner().reservations.into_iter();
        let orders: Vec<Order> =
            reservations.map(|reserved| order(&user, reserved, customer.clone())).collect();
        self.placed.add(orders.clone());
        Ok(Response::new(ImportOrdersResponse { orders }))
    }

    type CheckItemsStream = Pin<Box<dyn Stream<Item = Result<ItemAvailability, Status>> + Send>>;

    async fn check_items(
        &self,
        request: Request<Streaming<Item>>,
    ) -> Result<Response<Self::CheckItemsStream>, Status> {
        let user = Authorized::from_request(&request)?;
        log_call("CheckItems", &user, &request);

        // An error of the request stream ends the outgoing one: the caller has disconnected.
        let lines = request.into_inner().map_while(Result::ok).map(stock_line);
        let levels =
            self.inventory.clone().check_stock(lines).await.map_err(caller_status)?.into_inner();
        let items = levels.map(|level| {
            level.map_err(caller_status).map(|level| ItemAvailability {
                sku: level.sku,
                available: level.sufficient,
                checked_for: level.checked_for,
            })
        });
        Ok(Response::new(Box::pin(items)))
    }
}

/// An order may be read by the user who placed it, and by administrators.
impl Guarded for Order {
    fn authorize(&self, user: &UserContext) -> Result<(), AccessDenied> {
        if self.created_by == user.id() {
            return Ok(());
        }
        user.require_role("admin")
    }
}

impl Orders {
    /// Looks the caller up in `UserService`.
    async fn customer(&self, user: &UserContext) -> Result<Customer, Status> {
        let request = GetUserRequest { id: user.id().to_owned() };
        let user = self.users.clone().get_user(request).await?.into_inner();
        Ok(Customer { id: user.id, email: user.email })
    }
}

impl Placed {
    /// Validates an order, and assigns its id.
    fn reservation(&self, wanted: CreateOrderRequest) -> Result<ReserveRequest, Status> {
        let items = wanted.items;
        if items.is_empty() || items.len() > MAX_ITEMS {
            let message = format!("items: an order has 1 to {MAX_ITEMS}");
            return Err(Status::invalid_argument(message));
        }
        if items.iter().any(|item| item.sku.is_empty() || item.quantity == 0) {
            let message = "items: each needs a sku and a quantity of at least 1";
            return Err(Status::invalid_argument(message));
        }
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        let lines = items.into_iter().map(stock_line).collect();
        Ok(ReserveRequest { order_id: format!("order-{number}"), lines })
    }

    fn add(&self, orders: impl IntoIterator<Item = Order>) {
        self.lock().extend(orders.into_iter().map(|order| (order.id.clone(), order)));
    }

    fn find(&self, id: &str) -> Option<Order> {
        self.lock().get(id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Order>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Maps the status of an upstream service to the status for the caller: errors of the request are
/// passed on, internal errors are logged and become `UNAVAILABLE`.
#[expect(clippy::needless_pass_by_value, reason = "what map_err gives")]
fn caller_status(failed: Status) -> Status {
    match failed.code() {
        Code::DeadlineExceeded
        | Code::FailedPrecondition
        | Code::InvalidArgument
        | Code::NotFound
        | Code::PermissionDenied => {
            let details = Bytes::copy_from_slice(failed.details());
            Status::with_details(failed.code(), failed.message(), details)
        }
        _ => {
            tracing::warn!(status = %failed, "an upstream service has failed");
            Status::unavailable("a service that is needed has failed")
        }
    }
}

fn order(user: &UserContext, reserved: Reservation, customer: Customer) -> Order {
    Order {
        id: reserved.order_id,
        created_by: user.id().to_owned(),
        items: reserved.lines.into_iter().map(item).collect(),
        reserved_by: reserved.reserved_by,
        customer: Some(customer),
    }
}

fn item(line: StockLine) -> Item {
    Item { sku: line.sku, quantity: line.quantity }
}

fn stock_line(item: Item) -> StockLine {
    StockLine { sku: item.sku, quantity: item.quantity }
}
